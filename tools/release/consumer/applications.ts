/** One application for each kind of server, with every middleware, as their READMEs say. */
import { createServer, type Server } from 'node:http';
import { compress } from '@headgate/middleware-compress/connect';
import { compress as compressFetch } from '@headgate/middleware-compress/fetch';
import { csp } from '@headgate/middleware-csp/connect';
import { csp as cspFetch } from '@headgate/middleware-csp/fetch';
import { fedicache } from '@headgate/middleware-fedicache/connect';
import { fedicache as fedicacheFetch } from '@headgate/middleware-fedicache/fetch';
import { mediaRedirect } from '@headgate/middleware-media-redirect/connect';
import { mediaRedirect as mediaRedirectFetch } from '@headgate/middleware-media-redirect/fetch';
import { createAdaptorServer } from '@hono/node-server';
import type express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { register } from 'prom-client';

const RULES = [{ from: '/media/', to: 'https://cdn.example/media/' }];
const HOSTS = ['https://cdn.example'];
const POLICY = "default-src 'self'";

/** What is longer than a preview. */
export const PAGE = `<!doctype html><title>Hello</title><p>${'A long story. '.repeat(200)}`;

/** An application of Express 4 or 5, which are used alike. Has /metrics, too. */
export async function onExpress(make: typeof express): Promise<Server> {
  const app = make();
  app.use(fedicache());
  app.use(mediaRedirect({ rules: RULES }));
  app.use(csp({ media: HOSTS }));
  app.use(compress());
  app.get('/', (_req, res) => {
    res.set('Content-Security-Policy', POLICY).type('html').send(PAGE);
  });
  app.get('/metrics', async (_req, res) => {
    res.type(register.contentType).send(await register.metrics());
  });
  return createServer(app);
}

/** An application of Fastify. */
export async function onFastify(): Promise<Server> {
  const previews = fedicache();
  const app = fastify({
    serverFactory: (handler) =>
      createServer((req, res) =>
        previews(req, res, (error) => (error ? res.writeHead(500).end() : handler(req, res))),
      ),
  });
  for (const middleware of [mediaRedirect({ rules: RULES }), csp({ media: HOSTS }), compress()])
    app.addHook('onRequest', (request, reply, done) => middleware(request.raw, reply.raw, done));
  app.get('/', (_request, reply) =>
    reply.header('content-security-policy', POLICY).type('text/html').send(PAGE),
  );
  await app.ready();
  return app.server;
}

/** An application of Hono. */
export async function onHono(): Promise<Server> {
  const app = new Hono();
  app.get('/', (c) => c.html(PAGE, 200, { 'content-security-policy': POLICY }));
  const layers = [
    fedicacheFetch(),
    mediaRedirectFetch({ rules: RULES }),
    cspFetch({ media: HOSTS }),
    compressFetch(),
  ];
  type Fetch = (request: Request) => Response | Promise<Response>;
  const whole = layers.reduceRight<Fetch>(
    (next, layer) => (request) => layer(request, next),
    (request) => app.fetch(request),
  );
  return createAdaptorServer({ fetch: whole }) as Server;
}
