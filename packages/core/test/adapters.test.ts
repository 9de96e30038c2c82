/** The adapters inside real hosts, over real sockets. */
import { once } from 'node:events';
import * as http from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { PassThrough, pipeline, Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  discard,
  EMPTY,
  HeadgateError,
  type Middleware,
  type ProxyResponse,
  readBody,
  withBody,
  withFields,
} from '@headgate/core';
import { type ConnectMiddleware as Layer, toConnect } from '@headgate/core/connect';
import { toFetch } from '@headgate/core/fetch';
import { type ServerType, serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import t, { type Test } from 'tap';
import { listen, talk, until } from './wire.ts';

type App = (req: http.IncomingMessage, res: http.ServerResponse) => unknown;
type Host = (layers: readonly Layer[], app: App) => http.Server | Promise<http.Server>;

const express4: typeof express = createRequire(import.meta.url)('express4');
const pass: Middleware = (request, next) => next(request);

/** Patches a response in the manner of on-headers and express-session: late fields, a late end. */
const patch: Layer = (_req, res, next) => {
  const { writeHead, write, end } = res;
  let isFirst = true;
  res.writeHead = (...args: unknown[]) => {
    if (isFirst) res.appendHeader('x-patched', '1');
    isFirst = false;
    return Reflect.apply(writeHead, res, args);
  };
  res.write = (...args: unknown[]) => Reflect.apply(write, res, args);
  res.end = (...args: unknown[]) => {
    if (!res.headersSent) res.writeHead(res.statusCode);
    setImmediate(() => Reflect.apply(end, res, args));
    return res;
  };
  next();
};

const inExpress =
  (make: typeof express, around: readonly Layer[] = []): Host =>
  (layers, app) => {
    const site = make().set('env', 'test');
    for (const layer of [...around, ...layers, ...around, app]) site.use(layer as Layer);
    return http.createServer(site);
  };

const HOSTS: Readonly<Record<string, Host>> = {
  'Express 5': inExpress(express),
  'Express 5, with others of ours around': inExpress(express, [toConnect(pass)]),
  'Express 5, with a patched response': inExpress(express, [patch]),
  'Express 4': inExpress(express4),
  'a plain chain': (layers, app) =>
    http.createServer((req, res) => {
      const rest = [...layers, app];
      const next = (error?: unknown) => {
        if (!error) return void rest.shift()?.(req, res, next);
        res.statusCode = error instanceof HeadgateError ? error.status : 500;
        res.end(`${error}`);
      };
      next();
    }),
  'Fastify 5': async (layers, app) => {
    const site = fastify();
    for (const layer of layers)
      site.addHook('onRequest', ({ raw }, reply, done) =>
        layer(raw, reply.raw, (error) => done(error as Error | undefined)),
      );
    site.all('/*', ({ raw }, reply) => void app(raw, reply.hijack().raw));
    await site.ready();
    return site.server;
  },
};

const isNested = (t: Test) => t.name.includes('others of ours');

type Serve = (middleware: Middleware, app: App, earlier?: Layer) => Promise<number>;

/** Runs a test in every host. */
function inEvery(name: string, test: (t: Test, serve: Serve) => Promise<void>) {
  t.test(name, async (t) => {
    for (const [name, host] of Object.entries(HOSTS)) {
      await t.test(name, (t) =>
        test(t, async (middleware, app, earlier = (_req, _res, next) => next()) =>
          listen(t, await host([earlier, toConnect(middleware)], app)),
        ),
      );
    }
  });
}

interface Asked extends http.RequestOptions {
  readonly body?: string;
}

/** Asks once, on a connection of its own. */
async function ask(port: number, { body, ...options }: Asked = {}) {
  const asked = http.request({ port, host: '127.0.0.1', agent: false, ...options });
  asked.end(body);
  const [res] = (await once(asked, 'response')) as [http.IncomingMessage];
  const { statusCode: status, statusMessage: reason, headers } = res;
  const read = await text(res).catch((error: NodeJS.ErrnoException) => error.code);
  return { status, reason, headers, body: read, length: headers['content-length'] };
}

const changing =
  (change: (response: ProxyResponse) => ProxyResponse): Middleware =>
  async (request, next) =>
    change(await next(request));
const answering = (status: number, body: ProxyResponse['body'], headers = {}) => ({
  status,
  headers: withFields({}, headers),
  body,
});

inEvery('an answer of its own keeps what earlier middleware has set', async (t, serve) => {
  const stream = () => Readable.from([Buffer.from('o'), Buffer.from('wn')]);
  const own = { 'set-cookie': ['b=1', 'c=1'], vary: 'Accept' };
  const LENGTH = { 'content-length': '3' };
  const rows: [
    string,
    method: string,
    () => ProxyResponse,
    length?: string | undefined,
    body?: string,
  ][] = [
    ['a buffer', 'GET', () => answering(200, Buffer.from('own'), own), '3', 'own'],
    ['a stream', 'GET', () => answering(200, stream(), own), undefined, 'own'],
    ['a length', 'GET', () => answering(200, stream(), { ...own, ...LENGTH }), '3', 'own'],
    ['a redirect', 'GET', () => answering(302, EMPTY, { ...own, location: '/' }), '0'],
    ['HEAD', 'HEAD', () => answering(200, Buffer.from('own'), own), '3'],
    ['HEAD of a stream', 'HEAD', () => answering(200, stream(), own)],
    ['304', 'GET', () => answering(304, EMPTY, { ...own, ...LENGTH }), '3'],
    ['204', 'GET', () => answering(204, EMPTY, own)],
  ];
  let answer = rows[0]?.[2];
  const earlier: Layer = (_req, res, next) => {
    res.setHeader('x-earlier', '1').setHeader('set-cookie', 'a=1').setHeader('vary', 'Origin');
    next();
  };
  const port = await serve(
    async () => answer?.() ?? Promise.reject(),
    () => t.fail('the application is not asked'),
    earlier,
  );
  for (const [why, method, response, length, body = ''] of rows) {
    answer = response;
    const got = await ask(port, { method });
    t.same([got.status, got.length, got.body], [response().status, length, body], why);
    t.match(got.headers, { 'x-earlier': '1', vary: 'Origin, Accept' }, why);
    t.same(got.headers['set-cookie'], ['a=1', 'b=1', 'c=1'], why);
  }
});

type Write = (res: http.ServerResponse) => unknown;
const IN_ONE_GO: Readonly<Record<string, Write>> = {
  'end(text)': (res) => res.end('hello'),
  'end(text, encoding)': (res) => res.end('68656c6c6f', 'hex'),
  'end(bytes)': (res) => res.end(new Uint8Array(Buffer.from('-hello')).subarray(1)),
  'end(text, null, null)': (res) => res.end('hello', null as never, null as never),
  'writeHead, end': (res) => res.writeHead(200).end('hello'),
  'flushHeaders, end': (res) => [res.flushHeaders(), res.end('hello')],
};
const IN_PIECES: Readonly<Record<string, Write>> = {
  'write, end': (res) => res.write('he') && res.end('llo'),
  'write(callback)': (res) => res.write('he', () => res.end('llo')),
  'write(encoding, callback)': (res) => res.write('6865', 'hex', () => res.end('llo')),
  'writeHead, end later': (res) => sleep(5, res.writeHead(200)).then(() => res.end('hello')),
  pipe: (res) => Readable.from(['he', 'llo']).pipe(res),
  pipeline: (res) => pipeline(Readable.from(['he', 'llo']), res, () => {}),
};

inEvery('whatever way the application writes in, it is heard', async (t, serve) => {
  let write: Write | undefined;
  let isStream = false;
  let finished = 0;
  const look = changing((response) => {
    isStream = response.body instanceof Readable;
    return { ...response, status: 201 };
  });
  const port = await serve(look, (_req, res) => {
    res.on('finish', () => {
      finished += 1;
    });
    write?.(res);
  });
  for (const [way, written] of Object.entries({ ...IN_ONE_GO, ...IN_PIECES })) {
    write = written;
    const { status, body } = await ask(port);
    t.same([status, body], [201, 'hello'], way);
    if (!t.name.includes('patched')) t.equal(isStream, way in IN_PIECES, `${way}: kind of body`);
  }
  t.equal(finished, 12, 'finish fires once');
});

const C = ['a=1', 'b=1'];
const FIELDS: Readonly<Record<string, Write>> = {
  setHeader: (res) => res.setHeader('X-B', 2).setHeader('Set-Cookie', C),
  appendHeader: (res) => C.map((c) => res.setHeader('X-B', '2').appendHeader('Set-Cookie', c)),
  setHeaders: (res) =>
    res.setHeaders(
      new Headers([['x-b', '2'], ...C.map((c) => ['set-cookie', c] as [string, string])]),
    ),
  'writeHead(object)': (res) => res.writeHead(200, { 'X-B': 2, 'Set-Cookie': C }),
  'writeHead(list)': (res) =>
    res.writeHead(200, ['X-B', '2', ...C.flatMap((c) => ['Set-Cookie', c])]),
  'writeHead(list of a list)': (res) => res.writeHead(200, ['X-B', '2', 'Set-Cookie', C]),
  'writeHead(pairs)': (res) =>
    res.writeHead(200, [
      ['X-B', '2'],
      ['Set-Cookie', C],
    ] as never),
  'writeHead(reason, object)': (res) => res.writeHead(200, 'Fine', { 'X-B': 2, 'Set-Cookie': C }),
  'writeHead(, object)': (res) => res.writeHead(200, undefined, { 'X-B': 2, 'Set-Cookie': C }),
};

inEvery('whatever way fields are set in, they are there to change', async (t, serve) => {
  let write: Write | undefined;
  const change = changing((response) => ({
    ...response,
    headers: withFields(response.headers, { 'x-gone': undefined, 'x-new': '1' }),
  }));
  const earlier: Layer = (_req, res, next) => {
    res.setHeader('X-B', 'old').setHeader('X-Gone', '1').setHeader('x-earlier', '1');
    next();
  };
  const app: App = (_req, res) => [write?.(res), res.end('hello')];
  const port = await serve(change, app, earlier);
  for (const [way, written] of Object.entries(FIELDS)) {
    write = written;
    const { headers, reason, length } = await ask(port);
    t.match(headers, { 'x-b': '2', 'x-new': '1', 'x-earlier': '1', 'set-cookie': C }, way);
    t.same([headers['set-cookie']?.length, headers['x-gone']], [2, undefined], way);
    if (!t.name.includes('patched')) t.same([length, reason], ['5', 'OK'], way);
  }
});

inEvery('a body is changed, dropped or left away as the answer needs it', async (t, serve) => {
  const upper = (body: ProxyResponse['body']) =>
    Readable.from(body instanceof Readable ? body : [body], { objectMode: false }).pipe(
      new Transform({ transform: (chunk, _, done) => done(null, `${chunk}`.toUpperCase()) }),
    );
  const rows: [string, (r: ProxyResponse) => ProxyResponse, unknown[], head: unknown[]][] = [
    ['kept', (r) => r, [200, '5', '"x"', 'hello'], [200, '5', '"x"', '']],
    [
      'no content',
      (r) => ({ ...r, status: 204 }),
      [204, undefined, '"x"', ''],
      [204, undefined, '"x"', ''],
    ],
    ['not modified', (r) => ({ ...r, status: 304 }), [304, '5', '"x"', ''], [304, '5', '"x"', '']],
    [
      'longer',
      (r) => withBody(r, Buffer.from('longer')),
      [200, '6', 'W/"x"', 'longer'],
      [200, '6', 'W/"x"', ''],
    ],
    [
      'transformed',
      (r) => withBody(r, upper(r.body)),
      [200, undefined, 'W/"x"', 'HELLO'],
      [200, undefined, 'W/"x"', ''],
    ],
    [
      'broken off',
      (r) =>
        withBody(
          r,
          new Readable({
            read() {
              this.destroy(new Error('x'));
            },
          }),
        ),
      [200, undefined, 'W/"x"', 'ECONNRESET'],
      [200, undefined, 'W/"x"', ''],
    ],
  ];
  let change = rows[0]?.[1];
  const port = await serve(
    changing((r) => change?.(r) ?? r),
    (_req, res) => {
      res.setHeader('etag', '"x"').setHeader('content-length', 5);
      res.write('hel');
      res.end('lo');
    },
  );
  for (const [why, next, get, head] of rows) {
    change = next;
    for (const [method, expected] of [
      ['GET', get],
      ['HEAD', head],
    ] as const) {
      const { status, length, headers, body } = await ask(port, { method });
      t.same([status, length, headers.etag, body], expected, `${method} ${why}`);
    }
  }
});

inEvery('the head goes out before the body', async (t, serve) => {
  for (const begin of ['flushHeaders', 'writeHead'] as const) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const port = await serve(pass, async (_req, res) => {
      res[begin](200);
      await promise;
      res.end('late');
    });
    const asked = http.get({ port, host: '127.0.0.1', agent: false });
    const [res] = await once(asked, 'response', { signal: AbortSignal.timeout(2_000) });
    resolve();
    t.equal(await text(res), 'late', begin);
  }
});

