/** The daemon's metrics, as Prometheus asks for them, and what it says of a CDN that sends people back. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aRequest } from '@headgate/core/testing';
import { gate, toConfig } from 'headgate';
import t from 'tap';
import { listen, rawOrigin, talk, until } from '../../core/test/wire.ts';
import { namedIn } from '../../metrics/test/everything.ts';
import { prometheus, promtool, skip } from '../../metrics/test/prometheus.ts';
import { audience } from '../src/audience.ts';
import { counting } from '../src/counting.ts';
import { senders } from '../src/sender.ts';
import { daemon, folder } from './process.ts';

const ROOT = join(import.meta.dirname, '../../..');
const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

t.test(
  'what passes is counted where somebody can ask, and a CDN’s trouble is logged',
  async (t) => {
    let front = '';
    const cdn = await rawOrigin(t, (socket) =>
      socket.write(`HTTP/1.1 302 Found\r\nLocation: ${front}/\r\nContent-Length: 0\r\n\r\n`),
    );
    const origin = await rawOrigin(t, (socket) => {
      const page = '<title>a</title>';
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
      );
    });
    const child = spawn('env', [
      ...['-u', 'NODE_OPTIONS', `HEADGATE_UPSTREAM=${origin.url}`, 'HEADGATE_PRESET=site'],
      ...['HEADGATE_LISTEN=127.0.0.1:0', 'HEADGATE_METRICS=127.0.0.1:0', `HEADGATE_CDN=${cdn.url}`],
      ...[process.execPath, '--conditions=@headgate/source', CLI],
    ]);
    t.teardown(() => child.kill('SIGKILL'));
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk) => (said.out += chunk));
    child.stderr.on('data', (chunk) => (said.err += chunk));
    for (let i = 0; i < 10 && !/Metrics: /.test(said.err); i++)
      await until(() => /Metrics: /.test(said.err));
    front = /Look: +(\S+)/.exec(said.err)?.[1] ?? '';
    const [, metrics = ''] = /Metrics: +(\S+)/.exec(said.err) ?? [];
    const ask = (path: string, agent = MASTODON) =>
      fetch(front + path, {
        headers: { 'user-agent': agent, accept: 'text/html' },
        redirect: 'manual',
      });
    for (const _ of [1, 2, 3]) await (await ask('/')).text();
    t.equal((await ask('/wp-content/uploads/a.png', 'Mozilla/5.0')).status, 200, 'served: a loop');
    await until(() => said.out.includes('originPull.secret'));
    t.match(said.out, /"state":"loop"/);

    const text = await (await fetch(metrics)).text();
    t.match(text, /^headgate_http_requests_total\{[^}]*\} \d+$/m);
    t.match(text, /^headgate_previews_total\{[^}]*outcome="hit"[^}]*\} 2$/m);
    t.match(text, /^headgate_config_last_reload_successful 1$/m);
    t.match(text, /^headgate_store_entries 1$/m);
  },
);

t.test('a real Prometheus finds in a real daemon what was sent to it', { skip }, async (t) => {
  const PAGE = `<!doctype html><title>Page</title>${'<p>text</p>'.repeat(1000)}`;
  const PAGES = 10;
  const site = createServer(({ url }, res) => {
    const isMedia = url?.startsWith('/media/');
    res.setHeader('content-type', isMedia ? 'image/png' : 'text/html');
    res.end(isMedia ? Buffer.alloc(5000) : PAGE);
  });
  const upstream = `http://127.0.0.1:${await listen(t, site)}`;
  const { url, metrics } = await daemon(t, folder(t), {
    metrics: '127.0.0.1:0',
    log: { format: 'json' },
    sites: [
      { name: 'blog', hosts: ['127.0.0.1', 'old-media.example', '*.wild.example'], upstream },
    ],
  });
  const { settled } = await prometheus(t, Number(new URL(metrics).port));
  t.equal(await settled('up', 1), 1, 'it can be scraped');

  const sent = { requests: 0, bytes: 0, saved: 0 };
  const ask = async (path: string, agent: string) => {
    const response = await fetch(url + path, {
      headers: { 'user-agent': agent, accept: 'text/html', 'accept-encoding': 'identity' },
    });
    const { byteLength } = await response.arrayBuffer();
    sent.requests += 1;
    sent.bytes += byteLength;
    return byteLength;
  };
  const agents = [MASTODON, 'SummalyBot/5.4.0'];
  const worker = async (first: number) => {
    for (let i = first; i < 2000; i += 20) {
      const bytes = await ask(`/${i % PAGES}`, agents[i % 2] ?? '');
      sent.saved += PAGE.length - bytes;
    }
  };
  await Promise.all(Array.from({ length: 20 }, (_, first) => worker(first)));
  const previews = { ...sent };
  for (let i = 0; i < 7; i++) await ask('/', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/145.0');
  const { port } = new URL(url);
  const asHost = (host: string, agent: string) =>
    talk(
      Number(port),
      `GET /media/a.png HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${agent}\r\n\r\n`,
    );
  for (let i = 0; i < 3; i++) await asHost('old-media.example', 'Plume/0.7.2');
  for (let i = 0; i < 4; i++) await asHost(`a${i}.wild.example`, 'curl/8.5.0');
  await asHost('unknown.example', 'curl/8.5.0');

  const host = (name: string, sender: string) => `{host="${name}",sender="${sender}"}`;
  const expected: Record<string, number> = {
    'sum(headgate_previews_total)': 2000,
    'sum(headgate_previews_total{agent="summaly"})': 1000,
    'sum(headgate_previews_total{outcome="fill"})': PAGES,
    'sum(headgate_previews_total{outcome=~"hit|collapsed"})': 2000 - PAGES,
    'sum(headgate_preview_fills_total{outcome="page"})': PAGES,
    'headgate_preview_sent_bytes_total{site="blog"}': previews.bytes,
    'headgate_preview_saved_bytes_total{site="blog"}': sent.saved,
    'headgate_preview_waiters{site="blog"}': 0,
    'sum(headgate_http_requests_total{site="blog"})': sent.requests + 7,
    'sum(headgate_http_requests_total{status="4xx"})': 1,
    'headgate_http_response_size_bytes_sum{site="blog"}': sent.bytes + 7 * 5000,
    [`headgate_host_requests_total${host('127.0.0.1', 'fediverse')}`]: 2000,
    [`headgate_host_sent_bytes_total${host('127.0.0.1', 'fediverse')}`]: previews.bytes,
    [`headgate_host_requests_total${host('127.0.0.1', 'browser')}`]: 7,
    [`headgate_host_sent_bytes_total${host('127.0.0.1', 'browser')}`]: 7 * PAGE.length,
    [`headgate_host_requests_total${host('old-media.example', 'fediverse')}`]: 3,
    [`headgate_host_sent_bytes_total${host('old-media.example', 'fediverse')}`]: 15_000,
    [`headgate_host_requests_total${host('*.wild.example', 'other')}`]: 4,
    [`headgate_host_requests_total${host('other', 'other')}`]: 1,
    [`headgate_upstream_healthy{site="blog",upstream="${upstream}"}`]: 1,
    headgate_store_entries: PAGES,
    'sum(headgate_http_requests_in_flight)': 0,
    headgate_crashes_total: 0,
  };
  for (const [expression, value] of Object.entries(expected))
    t.equal(await settled(expression, value), value, expression);

  const text = await (await fetch(metrics)).text();
  const told = new Set(Array.from(text.matchAll(/^# TYPE (\S+)/gm), ([, name = '']) => name));
  const named = ['ops/alerts.yml', 'dashboards/headgate.json'].map((path) =>
    readFileSync(join(ROOT, path), 'utf8'),
  );
  for (const name of namedIn(named.join('\n'))) t.ok(told.has(name), name);
  // What prom-client itself names as Prometheus wouldn't.
  const ours = text.replace(/^.*nodejs_.*\n/gm, '');
  t.same(promtool(['check', 'metrics'], ours), { status: 0, said: '' });
});

t.test('100,000 hosts and agents leave the daemon’s metrics as long', async (t) => {
  const hosts = ['a.example', '*.b.example'];
  const config = await toConfig({ sites: [{ hosts, upstream: 'http://127.0.0.1:1' }] });
  const asked = audience(config, senders());
  const { finished, text } = counting(asked.of);
  const kinds = [MASTODON, 'Mozilla/5.0', 'curl/8', 'Discordbot/2.0'];
  const visit = async (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const noise = createHash('md5').update(`${i}`).digest('hex');
      const host = ['a.example', 'A.EXAMPLE:8', `${noise}.b.example`, `${noise}.c.example`][i % 4];
      const agent = `${kinds[(i >> 2) % 4]}${i % 3 === 0 ? noise : ''}`;
      const headers = { host: host ?? '', 'user-agent': agent };
      const request = aRequest({ site: 'a.example', url: `/${noise}`, headers });
      finished({ request, status: 200, bytesIn: 1, bytesOut: 1, ms: 1 });
    }
    const lines = (await text()).split('\n').filter((line) => line.startsWith('headgate_'));
    return lines.map((line) => line.replace(/ \S+$/, ''));
  };
  const before = await visit(0, 1_000);
  t.same(await visit(1_000, 100_000), before);
  const ofHosts = before.filter((series) => series.startsWith('headgate_host_requests_total{'));
  t.equal(ofHosts.length, 3 * 4, ofHosts.join());
  t.match(ofHosts.join(), '{host="*.b.example",sender="bot"}');

  asked.follow(await toConfig({ sites: [{ upstream: 'http://127.0.0.1:1' }] }));
  t.equal(asked.of(aRequest()).host, '*', 'the names of the next configuration');
});

t.test('an address is as healthy as its last answer, and a reload forgets it', async (t) => {
  const answers = ['HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno', 'nonsense'];
  const origin = await rawOrigin(t, (socket) => socket.end(answers.shift() ?? 'nonsense'));
  const config = await toConfig({ sites: [{ name: 'a', upstream: origin.url, middleware: [] }] });
  const opened = await gate(config);
  t.teardown(() => opened.close());
  const port = await listen(t, opened.server());
  const address = { site: 'a', url: origin.url };
  t.same(opened.upstreams(), [address], 'nobody has asked');
  await talk(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.same(opened.upstreams(), [{ ...address, isHealthy: true }], 'an error is an answer');
  await talk(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.same(opened.upstreams(), [{ ...address, isHealthy: false }]);
  await opened.reload(config);
  t.same(opened.upstreams(), [address]);
});
