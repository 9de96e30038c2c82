/** The adapters inside real hosts, over real sockets. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { pipeline, Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  discard,
  EMPTY,
  HeadgateError,
  type Middleware,
  type ProxyRequest,
  type ProxyResponse,
  readBody,
  withBody,
  withFields,
} from '@headgate/core';
import { type ConnectMiddleware, toConnect } from '@headgate/core/connect';
import express from 'express';
import fastify from 'fastify';
import t, { type Test } from 'tap';
import { listen, talk, until } from './wire.ts';

const express4: typeof express = createRequire(import.meta.url)('express4');

/** Layers and an application in one host; all of them speak Node's req and res. */
type Host = (
  layers: readonly ConnectMiddleware[],
  app: RequestListener,
) => Server | Promise<Server>;

const inExpress =
  (make: typeof express): Host =>
  (layers, app) => {
    const site = make();
    site.set('env', 'test');
    for (const layer of [...layers, app]) site.use(layer);
    return createServer(site);
  };

const HOSTS: Readonly<Record<string, Host>> = {
  'Express 5': inExpress(express),
  'Express 4': inExpress(express4),
  'a plain chain': (layers, app) =>
    createServer((req, res) => {
      const rest = [...layers, app];
      const next = (error?: unknown) => {
        if (!error) return rest.shift()?.(req, res, next);
        res.statusCode = error instanceof HeadgateError ? error.status : 500;
        res.end(`host: ${error}`);
      };
      next();
    }),
  'Fastify 5': async (layers, app) => {
    const site = fastify();
    for (const layer of layers)
      site.addHook('onRequest', ({ raw }, reply, done) =>
        layer(raw, reply.raw, (error) => done(error as Error | undefined)),
      );
    site.all('/*', ({ raw }, reply) => {
      reply.hijack();
      app(raw, reply.raw);
    });
    await site.ready();
    return site.server;
  },
};

