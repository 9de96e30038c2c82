/** The adapters inside real hosts, over real sockets. Also a file of this test. */
import { once } from 'node:events';
import * as http from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { PassThrough, pipeline, Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import * as core from '@headgate/core';
import { discard, EMPTY, type Middleware, readBody, withBody, withFields } from '@headgate/core';
import { type ConnectMiddleware as Layer, toConnect } from '@headgate/core/connect';
import { toFetch } from '@headgate/core/fetch';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import t, { type Test } from 'tap';
import { listen, until } from './wire.ts';

type Body = core.ProxyResponse['body'];
type App = (req: http.IncomingMessage, res: http.ServerResponse) => unknown;

const express4: typeof express = createRequire(import.meta.url)('express4');
const pass: Middleware = (request, next) => next(request);

/** Patches a response in the manner of compression and express-session: late fields, a late end. */
const patch: Layer = (_req, res, next) => {
  const { writeHead, write, end } = res;
  let isFirst = true;
  res.writeHead = (...args: unknown[]) => {
    if (isFirst) res.appendHeader('x-patched', '1');
    isFirst = false;
    return Reflect.apply(writeHead, res, args);
  };
  res.write = (...args: unknown[]) => {
    if (!Reflect.get(res, '_header')) Reflect.get(res, '_implicitHeader').call(res);
    return Reflect.apply(write, res, args);
  };
  res.end = (...args: unknown[]) => {
    setImmediate(() => Reflect.apply(end, res, args));
    return res;
  };
  next();
};

type Host = (earlier: Layer, ours: Layer, app: App) => http.Server | Promise<http.Server>;
const inExpress =
  (make: typeof express, ...around: Layer[]): Host =>
  (earlier, ours, app) => {
    const site = make().set('env', 'test');
    for (const layer of [earlier, ...around, ours, ...around]) site.use(layer);
    return http.createServer(site.use((req, res) => void app(req, res)));
  };
const CROWDED = 'Express 5 with patches and others of ours around';
const HOSTS: Readonly<Record<string, Host>> = {
  'Express 5': inExpress(express),
  [CROWDED]: inExpress(express, toConnect(pass), patch),
  'Express 4': inExpress(express4),
  'a plain chain': (...layers) =>
    http.createServer((req, res) => {
      const rest = [...layers];
      const next = (error?: unknown) => {
        if (error) res.writeHead(core.toHeadgateError(error).status).end();
        else rest.shift()?.(req, res, next);
      };
      next();
    }),
  'Fastify 5': async (earlier, ours, app) => {
    const site = fastify();
    for (const layer of [earlier, ours])
      site.addHook('onRequest', ({ raw }, reply, done) =>
        layer(raw, reply.raw, (error) => done(error as Error | undefined)),
      );
    site.all('/*', ({ raw }, reply) => void app(raw, reply.hijack().raw));
    await site.ready();
    return site.server;
  },
};

/** Asks once. */
async function ask(port: number, { body, ...options }: http.RequestOptions & { body?: string }) {
  const asked = http.request({ port, host: '127.0.0.1', ...options }).end(body);
  const [res] = (await once(asked, 'response')) as [http.IncomingMessage];
  const read = await text(res).catch((error: NodeJS.ErrnoException) => error.code);
  const { statusCode: status, statusMessage: reason, headers } = res;
  const framing = headers['content-length'] ?? headers['transfer-encoding'];
  return { headers, status, reason, body: read ?? '', summary: `${status} ${framing} ${read}` };
}

/** Asks, reads nothing, and gives the socket. */
function askInSilence(port: number, path = '/') {
  const socket = connect(port, '127.0.0.1').on('readable', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nConnection: close\r\nHost: x\r\n\r\n`);
  return socket;
}

/** Waits until `count` stands still. */
async function settled(count: () => number) {
  for (let before = -1; before !== count(); await sleep(70)) before = count();
  return count();
}

const EARLIER = { 'x-earlier': '1', vary: 'Origin', 'set-cookie': 'a' };
type Use = (middleware: Middleware, app: App) => Promise<number>;

/** Runs a test in every host, behind earlier middleware that sets fields and logs what went out. */
function inEvery(what: string, test: (t: Test, use: Use, log: unknown[]) => Promise<void>) {
  t.test(what, async (t) => {
    for (const [name, host] of Object.entries(HOSTS)) {
      await t.test(name, async (t) => {
        const log: unknown[] = [];
        const earlier: Layer = (_req, res, next) => {
          const note = () => log.push(res.headersSent && res.statusCode, res.getHeader('x-b'));
          res.once('finish', note).once('close', () => setImmediate(note));
          next(void res.setHeaders(new Headers(EARLIER)));
        };
        process.once('warning', t.fail);
        const use: Use = async (middleware, app) =>
          listen(t, await host(earlier, toConnect(middleware), app));
        await test(t, use, log);
        process.off('warning', t.fail);
      });
    }
  });
}

const hello: App = ({ url }, res) => {
  if (url === '/close') res.setHeader('connection', 'close');
  if (url === '/empty') return res.writeHead(204).end('none');
  res.setHeader('etag', '"x"').setHeader('content-length', 5).write('hel');
  return res.end('lo');
};
const small = () => Buffer.from('own');
const flows: Readable[] = [];
const flowing = () => {
  flows.unshift(Readable.from([Buffer.from('o'), Buffer.from('wn')]));
  return flows[0] ?? EMPTY;
};
const upper = () =>
  new Transform({ transform: (chunk, _, done) => done(null, `${chunk}`.toUpperCase()) });
const changing =
  (change: (response: core.ProxyResponse) => object): Middleware =>
  async (request, next) => {
    const response = await next(request);
    return { ...response, ...change(response) };
  };
const having = (changes: Partial<core.ProxyResponse>) => changing(() => changes);
const filled = (body: () => Body) => changing((r) => withBody(r, body()));
const piped = (body: Body, into: Transform) =>
  body instanceof Readable ? pipeline(body, into, () => {}) : body;
const through = (make: () => Transform) => changing((r) => withBody(r, piped(r.body, make())));
const passing = () => new PassThrough();
const tagging = changing(({ status, headers, body }) => {
  const kind = body === EMPTY ? 'none' : body instanceof Readable ? 'stream' : 'buffer';
  return { headers: withFields(headers, { 'x-saw': `${status}`, 'x-kind': kind }) };
});
const answering = (status: number, body: Body, fields = {}) => {
  return { status, headers: withFields({}, fields), body };
};
const own =
  (status: number, body: () => Body, fields = {}): Middleware =>
  async () =>
    answering(status, body(), { 'set-cookie': ['b', 'c'], vary: 'Accept', ...fields });
const dropping: Middleware = async (request, next) => {
  discard((await next(request)).body);
  return answering(200, small());
};
const said = ({ message }: Error) => answering(200, Buffer.from(message));
const saying = (message: string) => `200 ${message.length} ${message}`;
const busy = () => Promise.reject(new core.HeadgateError('OVERLOADED', 'secret'));

const ONCE = 'next runs once an exchange inside another application';
const SAME_BODY = "the request's body can't be replaced inside another application";
const IN_FORM = 'the target must be in origin-form, got "*"';
const BROKEN = '502 16 502 Bad Gateway\n';
const BUSY = '503 24 503 Service Unavailable\n';
const KEPT = { ...EARLIER, vary: 'Origin, Accept', 'set-cookie': ['a', 'b', 'c'] };
const GIVEN = { ...EARLIER, 'set-cookie': ['a'], etag: '"x"' };
const WEAK = { ...GIVEN, etag: 'W/"x"' };
const NO_TYPE = { 'content-type': undefined };
const HEAD = { method: 'HEAD' };
const POST = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };

/** What comes of a middleware: the status, the length or coding, the body; and some fields. */
const ROWS: readonly [string, Middleware, comes: string, fields?: object, asked?: object][] = [
  ['an own buffer', own(200, small), '200 3 own', KEPT],
  ['an own stream', own(200, flowing), '200 chunked own', KEPT],
  ['an own stream that tells', own(200, flowing, { 'content-length': '3' }), '200 3 own', KEPT],
  ['an own stream that lies', own(200, flowing, { 'content-length': '9' }), '200 9 ECONNRESET'],
  ['an own redirect', own(302, () => EMPTY, { location: '/x' }), '302 0 ', NO_TYPE],
  ['an own buffer for HEAD', own(200, small), '200 3 ', KEPT, HEAD],
  ['an own stream for HEAD', own(200, flowing), '200 undefined ', KEPT, HEAD],
  ['an own 304', own(304, () => EMPTY, { etag: '"x"' }), '304 undefined ', { etag: '"x"' }],
  ['an own 204', own(204, small), '204 undefined ', KEPT],
  ['no change', pass, '200 5 hello', GIVEN],
  ['no body of HEAD', tagging, '200 5 ', { ...GIVEN, 'x-kind': 'none' }, HEAD],
  ['no body of 204', tagging, '204 undefined ', { 'x-kind': 'none' }, { path: '/empty' }],
  ['the last on a connection', pass, '200 5 hello', { connection: 'close' }, { path: '/close' }],
  ['another body', filled(small), '200 3 own', WEAK],
  ['another body for HEAD', filled(small), '200 3 ', WEAK, HEAD],
  ['a body through a transform', through(upper), '200 chunked HELLO', WEAK],
  ['turned into 204', having({ status: 204 }), '204 undefined ', GIVEN],
  ['turned into 304', having({ status: 304 }), '304 5 ', GIVEN],
  ['dropped', dropping, '200 3 own', { etag: undefined, 'x-earlier': undefined }],
  ['no status', having({ status: 42 }), BROKEN, { vary: 'Origin' }],
  ['no field', having({ headers: { x: 'a\nb' } }), BROKEN, { vary: 'Origin' }],
  ['a failure', (r, n) => n(r).then(busy), BUSY, { vary: 'Origin' }],
  ['a failure meanwhile', (r, n) => Promise.all([n(r), busy()]).then(([first]) => first), BUSY],
  ['asked as HEAD', (r, n) => filled(small)({ ...r, method: 'HEAD' }, n), '200 3 own'],
  ['asked without body', (r, n) => n({ ...r, body: EMPTY }), '200 5 hello'],
  ['asked twice', (r, n) => n(r).then(() => n(r).catch(said)), saying(ONCE)],
  ['asked with a body', (r, n) => n({ ...r, body: small() }).catch(said), saying(SAME_BODY)],
  ['asked for nothing', (r, n) => n({ ...r, url: '*' }).catch(said), saying(IN_FORM)],
  [
    'asked after reading',
    (r, n) => text(r.body as Readable).then(() => n(r).catch(said)),
    saying(SAME_BODY),
    {},
    POST,
  ],
];

inEvery('what the middleware returns is what goes out', async (t, use) => {
  let middleware = pass;
  const port = await use((request, next) => middleware(request, next), hello);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const [why, given, comes, fields = {}, asked] of ROWS) {
    middleware = given;
    const { summary, headers } = await ask(port, { agent, ...asked });
    t.equal(summary, comes, why);
    for (const [name, value] of Object.entries(fields))
      t.same(headers[name], value, `${why}: ${name}`);
  }
  agent.destroy();
});

inEvery('what fails before the application is asked is for the host', async (t, use) => {
  const port = await use(
    async ({ url }) => (url === '/42' ? answering(42, flowing()) : busy()),
    hello,
  );
  for (const [path, status] of Object.entries({ '/': 503, '/42': 502, '/a\\b': 400 }))
    t.equal((await ask(port, { path })).status, status, path);
  t.ok(flows.length > 4 && flows.every(({ destroyed }) => destroyed), 'no stream is left open');
});

const C = ['a=1', 'b=1'];
const PAIRS = Object.entries({ 'X-B': 2, 'Set-Cookie': C });
const OBJECT = Object.fromEntries(PAIRS);
/** Those named for a kind of body are whole answers, the others set fields. */
const WAYS: Readonly<Record<string, (res: http.ServerResponse) => unknown>> = {
  'buffer: end(text)': (res) => res.end('hello'),
  'buffer: end(text, encoding)': (res) => res.end('68656c6c6f', 'hex'),
  'buffer: end(bytes)': (res) => res.end(new Uint8Array(Buffer.from('-hello')).subarray(1)),
  'buffer: end(text, null, null)': (res) => res.end('hello', null as never, null as never),
  'buffer: end, twice': (res) => res.end('hello').end('again'),
  'buffer: writeHead, end': (res) => res.writeHead(200).end('hello'),
  'buffer: flushHeaders, end': (res) => [res.flushHeaders(), res.end('hello')],
  'stream: write, end': (res) => res.write('he') && res.end('llo').end('again'),
  'stream: write(callback)': (res) => res.write('he', () => res.end('llo')),
  'stream: write(encoding, callback)': (res) => res.write('6865', 'hex', () => res.end('llo')),
  'stream: writeHead, end later': (res) => [
    res.writeHead(200),
    sleep(5).then(() => res.end('hello')),
  ],
  'stream: pipe': (res) => Readable.from(['he', 'llo']).pipe(res),
  'stream: pipeline': (res) => pipeline(Readable.from(['he', 'llo']), res, () => {}),
  setHeader: (res) => PAIRS.map(([name, value]) => res.setHeader(name, value)),
  appendHeader: (res) =>
    res.setHeader('X-B', '2').setHeader('Set-Cookie', 'a=1').appendHeader('Set-Cookie', 'b=1'),
  setHeaders: (res) => res.setHeaders(new Map(PAIRS as never)),
  'writeHead(object)': (res) => res.writeHead(200, OBJECT),
  'writeHead(list)': (res) => res.writeHead(200, PAIRS.flat() as never),
  'writeHead(pairs)': (res) => res.writeHead(200, PAIRS as never),
  'writeHead(reason, object)': (res) => res.writeHead(200, 'Fine', OBJECT),
  'writeHead(, object)': (res) => res.writeHead(200, undefined, OBJECT),
};

inEvery('whatever way the application writes in, it is heard', async (t, use, log) => {
  let way = '';
  const look = changing((response) => ({ ...response, status: 201 }));
  const both: Middleware = (request, next) => look(request, (asked) => tagging(asked, next));
  const port = await use(both, (_req, res) => {
    res.statusMessage = 'Fine';
    WAYS[way]?.(res);
    if (!way.includes(':')) res.end('hello');
    else if (way.startsWith('buffer') && t.name !== CROWDED)
      t.ok(res.headersSent && res.writableEnded, `${way}: it has begun and ended`);
  });
  for (way of Object.keys(WAYS)) {
    const { summary, reason, headers } = await ask(port, {});
    t.match(`${summary} ${reason}`, /^201 \w+ hello Created$/, way);
    if (!way.includes(':')) t.same([headers['x-b'], headers['set-cookie']], ['2', C], way);
    else if (t.name !== CROWDED) t.equal(headers['x-kind'], way.split(':')[0], way);
    if (t.name === CROWDED) t.equal(headers['x-patched'], '1, 1', way);
  }
  const logged = () => log.filter((status) => status === 201).length;
  await until(() => logged() === 2 * Object.keys(WAYS).length);
  t.equal(logged(), 2 * Object.keys(WAYS).length, 'logs say so, once each');
});

inEvery('the head goes out before the body', async (t, use) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const port = await use(pass, (_req, res) => {
    res.flushHeaders();
    promise.then(() => res.end('late'));
  });
  const asked = http.get({ port, host: '127.0.0.1' });
  const [res] = await once(asked, 'response', { signal: AbortSignal.timeout(2_000) });
  resolve();
  t.equal(await text(res), 'late');
});

inEvery('a slow client slows the application down', async (t, use) => {
  const CHUNK = Buffer.alloc(65_536);
  const ALL = 400;
  const run = async (
    middleware: Middleware,
    write: (res: http.ServerResponse, chunks: Iterable<Buffer>) => unknown,
  ) => {
    let taken = 0;
    function* chunks() {
      for (; taken < ALL; taken++) yield CHUNK;
    }
    const port = await use(middleware, (_req, res) => write(res, chunks()));
    const socket = askInSilence(port);
    await settled(() => taken);
    t.ok(taken > 0 && taken < ALL / 2, `${taken} of ${ALL} are taken while nobody reads`);
    let bytes = 0;
    for await (const chunk of socket) bytes += chunk.length;
    t.ok(bytes > ALL * CHUNK.length, 'all comes in the end');
  };
  await Promise.all([
    run(through(passing), (res, chunks) => Readable.from(chunks).pipe(res)),
    run(pass, (res, chunks) => pipeline(Readable.from(chunks), res, () => {})),
    run(pass, async (res, chunks) => {
      for (const chunk of chunks) {
        if (res.write(chunk)) continue;
        t.ok(res.writableNeedDrain);
        await once(res, 'drain');
      }
      res.end();
    }),
  ]);
});

const FORWARDED = { 'x-forwarded-host': 'h', 'x-forwarded-proto': 'https' };
const CLIENT = {
  'x-forwarded-for': '192.0.2.9',
  'x-real-ip': '192.0.2.9',
  forwarded: 'for=192.0.2.9;host="h";proto=https',
};
const PROXIED = { 'x-forwarded-for': '192.0.2.9', 'x-forwarded-proto': 'https' };
const CLAIMS = { host: 'h', 'x-a': '1', cookie: 'a=1', 'x-original-url': '/', ...PROXIED };

inEvery('the application sees the request that the middleware passes on', async (t, use) => {
  const scheme = 'https';
  const port = await use(
    (request, next) => {
      if (request.url === '/nobody') return next({ ...request, client: '', scheme });
      const fields = { cookie: undefined, 'x-a': undefined, accept: ['a', 'b'] };
      const headers = withFields(request.headers, fields);
      return next({ ...request, method: 'GET', url: '/b?c', headers, client: '192.0.2.9', scheme });
    },
    ({ method, url, headers, rawHeaders, headersDistinct }, res) =>
      res.end(JSON.stringify({ method, url, headers, rawHeaders, headersDistinct })),
  );
  const asked = await ask(port, { method: 'DELETE', path: '/a', headers: CLAIMS });
  const { method, url, headers, rawHeaders, headersDistinct } = JSON.parse(asked.body);
  t.same([method, url, headersDistinct.accept], ['GET', '/b?c', ['a', 'b']]);
  t.same(headers, { host: 'h', accept: 'a, b', ...FORWARDED, ...CLIENT });
  t.same([Object.keys(headersDistinct).length, rawHeaders.length], [7, 16]);
  const nobody = JSON.parse((await ask(port, { path: '/nobody', headers: CLAIMS })).body);
  t.same(nobody.headers, { host: 'h', cookie: 'a=1', 'x-a': '1', ...FORWARDED });
});

inEvery('a client that leaves is noticed, and whoever still waits is served', async (t, use) => {
  const BIG = Buffer.alloc(1 << 20);
  const seen: unknown[] = [];
  const unread = new Readable({ read() {} });
  /** Waits for the whole answer, with or without the client. */
  const filling: Middleware = async (request, next) => {
    if (request.url === '/events') return next(request);
    const filled = next(request).then(({ body }) => readBody(body, 1 << 30));
    filled.then(
      ({ length }) => seen.push(length),
      ({ code }) => seen.push(code),
    );
    if (request.url === '/silent') await sleep(60);
    const signal = request.signal();
    if (request.url === '/silent') seen.push(signal.aborted);
    else await once(signal, 'abort');
    if (request.url === '/pipe') return answering(200, unread);
    throw signal.reason;
  };
  const port = await use(filling, async ({ url }, res) => {
    res.once('close', () => seen.push(url));
    if (url === '/pipe') new Readable({ read() {} }).pipe(res).write('begun');
    async function* events() {
      for (;;) yield sleep(1, 'event');
    }
    if (url === '/events') pipeline(events, res, (error) => seen.push(error?.code));
    if (url !== '/on') return;
    for (let i = 0; i < 16; i++) if (!res.write(BIG)) await once(res, 'drain');
    setTimeout(() => res.end(), 5);
  });
  for (const path of ['/silent', '/pipe', '/events', '/on']) {
    const socket = askInSilence(port, path);
    await sleep(30);
    socket.destroy();
  }
  await until(() => seen.length >= 8);
  const ends = [true, 'CLIENT_GONE', 'ERR_STREAM_PREMATURE_CLOSE', 16 << 20];
  t.same(new Set(seen), new Set(['/silent', '/pipe', '/events', '/on', ...ends]));
  t.ok(unread.destroyed, 'what comes too late is dropped');
});

inEvery('an application that gives up breaks off what it gave', async (t, use) => {
  const whys: unknown[] = [];
  const looking: Middleware = async (request, next) => {
    const asked = next(request);
    if (request.url === '/unwaited') return answering(200, small());
    const { body } = await asked;
    await readBody(body, 99).catch(({ code }) => whys.push(code));
    return answering(200, small());
  };
  const port = await use(looking, (req, res) => {
    if (/destroy|socket/.test(req.url ?? '')) res.write('begun');
    setTimeout(() => (req.url === '/socket' ? req.socket : res).destroy(), 10);
  });
  t.equal((await ask(port, { path: '/at-once' })).summary, '502 16 502 Bad Gateway\n');
  t.equal((await ask(port, { path: '/unwaited' })).summary, '200 3 own');
  t.equal((await ask(port, { path: '/destroy' })).summary, '200 3 own');
  await t.rejects(ask(port, { path: '/socket' }), { code: 'ECONNRESET' });
  await until(() => whys.length === 2);
  t.same(whys, ['UPSTREAM_BROKEN', 'UPSTREAM_BROKEN']);
});

inEvery('an application whose answer is dropped runs to its end', async (t, use) => {
  function* chunks() {
    for (let i = 0; i < 64; i++) yield Buffer.alloc(65_536);
  }
  let ended = 0;
  const done = () => {
    ended += 1;
  };
  const port = await use(dropping, async ({ url }, res) => {
    if (url === '/pipeline') return pipeline(Readable.from(chunks()), res, done);
    if (url === '/pipe') return Readable.from(chunks()).once('end', done).pipe(res);
    for (const chunk of chunks()) {
      if (url === '/callback') await new Promise<unknown>((next) => res.write(chunk, next));
      else if (!res.write(chunk)) await once(res, 'drain');
    }
    return res.end(done);
  });
  for (const path of ['/pipeline', '/pipe', '/drain', '/callback'])
    for (const method of ['GET', 'HEAD']) await ask(port, { method, path });
  await until(() => ended === 8);
  t.equal(ended, 8);
});

inEvery('an answer too late for the client comes whole to who still waits', async (t, use, log) => {
  let heard = Promise.reject<core.ProxyResponse>();
  heard.catch(() => {});
  let signal: AbortSignal | undefined;
  const port = await use(
    async (request, next) => {
      signal = request.signal();
      heard = request.url === '/now' ? next(request) : sleep(20).then(() => next(request));
      return answering(503, Buffer.from('stale'), { 'x-b': 'stale' });
    },
    async (_req, res) => {
      await sleep(20);
      await new Promise<void>((done) => res.writeEarlyHints({ link: '</a>; rel=preload' }, done));
      if (!res.headersSent && !res.hasHeader('x-b')) res.setHeader('x-b', 'late').end('late');
    },
  );
  const agent = new http.Agent({ keepAlive: true });
  for (const _ of [1, 2]) {
    t.equal((await ask(port, { agent, path: '/now' })).summary, '503 5 stale');
    const { status, headers, body } = await heard;
    t.same([status, headers['x-b'], `${await readBody(body, 9)}`], [200, 'late', 'late']);
  }
  t.same(log.slice(0, 2), [503, 'stale'], 'a log has what went out');
  t.notOk(signal?.aborted);
  await ask(port, { agent });
  await t.rejects(heard, /after the answer/, 'but it has to be asked before');
  agent.destroy();
});

/** Sends a request on to `x-to`, if there is one, and without its cookies. */
const steering: Middleware = async (request, next) => {
  const url = core.field(request.headers, 'x-to');
  const headers = withFields(request.headers, { 'x-to': undefined, cookie: undefined });
  return next(url === undefined ? request : { ...request, url, headers });
};
const TRUSTED = { trusted: ['loopback'] };
const teapot = () => {
  throw Object.assign(new Error('teapot'), { status: 418, statusCode: 418 });
};

const withExpress = (make: typeof express) => {
  const site = make().set('env', 'test').use(toConnect(tagging, TRUSTED));
  site.use((req, _res, next) => {
    req.url = req.url.replace(/^\/odd/, '/even/x');
    next();
  });
  site.use(['/base', '/post', '/even'], toConnect(steering, TRUSTED));
  site.get('/json', (_req, res) => void res.json({ a: 1 }));
  site.get('/stream', (_req, res) => void Readable.from(['a', 'b']).pipe(res));
  site.get('/file', (_req, res) => res.sendFile(import.meta.filename));
  site.get('/bad', (_req, res) => void res.writeHead(42).end());
  site.get('/throw', teapot);
  site.post('/post', make.json(), (req, res) => void res.json(req.body));
  site.use(['/base', '/even'], ({ url, originalUrl, query, headers }, res) => {
    res.end([url, originalUrl, Object.keys(query), headers['x-forwarded-for']].join());
  });
  return http.createServer(site);
};
const withFastify = async () => {
  const [steered, tagged] = [toConnect(steering, TRUSTED), toConnect(tagging)];
  const serverFactory = (handler: http.RequestListener) =>
    http.createServer((req, res) => steered(req, res, () => handler(req, res)));
  const site = fastify({ serverFactory });
  site.addHook('onRequest', ({ raw }, reply, done) => tagged(raw, reply.raw, () => done()));
  site.get('/json', async () => ({ a: 1 }));
  site.get('/stream', async () => Readable.from(['a', 'b']));
  site.get('/throw', teapot);
  site.post('/post', async ({ body }) => body);
  site.get('/base/y', async ({ url, query, headers }) =>
    ['/y?b', url, Object.keys(query as object), headers['x-forwarded-for']].join(),
  );
  await site.ready();
  return site.server;
};

const to = (url: string, fields = {}) => {
  return { headers: { ...CLAIMS, ...POST.headers, 'x-to': url, ...fields } };
};
const OWN_WAYS: Readonly<Record<string, readonly [asked: object, comes: RegExp]>> = {
  '/json': [{}, /^200 7 {"a":1}$/],
  '/json?': [HEAD, /^200 7 $/],
  '/stream': [{}, /^200 chunked ab$/],
  '/throw': [{}, /^418 /],
  '/none': [{}, /^404 /],
  '/post': [{ ...POST, ...to('/post') }, /^200 2 {}$/],
  '/post?': [{ ...POST, ...to('/post', { 'transfer-encoding': 'chunked' }) }, /^200 2 {}$/],
  '/base/x?a': [to('/base/y?b'), /^200 \d+ \/y\?b,\/base\/y\?b,b,192.0.2.9$/],
};
const EXPRESS_WAYS: typeof OWN_WAYS = {
  ...OWN_WAYS,
  '/json??': [{ headers: { 'if-none-match': '*' } }, /^304 undefined $/],
  '/file': [{}, /^200 \d+ [\s\S]*a file of this test[\s\S]*$/],
  '/bad': [{}, /^500 /],
  '/base?a': [to('/base?b'), /^200 \d+ \/\?b,\/base\?b,b,192.0.2.9$/],
  '/base/a': [to('/base?b'), /^200 \d+ \/\?b,\/base\?b,b,192.0.2.9$/],
  '/base/b': [to('/basement'), /^500 [\s\S]*must stay at \/base/],
  '/base?c': [to('/base/y'), /^500 [\s\S]*must stay at \/base/],
  '/odd?a': [to('/odd?b'), /^200 \d+ \/x\?b,\/odd\?b,b,192.0.2.9$/],
  '/odd': [to('/even'), /^500 [\s\S]*that was changed before/],
};

for (const [name, make, ways] of [
  ['Express 5', () => withExpress(express), EXPRESS_WAYS],
  ['Express 4', () => withExpress(express4), EXPRESS_WAYS],
  ['Fastify 5', withFastify, OWN_WAYS],
] as const) {
  t.test(`${name} goes its own ways`, async (t) => {
    const port = await listen(t, await make());
    for (const [path, [asked, comes]] of Object.entries(ways)) {
      const { summary, status, headers } = await ask(port, { path, ...asked });
      t.match(summary, comes, path);
      t.equal(headers['x-saw'], String(status), path);
    }
  });
}

const failed = (error: Error) => {
  const { status } = core.toHeadgateError(error);
  return new Response(`${status} ${http.STATUS_CODES[status]}\n`, { status });
};
const flow = {
  pulled: 0,
  isCancelled: false,
  pull(controller: ReadableStreamDefaultController) {
    flow.pulled += 1;
    controller.enqueue(Buffer.alloc(65_536));
  },
  cancel() {
    flow.isCancelled = true;
  },
};
const HELLO = { etag: '"x"', 'content-length': '5', 'set-cookie': ['a', 'b'] };
const hono = () =>
  new Hono()
    .get('/seen', (c) => c.json([c.req.url, Object.fromEntries(c.req.raw.headers)]))
    .post('/json', async (c) => c.json(await c.req.json()))
    .get('/flow', () => new Response(new ReadableStream(flow)))
    .get('/empty', (c) => c.body(null, 204))
    .all('*', (c) => c.body('hello', 200, HELLO))
    .onError(failed);

type Fetch = (
  request: Request,
  env: { incoming: http.IncomingMessage },
) => Response | Promise<Response>;
const FETCH_HOSTS: Readonly<Record<string, (middleware: Middleware) => Fetch>> = {
  'around Hono': (middleware) => {
    const [app, ours] = [hono(), toFetch(middleware, TRUSTED)];
    return (request, { incoming: { socket } }) =>
      ours(request, async (asked) => app.fetch(asked), socket.remoteAddress).catch(failed);
  },
  'inside of Hono': (middleware) => {
    const ours = toFetch(middleware, TRUSTED);
    const app = new Hono().onError(failed).use(async (c, next) => {
      const ask = async (asked: Request) => {
        c.req.raw = asked;
        await next();
        const { res } = c;
        c.res = undefined;
        return res;
      };
      c.res = await ours(c.req.raw, ask, '::ffff:127.0.0.1');
    });
    return app.route('/', hono()).fetch;
  },
};

for (const [name, make] of Object.entries(FETCH_HOSTS)) {
  t.test(`${name}, it is the same`, async (t) => {
    t.capture(console, 'error'); // the host tells what broke off
    let middleware = pass;
    const fetch = make((request, next) => middleware(request, next));
    const port = await listen(t, http.createServer(getRequestListener(fetch as never)));
    for (const [why, given, comes, fields = {}, asked] of ROWS) {
      middleware = given;
      const { summary, headers } = await ask(port, { ...asked });
      t.equal(summary, comes.replace('chunked', headers['content-length'] ?? 'chunked'), why);
      for (const [field, value] of Object.entries(fields))
        if (/^(etag|x-kind|content-type)$/.test(field)) t.same(headers[field], value, why);
    }
    middleware = own(42, flowing);
    t.equal((await ask(port, {})).summary, BROKEN);
    t.ok(
      flows.every(({ destroyed }) => destroyed),
      'no stream is left open',
    );

    middleware = having({ status: 201 });
    t.same((await ask(port, {})).headers['set-cookie'], ['a', 'b'], 'two stay two');

    middleware = steering;
    t.match((await ask(port, { ...POST, ...to('/json'), path: '/json' })).summary, /^200 2 {}$/);
    const [url, seen] = JSON.parse((await ask(port, { path: '/seen?a', ...to('/seen?b') })).body);
    t.equal(url, 'http://h/seen?b');
    t.same(seen, { host: 'h', ...POST.headers, 'x-a': '1', ...FORWARDED, ...CLIENT });

    middleware = through(passing);
    Object.assign(flow, { pulled: 0, isCancelled: false });
    const socket = askInSilence(port, '/flow');
    await settled(() => flow.pulled);
    t.ok(flow.pulled > 0 && flow.pulled < 200, `${flow.pulled} are pulled while nobody reads`);
    socket.destroy();
    await until(() => flow.isCancelled);
    t.ok(flow.isCancelled, 'and it is told when the client leaves');
  });
}
