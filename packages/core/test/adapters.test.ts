/** The adapters inside real hosts, over real sockets. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type RequestListener, type ServerResponse, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { EMPTY, field, fields, HeadgateError, type Middleware, withBody, withFields } from '@headgate/core';
import { type ConnectMiddleware, toConnect } from '@headgate/core/connect';
import express from 'express';
import fastify from 'fastify';
import t, { type Test } from 'tap';
import { listen } from './wire.ts';

const express4: typeof express = createRequire(import.meta.url)('express4');

/** Layers and an application in one host each; all speak Node's req and res. */
type Host = (layers: readonly ConnectMiddleware[], app: RequestListener) => Server | Promise<Server>;

const inExpress = (make: typeof express): Host => (layers, app) => {
  const site = make();
  for (const layer of layers) site.use(layer);
  site.use(app);
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
      site.addHook('onRequest', (request, reply, done) =>
        layer(request.raw, reply.raw, (error) => done(error as Error | undefined)),
      );
    site.all('/*', (request, reply) => {
      reply.hijack();
      app(request.raw, reply.raw);
    });
    await site.ready();
    return site.server;
  },
};

async function host(t: Test, name: string, layers: readonly ConnectMiddleware[], app: RequestListener) {
  return listen(t, await (HOSTS[name] as Host)(layers, app));
}

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** Asks once, on a connection of its own. */
async function ask(port: number, { method = 'GET', path = '/', headers = {}, body }: Asked = {}) {
  const req = request({ port, host: '127.0.0.1', method, path, headers, agent: false });
  req.end(body);
  const [res]: [IncomingMessage] = (await once(req, 'response')) as never;
  return { status: res.statusCode, headers: res.headers, reason: res.statusMessage, body: await text(res) };
}

const pass: Middleware = (request, next) => next(request);

const FORMS: readonly [string, (res: ServerResponse) => unknown, kind: string, body?: string][] = [
  ['end()', (res) => res.end(), 'buffer', ''],
  ['end(text)', (res) => res.end('hello'), 'buffer'],
  ['end(text, encoding)', (res) => res.end('68656c6c6f', 'hex'), 'buffer'],
  ['end(bytes)', (res) => res.end(new Uint8Array(Buffer.from('xhello')).subarray(1)), 'buffer'],
  ['writeHead and end', (res) => res.writeHead(200).end('hello'), 'buffer'],
  ['flushHeaders and end', (res) => (res.flushHeaders(), res.end('hello')), 'buffer'],
  ['write and end', (res) => (res.write('he'), res.end('llo')), 'stream'],
  ['write with encoding and callback', (res) => res.write('6865', 'hex', () => res.end('llo')), 'stream'],
  ['write with callback', (res) => res.write('he', () => res.end('llo')), 'stream'],
  ['end, a while after the head', (res) => (res.writeHead(200), setTimeout(() => res.end('hello'), 5)), 'stream'],
  ['pipe', (res) => Readable.from(['he', 'llo']).pipe(res), 'stream'],
];

t.test('forms', async (t) => {
  for (const name of Object.keys(HOSTS)) {
    let form = FORMS[0];
    let kind = '';
    const port = await host(t, name, [toConnect(async (request, next) => {
      const response = await next(request);
      kind = response.body instanceof Readable ? 'stream' : 'buffer';
      return response;
    })], (_req, res) => form?.[1](res));
    for (form of FORMS) {
      const { status, body } = await ask(port);
      t.same([status, body, kind], [200, form[3] ?? 'hello', form[2]], `${name}: ${form[0]}`);
    }
  }
});