inEvery('a slow client slows the application down', async (t, serve) => {
  const CHUNK = Buffer.alloc(65_536);
  const ALL = 400;
  const through = changing((r) => withBody(r, (r.body as Readable).pipe(new PassThrough())));
  const ways: readonly [
    Middleware,
    (res: http.ServerResponse, chunks: Iterable<Buffer>) => unknown,
  ][] = [
    [through, (res, chunks) => Readable.from(chunks).pipe(res)],
    [pass, (res, chunks) => pipeline(Readable.from(chunks), res, () => {})],
    [
      pass,
      async (res, chunks) => {
        for (const chunk of chunks) if (!res.write(chunk)) await once(res, 'drain');
        res.end();
      },
    ],
  ];
  const run = async ([middleware, write]: (typeof ways)[number]) => {
    let taken = 0;
    function* chunks() {
      for (; taken < ALL; taken++) yield CHUNK;
    }
    const port = await serve(middleware, (_req, res) => write(res, chunks()));
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.0\r\nHost: x\r\n\r\n');
    for (let before = -1; before !== taken; await sleep(80)) before = taken;
    t.ok(taken > 0 && taken < ALL / 2, `${taken} of ${ALL} are taken while nobody reads`);
    let bytes = 0;
    for await (const chunk of socket) bytes += chunk.length;
    t.ok(bytes > ALL * CHUNK.length, 'all comes in the end');
  };
  await Promise.all(ways.map(run));
});

