/** media-redirect as a guest of Express, Fastify and Hono, over real sockets. */
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { MediaRedirectOptions } from '@headgate/middleware-media-redirect';
import { mediaRedirect as inConnect } from '@headgate/middleware-media-redirect/connect';
import { mediaRedirect as inFetch } from '@headgate/middleware-media-redirect/fetch';
import { getRequestListener } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import t from 'tap';
import { listen } from '../../core/test/wire.ts';
import { AS_PLUME, BROWSER, cdn, follow, get, IMAGE, site } from './sites.ts';

const express4: typeof express = createRequire(import.meta.url)('express4');

const HEAD = { 'content-type': 'image/png', 'set-cookie': 'session=1' };

/** Applications that have an image at /static/a.png, and nothing else. */
const HOSTS: Record<string, (options: MediaRedirectOptions) => Server | Promise<Server>> = {
  'Express 5': (options) => inExpress(express, options),
  'Express 4': (options) => inExpress(express4, options),
  'Fastify 5': async (options) => {
    const app = fastify();
    const middleware = inConnect(options);
    app.addHook('onRequest', (request, reply, done) =>
      middleware(request.raw, reply.raw, (error) => done(error as Error | undefined)),
    );
    app.get('/static/a.png', (_request, reply) => reply.headers(HEAD).send(IMAGE));
    await app.ready();
    return app.server;
  },
  'Hono, around it': (options) => {
    const app = hono();
    const middleware = inFetch(options);
    return createServer(
      getRequestListener((request) => middleware(request, async (asked) => app.fetch(asked))),
    );
  },
  'Hono, inside of it': (options) => {
    const middleware = inFetch(options, { trusted: ['loopback'] });
    const app = new Hono().use(async (c, next) => {
      const ask = async (request: Request) => {
        c.req.raw = request;
        await next();
        const { res } = c;
        c.res = undefined;
        return res;
      };
      c.res = await middleware(c.req.raw, ask, getConnInfo(c).remote.address);
    });
    return createServer(getRequestListener(app.route('/', hono()).fetch));
  },
};

function inExpress(make: typeof express, options: MediaRedirectOptions): Server {
  const app = make().set('env', 'test').use(inConnect(options));
  return createServer(app.get('/static/a.png', (_req, res) => void res.set(HEAD).send(IMAGE)));
}

function hono() {
  return new Hono().get('/static/a.png', (c) => c.body(new Uint8Array(IMAGE), 200, HEAD));
}

for (const [name, make] of Object.entries(HOSTS)) {
  t.test(`in ${name} it is the same`, async (t) => {
    const bucket = await site(t, ({ url }, res) =>
      res.writeHead(url === '/bucket/b.png' ? 200 : 404).end(IMAGE),
    );
    const zone = await cdn(t);
    const server = await make({
      rules: [
        { from: '/static/', to: `${zone.url}/static/` },
        { from: '/system/', to: `${zone.url}/system/`, serve: `${bucket.url}/bucket/` },
      ],
    });
    const url = `http://127.0.0.1:${await listen(t, server)}`;
    zone.settings.origin = url;

    const redirect = await get(`${url}/static/a.png?v=1`, { 'user-agent': BROWSER });
    t.equal(redirect.status, 301);
    t.match(redirect.headers, {
      location: `${zone.url}/static/a.png?v=1`,
      'cache-control': 'private, max-age=3600',
      vary: 'User-Agent, Signature, Signature-Input',
    });
    t.equal(redirect.body.length, 0);
    const browser = await follow(`${url}/static/a.png`, { 'user-agent': BROWSER });
    t.ok(browser.status === 200 && browser.body.equals(IMAGE));
    t.match(browser.headers, {
      'x-cdn': 'yes',
      'set-cookie': undefined,
      'cache-control': 'public, max-age=2419200, immutable',
      'content-type': 'image/png',
    });
    t.equal((await follow(`${url}/static/none.png`)).status, 404);

    const plume = await follow(`${url}/static/a.png`, AS_PLUME, true);
    t.same([plume.status, plume.url], [200, `${url}/static/a.png`]);
    t.ok(plume.body.equals(IMAGE));
    const elsewhere = await follow(`${url}/system/b.png`, AS_PLUME, true);
    t.ok(elsewhere.status === 200 && elsewhere.body.equals(IMAGE), 'what the application has not');
    t.equal(bucket.asked.length, 1);
  });
}