/** Runs `test` in every host, with what puts layers and an application into it. */
async function inEvery(
  t: Test,
  test: (
    t: Test,
    serve: (layers: readonly ConnectMiddleware[], app: RequestListener) => Promise<number>,
  ) => Promise<void>,
) {
  for (const [name, host] of Object.entries(HOSTS))
    await t.test(name, (t) => test(t, async (layers, app) => listen(t, await host(layers, app))));
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** Asks once, on a connection of its own. */
async function ask(port: number, { method = 'GET', path = '/', headers = {}, body }: Asked = {}) {
  const asked = request({ port, host: '127.0.0.1', method, path, headers, agent: false });
  asked.end(body);
  const [res] = (await once(asked, 'response')) as [IncomingMessage];
  const { statusCode: status, statusMessage: reason } = res;
  return { status, reason, headers: res.headers, body: await text(res) };
}

const changed = (change: (response: ProxyResponse) => ProxyResponse): Middleware => {
  return async (request, next) => change(await next(request));
};
const upperCase = (body: ProxyResponse['body']) =>
  Readable.from(body instanceof Readable ? body : [body], { objectMode: false }).pipe(
    new Transform({ transform: (chunk, _, done) => done(null, String(chunk).toUpperCase()) }),
  );

t.test('an answer of its own keeps what earlier middleware has set', (t) =>
  inEvery(t, async (t, serve) => {
    const COOKIES = { 'set-cookie': ['own=1', 'own=2'], vary: 'Accept' };
    const stream = () => Readable.from([Buffer.from('o'), Buffer.from('wn')]);
    const rows: [string, string, number, object, () => ProxyResponse['body'], unknown[]][] = [
      ['a buffer', 'GET', 200, {}, () => Buffer.from('own'), ['3', undefined, 'own']],
      ['a stream', 'GET', 200, {}, stream, [undefined, 'chunked', 'own']],
      [
        'a stream of a length',
        'GET',
        200,
        { 'content-length': '3' },
        stream,
        ['3', undefined, 'own'],
      ],
      ['a redirect', 'GET', 302, { location: '/x' }, () => EMPTY, ['0', undefined, '']],
      ['HEAD', 'HEAD', 200, {}, () => Buffer.from('own'), ['3', undefined, '']],
      ['HEAD of a stream', 'HEAD', 200, {}, stream, [undefined, undefined, '']],
      [
        '304',
        'GET',
        304,
        { etag: '"x"', 'content-length': '3' },
        () => EMPTY,
        ['3', undefined, ''],
      ],
      ['204', 'GET', 204, {}, () => EMPTY, [undefined, undefined, '']],
    ];
    let row = rows[0];
    let isReached = false;
    const earlier: ConnectMiddleware = (_req, res, next) => {
      res
        .setHeader('x-earlier', '1')
        .setHeader('set-cookie', 'earlier=1')
        .setHeader('vary', 'Origin');
      next();
    };
    const own: Middleware = async () => {
      const [, , status = 0, headers = {}, body = () => EMPTY] = row ?? [];
      return { status, headers: withFields({}, { ...COOKIES, ...headers }), body: body() };
    };
    const port = await serve([earlier, toConnect(own)], () => {
      isReached = true;
    });
    for (row of rows) {
      const [why, method, status, , , expected] = row;
      const { headers, body, ...answer } = await ask(port, { method });
      t.equal(answer.status, status, why);
      t.same([headers['content-length'], headers['transfer-encoding'], body], expected, why);
      t.match(headers, { 'x-earlier': '1', vary: 'Origin, Accept' }, why);
      t.same(headers['set-cookie'], ['earlier=1', 'own=1', 'own=2'], why);
    }
    t.notOk(isReached, 'and the application is not asked');
  }),
);

t.test('what the application writes in whatever way is a response value', (t) =>
  inEvery(t, async (t, serve) => {
    const later = (run: () => void) => void setTimeout(run, 5);
    const rows: [string, (res: ServerResponse) => unknown, kind: string][] = [
      ['end(text)', (res) => res.end('hello'), 'buffer'],
      ['end(text, encoding)', (res) => res.end('68656c6c6f', 'hex'), 'buffer'],
      ['end(bytes)', (res) => res.end(new Uint8Array(Buffer.from('-hello')).subarray(1)), 'buffer'],
      ['end(text, null, null)', (res) => res.end('hello', null as never, null as never), 'buffer'],
      ['writeHead, end', (res) => res.writeHead(200).end('hello'), 'buffer'],
      ['flushHeaders, end', (res) => (res.flushHeaders(), res.end('hello')), 'buffer'],
      ['write, end', (res) => (res.write('he'), res.end('llo')), 'stream'],
      ['write(callback)', (res) => res.write('he', () => res.end('llo')), 'stream'],
      ['write(encoding)', (res) => res.write('6865', 'hex', () => res.end('llo')), 'stream'],
      ['writeHead, end later', (res) => later(res.writeHead(200).end.bind(res, 'hello')), 'stream'],
      ['pipe', (res) => Readable.from(['he', 'llo']).pipe(res), 'stream'],
      ['pipeline', (res) => pipeline(Readable.from(['he', 'llo']), res, () => {}), 'stream'],
    ];
    let row = rows[0];
    let kind = '';
    const look = changed((response) => {
      kind = response.body instanceof Readable ? 'stream' : 'buffer';
      return { ...response, status: 201 };
    });
    let finished = 0;
    const port = await serve([toConnect(look)], (_req, res) => {
      res.on('finish', () => {
        finished += 1;
      });
      row?.[1](res);
      if (row?.[0] !== 'pipe' && row?.[0] !== 'pipeline' && kind === 'buffer')
        t.ok(res.headersSent, `${row?.[0]}: the application has begun`);
    });
    for (row of rows) {
      const { status, body } = await ask(port);
      t.same([status, body, kind], [201, 'hello', row[2]], row[0]);
    }
    t.equal(finished, rows.length, 'finish fires once');
  }),
);

t.test('fields that were set in whatever way', (t) =>
  inEvery(t, async (t, serve) => {
    const A = ['a=1', 'a=2'];
    const rows: [string, (res: ServerResponse) => unknown][] = [
      ['setHeader', (res) => res.setHeader('X-B', 2).setHeader('Set-Cookie', A)],
      [
        'appendHeader',
        (res) => A.forEach((value) => res.setHeader('X-B', '2').appendHeader('Set-Cookie', value)),
      ],
      [
        'setHeaders',
        (res) =>
          res.setHeaders(
            new Map<string, never>(Object.entries({ 'x-b': '2', 'set-cookie': A }) as never),
          ),
      ],
      ['writeHead(object)', (res) => res.writeHead(200, { 'X-B': 2, 'Set-Cookie': A })],
      [
        'writeHead(list)',
        (res) => res.writeHead(200, ['X-B', '2', 'Set-Cookie', 'a=1', 'Set-Cookie', 'a=2']),
      ],
      ['writeHead(list of lists)', (res) => res.writeHead(200, ['X-B', '2', 'Set-Cookie', A])],
      [
        'writeHead(pairs)',
        (res) =>
          res.writeHead(200, [
            ['X-B', '2'],
            ['Set-Cookie', A],
          ] as never),
      ],
      [
        'writeHead(reason, object)',
        (res) => res.writeHead(200, 'Fine', { 'X-B': 2, 'Set-Cookie': A }),
      ],
      [
        'writeHead(undefined, object)',
        (res) => res.writeHead(200, undefined, { 'X-B': 2, 'Set-Cookie': A }),
      ],
    ];
    let row = rows[0];
    const change = changed((response) => ({
      ...response,
      headers: withFields(response.headers, { 'x-gone': undefined, 'x-new': '1' }),
    }));
    const earlier: ConnectMiddleware = (_req, res, next) => {
      res.setHeader('X-B', 'old').setHeader('X-Gone', '1').setHeader('x-earlier', '1');
      next();
    };
    const port = await serve([earlier, toConnect(change)], (_req, res) => {
      row?.[1](res);
      res.end('hello');
    });
    for (row of rows) {
      const { headers, reason } = await ask(port);
      t.match(
        headers,
        { 'x-b': '2', 'x-new': '1', 'x-earlier': '1', 'set-cookie': A, 'content-length': '5' },
        row[0],
      );
      t.same(
        [headers['set-cookie']?.length, headers['x-gone'], reason],
        [2, undefined, 'OK'],
        row[0],
      );
    }
  }),
);