inEvery('the application sees the request that the middleware passes on', async (t, serve) => {
  const fields = withFields({}, { host: 'h.example', accept: ['a', 'b'], 'user-agent': 'x' });
  const port = await serve(
    (request, next) =>
      next({ ...request, method: 'GET', url: '/b?c', headers: fields, client: '192.0.2.9' }),
    ({ method, url, headers, rawHeaders, headersDistinct }, res) =>
      res.end(JSON.stringify({ method, url, headers, rawHeaders, headersDistinct })),
  );
  const headers = { cookie: 'a=1', 'x-forwarded-for': '203.0.113.1', 'x-a': '1', accept: 'x' };
  const { body } = await ask(port, { method: 'DELETE', path: '/a', headers });
  const forwarded = {
    'x-forwarded-host': 'h.example',
    'x-forwarded-proto': 'http',
    'x-forwarded-for': '192.0.2.9',
    'x-real-ip': '192.0.2.9',
    forwarded: 'for=192.0.2.9;host="h.example";proto=http',
  };
  const seen = JSON.parse(body as string);
  t.same([seen.method, seen.url], ['GET', '/b?c']);
  t.same(seen.headers, { host: 'h.example', accept: 'a, b', 'user-agent': 'x', ...forwarded });
  t.same(seen.headersDistinct.accept, ['a', 'b']);
  t.equal(Object.keys(seen.headersDistinct).length, 8);
  t.equal(seen.rawHeaders.length, 18);
});

