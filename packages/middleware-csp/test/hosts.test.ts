/** csp over real sockets: between Headgate's edges, and inside Express, Fastify and Hono. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createRequire } from 'node:module';
import { compose } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import { type CspEvent, csp } from '@headgate/middleware-csp';
import { csp as connectCsp } from '@headgate/middleware-csp/connect';
import { csp as fetchCsp } from '@headgate/middleware-csp/fetch';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import t, { type Test } from 'tap';
import { listen } from '../../core/test/wire.ts';

const express4: typeof express = createRequire(import.meta.url)('express4');

const REPORTS = '/.headgate/csp-reports';
const POLICY = "default-src 'self'; script-src 'self'";
const META = `<meta http-equiv="content-security-policy" content="img-src 'none'">`;
const PAGE = `<title>x</title>${META}<p>${'long '.repeat(50_000)}`;
const OPTIONS = { media: ['https://cdn.example'], meta: true, report: true };

/** The application's own, as helmet or nginx would send it. */
const page: RequestListener = (_req, res) => {
  res.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': POLICY });
  res.end(PAGE);
};

type Host = (t: Test) => Server | Promise<Server>;

const inExpress =
  (make: typeof express): Host =>
  () => {
    const app = make();
    app.use((_req, res, next) => {
      res.setHeader('Content-Security-Policy', POLICY);
      next();
    });
    app.use(connectCsp(OPTIONS));
    app.get('/', (_req, res) => void res.type('html').send(PAGE));
    return createHttpServer(app);
  };

const HOSTS: Readonly<Record<string, Host>> = {
  Headgate: async (t) => {
    const port = await listen(t, createHttpServer(page));
    const { handler, close } = upstreamTo(`http://127.0.0.1:${port}`);
    t.teardown(close);
    return createServer({ handler: compose([csp(OPTIONS)], handler) });
  },
  'Express 5': inExpress(express),
  'Express 4': inExpress(express4),
  'Fastify 5': async () => {
    const app = fastify();
    const middleware = connectCsp(OPTIONS);
    app.addHook('onRequest', (request, reply, done) =>
      middleware(request.raw, reply.raw, (error) => done(error as Error | undefined)),
    );
    app.get('/', (_request, reply) =>
      reply.type('text/html').header('content-security-policy', POLICY).send(PAGE),
    );
    await app.ready();
    return app.server;
  },
  Hono: () => {
    const middleware = fetchCsp(OPTIONS);
    const app = new Hono();
    app.get('/', (c) => c.html(PAGE, 200, { 'content-security-policy': POLICY }));
    return createHttpServer(
      getRequestListener((request) => middleware(request, async (asked) => app.fetch(asked))),
    );
  },
};

for (const [name, host] of Object.entries(HOSTS)) {
  t.test(`in ${name}, pages are edited and reports are taken`, async (t) => {
    const heard: CspEvent[] = [];
    const hear = (event: unknown) => heard.push(event as CspEvent);
    subscribe('headgate:csp', hear);
    t.teardown(() => unsubscribe('headgate:csp', hear));
    const url = `http://127.0.0.1:${await listen(t, await host(t))}`;

    for (const method of ['GET', 'HEAD']) {
      const response = await fetch(url, {
        method,
        headers: { accept: 'text/html', range: 'bytes=3-' },
      });
      t.equal(response.status, 200, method);
      t.equal(
        response.headers.get('content-security-policy'),
        "default-src 'self'; script-src 'self'; img-src 'self' https://cdn.example; media-src 'self' https://cdn.example; connect-src 'self' https://cdn.example; report-uri /.headgate/csp-reports",
      );
      const body = await response.text();
      t.equal(body, method === 'HEAD' ? '' : PAGE.replace("'none'", 'https://cdn.example'));
    }

    const report = {
      'csp-report': { 'effective-directive': 'img-src', 'blocked-uri': 'https://cdn.example/x' },
    };
    const headers = { 'content-type': 'application/csp-report' };
    const post = (body: string) => fetch(url + REPORTS, { method: 'POST', headers, body });
    t.equal((await post(JSON.stringify(report))).status, 204);
    t.match(heard.at(-1), { kind: 'violation', directive: 'img-src', host: 'cdn.example' });
    t.equal((await post('x'.repeat(100_000))).status, 413);
    t.equal(
      (await fetch(url + REPORTS)).status,
      name === 'Headgate' ? 200 : 404,
      'only POST is ours',
    );
  });
}
