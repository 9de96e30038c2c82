/** fedicache inside Express 4 and 5, Fastify and Hono, beside what applications use, over sockets. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { upstreamTo } from '@headgate/core/upstream';
import { fedicache } from '@headgate/middleware-fedicache/connect';
import { fedicache as forFetch } from '@headgate/middleware-fedicache/fetch';
import { getRequestListener } from '@hono/node-server';
import compression from 'compression';
import express from 'express';
import session from 'express-session';
import { Hono } from 'hono';
import t, { type Test } from 'tap';

const express4: typeof express = createRequire(import.meta.url)('express4');
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const PAGE = `<!doctype html><title>Ünïcödé</title><meta property="og:title" content="a"></head><body>${'<p>text'.repeat(1000)}`;

type Listener = (req: IncomingMessage, res: ServerResponse) => void;

async function listening(t: Test, listener: Listener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** Asks as Mastodon does, on a connection of its own. */
function asking(port: number, path = '/', headers: Record<string, string> = {}) {
  const all = { 'user-agent': MASTODON, accept: 'text/html', ...headers };
  const asked = request({ port, host: '127.0.0.1', path, headers: all, agent: false }).end();
  asked.on('error', () => {});
  return asked;
}
async function ask(...args: Parameters<typeof asking>) {
  const [res] = (await once(asking(...args), 'response')) as [IncomingMessage];
  const { statusCode: status, headers } = res;
  return { status, headers, text: await text(res) };
}