const said = ({ message }: Error) => answering(200, Buffer.from(message));
let late: Promise<ProxyResponse> | undefined;
const MISUSES: readonly [why: string, Middleware, expected: RegExp][] = [
  [
    'asked twice',
    async (request, next) => {
      discard((await next(request)).body);
      return next(request).catch(said);
    },
    /once an exchange/,
  ],
  ['a body replaced', (r, next) => next({ ...r, body: Buffer.from('x') }).catch(said), /replaced/],
  [
    'a body read',
    async (request, next) => {
      await readBody(request.body, 99);
      return next(request).catch(said);
    },
    /replaced/,
  ],
  [
    'a target of another form',
    (r, next) => next({ ...r, url: 'http://x/' }).catch(said),
    /origin-form/,
  ],
  [
    'asked after the answer',
    async (request, next) => {
      late = sleep(30).then(() => next(request).catch(said));
      return said(new Error('answered'));
    },
    /answered/,
  ],
];

inEvery("what a guest's next can't do, it rejects", async (t, serve) => {
  let middleware: Middleware = pass;
  const port = await serve(
    (request, next) => middleware(request, next),
    (_req, res) => {
      res.write('app');
      setTimeout(() => res.end(), 5);
    },
  );
  for (const [why, misuse, expected] of MISUSES) {
    middleware = misuse;
    const { status, body } = await ask(port, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    t.match({ status, body }, { status: 200, body: expected }, why);
  }
  t.match(String((await late)?.body), /after the answer/);
});

inEvery('a failure is answered, by the host before the application was asked', async (t, serve) => {
  const busy = new HeadgateError('OVERLOADED', 'secret');
  const rows: readonly [why: string, Middleware, status: number, body: RegExp][] = [
    ['before', () => Promise.reject(busy), 503, /secret/],
    ['an answer that is none', async () => answering(42, EMPTY, { 'x-y': '1' }), 502, /42/],
    [
      'after',
      (request, next) => next(request).then(() => Promise.reject(busy)),
      503,
      /^503 [ \w]*\n$/,
    ],
    [
      'while asking',
      (request, next) => (next(request), Promise.reject(busy)),
      503,
      /^503 [ \w]*\n$/,
    ],
    ['a status that is none', changing((r) => ({ ...r, status: 42 })), 502, /^502 [ \w]*\n$/],
    [
      'a field that is none',
      changing((r) => ({ ...r, headers: { 'x-y': '1', x: 'a\r\n' } })),
      502,
      /^502 [ \w]*\n$/,
    ],
  ];
  let middleware: Middleware = pass;
  let lateness = Promise.resolve();
  const app: App = (_req, res) => {
    res.write('secret');
    lateness = sleep(20).then(() => {
      res.write('late');
      res.end('later');
    });
  };
  const port = await serve(
    (request, next) => middleware(request, next),
    app,
    (_req, res, next) => {
      res.setHeader('x-earlier', '1');
      next();
    },
  );
  const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  for (const [why, failing, status, body] of rows) {
    middleware = failing;
    const { messages } = await talk(port, [get, get], { answers: 2 });
    for (const { head, body: got } of messages) {
      t.match(
        head,
        new RegExp(`^HTTP/1.1 ${status} [^]*${isNested(t) ? '' : 'x-earlier: 1'}`),
        why,
      );
      t.notMatch(head, /x-y/, why);
      t.match(got, body, why);
    }
    t.equal(messages.length, 2, `${why}: the connection goes on`);
    await lateness;
  }
});

inEvery('a client that leaves is noticed, and the application too', async (t, serve) => {
  const BIG = Buffer.alloc(1 << 20);
  const seen: string[] = [];
  let signal: AbortSignal | undefined;
  let body: Promise<Buffer> | undefined;
  /** Goes on for itself whether or not the client is there. */
  const filling: Middleware = async (request, next) => {
    signal = request.signal();
    const { promise, resolve } = Promise.withResolvers<ProxyResponse>();
    body = next(request).then((response) => {
      if (request.url !== '/fill') resolve(response);
      return request.url === '/fill' ? readBody(response.body, 1 << 30) : EMPTY;
    });
    return promise;
  };
  const port = await serve(filling, async (req, res) => {
    res.once('close', () => seen.push('close'));
    if (req.url === '/silent') return;
    if (req.url === '/gives-up')
      return pipeline(
        async function* () {
          for (;;) yield BIG;
        },
        res,
        (error) => seen.push(error?.code ?? ''),
      );
    for (let i = 0; i < 16; i++) if (!res.write(BIG)) await once(res, 'drain');
    res.end();
  });
  for (const url of ['/silent', '/gives-up', '/fill']) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await sleep(30);
    socket.destroy();
    await until(() => signal?.aborted === true);
    t.match(signal?.reason, { code: 'CLIENT_GONE' }, url);
  }
  t.equal((await body)?.length, 16 << 20, 'who still reads gets the whole body');
  t.same(seen.sort(), ['ERR_STREAM_PREMATURE_CLOSE', 'close', 'close', 'close']);
});

