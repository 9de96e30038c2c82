/** fedicache between the edges, over real sockets: stampedes, slow origins, a cache in front. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createOrigin, type IncomingMessage, request } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compose } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import { type FedicacheOptions, fedicache } from '@headgate/middleware-fedicache';
import { summaly } from '@misskey-dev/summaly';
import { chromium } from 'playwright-core';
import t, { type Test } from 'tap';
import { freePort } from '../../core/test/wire.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const NGINX = '/usr/sbin/nginx';
const CHROMIUM = '/usr/bin/chromium';

async function listen(t: Test, server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A site that takes `ms` for each page, with Headgate in front. */
async function behind(t: Test, page: (url: string) => string, ms = 0, options?: FedicacheOptions) {
  const asked: string[] = [];
  const origin = createOrigin(async (req, res) => {
    asked.push(req.url ?? '');
    await sleep(ms);
    res.setHeader('content-type', 'text/html; charset=utf-8');
    res.end(page(req.url ?? ''));
  });
  const site = `http://127.0.0.1:${await listen(t, origin)}`;
  const { handler, close } = upstreamTo(site);
  const layer = fedicache(options);
  const server = createServer({ handler: compose([layer.middleware], handler), site: 'test' });
  const port = await listen(t, server);
  t.teardown(() => {
    server.closeAllConnections();
    origin.closeAllConnections();
    close();
  });
  return { asked, site, port };
}

/** Asks as Mastodon does, on a connection of its own. */
async function ask(port: number, path = '/') {
  const headers = { 'user-agent': MASTODON, accept: 'text/html', 'accept-encoding': 'gzip' };
  const asked = request({ port, host: '127.0.0.1', path, headers, agent: false }).end();
  const [res] = (await once(asked, 'response')) as [IncomingMessage];
  const bytes = (await res.toArray()).reduce((sum, { length }) => sum + length, 0);
  return { status: res.statusCode, headers: res.headers, bytes };
}
const many = (count: number, port: number) =>
  Promise.all(Array.from({ length: count }, () => ask(port)));

const page = (title: string) =>
  `<!doctype html><html lang="en"><head><title>${title}</title><meta property="og:title" content="${title}"></head><body><main>${'<p>A long article. '.repeat(2000)}</main></body></html>`;

t.test('a thousand fetchers on a thousand connections are one request', async (t) => {
  const { asked, port } = await behind(t, () => page('Überall'), 300);
  const answers = await many(1000, port);
  t.equal(asked.length, 1);
  t.equal(
    answers.every(({ status, bytes }) => status === 200 && bytes < 1000),
    true,
  );
});

t.test('an origin that takes twelve seconds: 503 first, a hit from then on', async (t) => {
  const { asked, port } = await behind(t, () => page('slow'), 12_000);
  const began = Date.now();
  const first = await many(500, port);
  t.equal(
    first.every(({ status, headers }) => status === 503 && headers['retry-after'] === '8'),
    true,
  );
  t.ok(Date.now() - began < 12_000);
  await sleep(14_000 - (Date.now() - began));
  const then = await many(500, port);
  t.equal(
    then.every(({ status }) => status === 200),
    true,
  );
  t.match(then[0]?.headers['cache-status'], /^Headgate; hit/);
  t.equal(asked.length, 1);
});

t.test('Misskey reads the same of a cut page', async (t) => {
  process.env.SUMMALY_ALLOW_PRIVATE_IP = 'true';
  const body = `<article>${'<p>Text.'.repeat(500)}</article>`;
  const og = (name: string, content: string) => `<meta property="og:${name}" content="${content}">`;
  const pages: Readonly<Record<string, string>> = {
    '/plain': `<!doctype html><title>Plain &amp; simple</title>${body}`,
    '/og': `<html><head><script>"</head>"</script><title>x</title>${og('title', 'Ünïcödé 🎉')}${og('description', 'd')}${og('image', '/i.png')}${og('site_name', 's')}<link rel="icon" href="/f.png"><link rel=stylesheet href=x></head><body>${body}`,
    '/body': `<title>x</title>${body}<meta name="twitter:title" content="in the body"><link rel="shortcut icon" href="/late.ico"><meta name="description" content="late">`,
    '/first': `${og('title', 'first')}${og('title', 'second')}<title>t</title>${body}`,
    '/sensitive': `<title>x</title><meta property="mixi:content-rating" content="1">${body}`,
    '/player': `<title>x</title><meta property="og:video:url" content="https://v.example/"><meta property="og:video:type" content="text/html"><meta property="og:video:width" content="3"><meta property="og:video:height" content="2">${body}`,
    '/activity': `<title>x</title><link rel="alternate" type="application/activity+json" href="https://a.example/1">${body}`,
    '/noscript': `<head><title>x</title><noscript>${og('title', 'n')}</noscript></head>${body}`,
  };
  for (const keep of ['metadata', 'head'] as const) {
    const { site, port } = await behind(t, (url) => pages[url] ?? '', 0, { keep });
    for (const path of Object.keys(pages)) {
      const read = async (base: string) => {
        const summary = await summaly(base + path, { followRedirects: false });
        return JSON.parse(JSON.stringify(summary).replaceAll(new URL(base).port, 'PORT'));
      };
      const ours = `http://127.0.0.1:${port}`;
      t.same(await read(ours), await read(site), `${keep}: ${path}`);
      t.equal((await ask(port, path)).headers.fedicache, 'Active');
    }
  }
});

const skip =
  (!existsSync(NGINX) && 'needs nginx (Debian: nginx-light)') ||
  (!existsSync(CHROMIUM) && 'needs Chromium (Debian: chromium)');

t.test('a cache in front that ignores Vary keeps no cut page', { skip }, async (t) => {
  const { asked, port } = await behind(t, () => page('for everybody'));
  const folder = mkdtempSync(join(tmpdir(), 'headgate-nginx-'));
  chmodSync(folder, 0o755); // nginx's workers are somebody else
  const front = await freePort();
  const conf = join(folder, 'nginx.conf');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join('\n');
  writeFileSync(
    conf,
    `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;
    events {}
    http {
      access_log off; ${paths}
      proxy_cache_path ${folder}/cache keys_zone=pages:1m;
      server {
        listen 127.0.0.1:${front};
        location / {
          proxy_pass http://127.0.0.1:${port};
          proxy_set_header Host $host;
          proxy_cache pages; proxy_cache_valid 200 10m; proxy_ignore_headers Vary;
          add_header X-Cache $upstream_cache_status;
        }
      }
    }`,
  );
  const nginx = spawn(NGINX, ['-c', conf, '-p', folder, '-e', `${folder}/error.log`]);
  t.teardown(async () => {
    nginx.kill();
    await once(nginx, 'close');
    rmSync(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${front}/`;
  while (!(await fetch(`${url}ready`).catch(() => undefined))) await sleep(20);

  for (const _ of [1, 2]) {
    const cut = await ask(front);
    t.equal(cut.headers.fedicache, 'Active');
    t.equal(cut.headers['x-cache'], 'MISS', 'never from that cache');
  }
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  t.teardown(() => browser.close());
  const tab = await browser.newPage();
  const response = await tab.goto(url);
  t.ok((await response?.text()) === page('for everybody'), 'the browser gets all of it');
  t.equal(await tab.locator('p').count(), 2000);
  await tab.reload();
  t.equal(await tab.locator('p').count(), 2000, 'the second time too');
  t.ok(asked.length > 0);
});