for (const [name, make] of [
  ['Express 5', express],
  ['Express 4', express4],
] as const) {
  t.test(`${name}: each mount has its own URLs`, async (t) => {
    const asked: string[] = [];
    const app = make();
    for (const mount of ['/blog', '/shop']) {
      app.use(mount, fedicache());
      app.get(`${mount}/${make === express ? '*page' : '*'}`, (req, res) => {
        asked.push(req.originalUrl);
        res.type('html').send(PAGE);
      });
    }
    const port = await listening(t, app as Listener);
    for (const path of ['/blog/a?utm_source=x&b=1', '/blog/a?b=1', '/shop/a?b=1'])
      t.equal((await ask(port, path)).headers.fedicache, 'Active');
    t.same(asked, ['/blog/a?b=1', '/shop/a?b=1']);
    t.equal((await ask(port, '/other')).status, 404);
  });

  t.test(`${name}: before and after compression, sessions and cookies`, async (t) => {
    const sessions = () => session({ secret: 'x', resave: false, saveUninitialized: true });
    for (const [place, layers] of [
      ['before', [fedicache(), compression({ threshold: 0 }), sessions()]],
      ['after', [compression({ threshold: 0 }), fedicache(), sessions()]],
    ] as const) {
      let asked = 0;
      const app = make();
      for (const layer of layers) app.use(layer as express.RequestHandler);
      app.get('/', (_req, res) => {
        asked += 1;
        res.cookie('own', '1').type('html').send(PAGE);
      });
      const port = await listening(t, app as Listener);
      for (const status of [/fwd=miss/, /; hit/]) {
        const plain = await ask(port);
        t.match(plain.headers['cache-status'], status, place);
        t.match(plain.text, /^<!doctype html>.*og:title/, place);
        t.equal(plain.headers['content-length'], String(Buffer.byteLength(plain.text)), place);
        t.equal(plain.headers['set-cookie'], undefined, `${place}: no session of anybody's`);
        t.equal(plain.headers.etag?.startsWith('"'), true, `${place}: our own ETag`);
      }
      const headers = { 'accept-encoding': 'gzip' };
      const coded = await fetch(`http://127.0.0.1:${port}/`, {
        headers: { 'user-agent': MASTODON, accept: 'text/html', ...headers },
      });
      t.equal(coded.headers.get('content-encoding'), 'gzip', place);
      t.match(await coded.text(), /^<!doctype html>.*og:title/, `${place}: compressed once`);
      const browser = await fetch(`http://127.0.0.1:${port}/`, { headers });
      t.equal(browser.headers.get('content-encoding'), 'gzip', `${place}: others have theirs`);
      t.equal(browser.headers.getSetCookie().length, 2, `${place}: and their cookies`);
      t.equal(await browser.text(), PAGE, place);
      t.equal(asked, 2, place);
    }
  });

  t.test(`${name}: a stale page is refreshed where there is no client`, async (t) => {
    let clock = 1e9;
    let version = 1;
    let port = 0;
    const background = (...args: Parameters<ReturnType<typeof upstreamTo>['handler']>) =>
      own.handler(...args);
    const app = make();
    app.use(fedicache({ ttl: 1000 }, { background, now: () => clock, random: () => 0.5 }));
    app.get('/', (_req, res) => void res.type('html').send(`<title>${version++}</title>`));
    port = await listening(t, app as Listener);
    const own = upstreamTo(`http://127.0.0.1:${port}`);
    t.teardown(() => own.close());
    t.match((await ask(port)).text, '<title>1</title>');
    clock += 1500;
    const stale = await ask(port);
    t.match(stale.text, '<title>1</title>');
    t.match(stale.headers['cache-status'], 'detail=stale');
    for (let i = 0; i < 100 && version < 3; i++) await sleep(10);
    await sleep(50);
    t.match((await ask(port)).text, '<title>2</title>');
    t.equal(version, 3);
  });

  t.test(`${name}: the first client leaves, the others get their page`, async (t) => {
    for (const [what, isMinding, count, ms, waitTimeout] of [
      ['a handler that goes on', false, 1, 300, 8_000],
      ['a slow handler that goes on', false, 1, 1_500, 8_000],
      ['a handler that gives up with its client', true, 2, 300, 2_000],
    ] as const) {
      let asked = 0;
      const app = make();
      app.use(fedicache({ waitTimeout }));
      app.get('/', (req, res) => {
        asked += 1;
        const work = setTimeout(() => res.type('html').send(PAGE), ms);
        if (isMinding) req.on('close', () => clearTimeout(work));
      });
      const port = await listening(t, app as Listener);
      const first = asking(port);
      for (let i = 0; i < 100 && asked === 0; i++) await sleep(10);
      const others = Promise.all(Array.from({ length: 5 }, () => ask(port)));
      await sleep(50);
      first.destroy();
      for (const other of await others) t.match(other, { status: 200, text: /og:title/ }, what);
      t.equal(asked, count, what);
    }
  });

  t.test(`${name}: an application that fails is asked once`, async (t) => {
    let asked = 0;
    const app = make();
    app.use(fedicache());
    app.use((_req, res) => {
      asked += 1;
      res.destroy();
    });
    const port = await listening(t, app as Listener);
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(port)));
    for (const answer of answers) t.match(answer, { status: 502, headers: { 'retry-after': '5' } });
    t.equal(asked, 1);
  });
}

t.test('Hono: fetched once for all, with the scheme that a trusted proxy tells', async (t) => {
  const seen: string[] = [];
  const previews = forFetch({}, { trusted: ['loopback'] });
  const app = new Hono();
  app.use(async (c, next) => {
    const answer = await previews(
      c.req.raw,
      async (request) => {
        c.req.raw = request;
        await next();
        const { res } = c;
        c.res = undefined;
        return res;
      },
      '127.0.0.1',
    );
    c.res = answer;
  });
  app.get('*', async (c) => {
    seen.push(`${c.req.header('x-forwarded-proto')} ${c.req.path}`);
    await sleep(50);
    return c.html(PAGE);
  });
  const port = await listening(t, getRequestListener(app.fetch) as Listener);
  const headers = { 'x-forwarded-proto': 'https' };
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, '/a', headers)));
  for (const answer of answers) t.match(answer, { status: 200, text: /og:title/ });
  t.equal((await ask(port, '/a')).headers.fedicache, 'Active');
  t.same(seen, ['https /a', 'http /a'], 'each scheme is its own page');
  t.equal(await previews.purge({ url: 'https://127.0.0.1:1/a' }), 0);
  t.equal(await previews.purge({ all: true }), 2);
});