inEvery('an application that gives up breaks off what it gave', async (t, serve) => {
  let body: Promise<unknown> = Promise.resolve();
  const port = await serve(
    async (request, next) => {
      const response = await next(request);
      body = readBody(response.body, 1 << 30).catch((error: HeadgateError) => error.code);
      return answering(200, Buffer.from(String(await body)));
    },
    (req, res) => {
      if (req.url !== '/at-once') res.write('begun');
      if (req.url === '/pipe') new Readable({ read() {} }).pipe(res);
      else if (req.url === '/socket') setTimeout(() => req.socket.destroy(), 10);
      else setTimeout(() => res.destroy(), 10);
    },
  );
  t.match(await ask(port, { path: '/at-once' }), { status: 502, body: '502 Bad Gateway\n' });
  t.equal((await ask(port, { path: '/destroy' })).body, 'UPSTREAM_BROKEN');
  t.equal(await ask(port, { path: '/socket' }).catch(() => body), 'UPSTREAM_BROKEN');
  const socket = connect(port, '127.0.0.1');
  socket.write('GET /pipe HTTP/1.1\r\nHost: x\r\n\r\n');
  await sleep(30);
  socket.destroy();
  t.equal(await body, 'CLIENT_GONE');
});

inEvery('an application whose answer is dropped runs to its end', async (t, serve) => {
  function* chunks() {
    for (let i = 0; i < 64; i++) yield Buffer.alloc(65_536);
  }
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  const ways: readonly ((res: http.ServerResponse) => unknown)[] = [
    (res) => pipeline(Readable.from(chunks()), res, done),
    (res) => Readable.from(chunks()).once('end', done).pipe(res),
    async (res) => {
      for (const chunk of chunks()) if (!res.write(chunk)) await once(res, 'drain');
      res.end(done);
    },
  ];
  let way = 0;
  const port = await serve(
    async (request, next) => {
      discard((await next(request)).body);
      return answering(200, Buffer.from('instead'));
    },
    (_req, res) => ways[way]?.(res),
  );
  for (way = 0; way < ways.length; way++) {
    for (const method of ['GET', 'HEAD']) {
      isDone = false;
      t.equal((await ask(port, { method })).body, method === 'GET' ? 'instead' : '');
      await until(() => isDone);
      t.ok(isDone, `${method} ${way}`);
    }
  }
});

inEvery(
  'an answer that comes too late for the client comes whole to who still waits',
  async (t, serve) => {
    let heard: Promise<ProxyResponse> | undefined;
    const logged: unknown[] = [];
    const port = await serve(
      async (request, next) => {
        heard = next(request);
        return answering(503, Buffer.from('stale'), { 'content-type': 'text/stale' });
      },
      async (_req, res) => {
        await sleep(20);
        if (!res.headersSent) res.setHeader('x-app', '1');
        if (!res.hasHeader('content-type')) res.setHeader('content-type', 'text/late');
        res.end('late');
      },
      (_req, res, next) => {
        res.setHeader('x-earlier', '1');
        res.once('finish', () =>
          logged.push(res.statusCode, res.headersSent, res.getHeader('content-type')),
        );
        next();
      },
    );
    t.match(await ask(port), {
      status: 503,
      body: 'stale',
      headers: { 'content-type': 'text/stale' },
    });
    const { status, headers, body } = (await heard) as ProxyResponse;
    t.match({ ...headers }, { 'x-app': '1', 'x-earlier': '1', 'content-type': 'text/late' });
    t.same([status, `${await readBody(body, 99)}`], [200, 'late']);
    t.same(logged, [503, true, 'text/stale'], 'a log has what went out');
  },
);
