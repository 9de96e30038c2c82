/** A Hono application with all of Headgate's middleware: `node examples/hono.ts`. */
import type { FetchMiddleware } from '@headgate/core/fetch';
import { csp } from '@headgate/middleware-csp/fetch';
import { fedicache } from '@headgate/middleware-fedicache/fetch';
import { mediaRedirect } from '@headgate/middleware-media-redirect/fetch';
import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono, type MiddlewareHandler } from 'hono';
import { IMAGE, PAGE, POLICY } from './site.ts';

const CDN = 'https://cdn.example';

/** One of ours as one of Hono's. */
function use(middleware: FetchMiddleware): MiddlewareHandler {
  return async (c, next) => {
    const ask = async (request: Request) => {
      c.req.raw = request;
      await next();
      const { res } = c;
      c.res = undefined; // else Hono puts its fields on the answer too
      return res;
    };
    c.res = await middleware(c.req.raw, ask, getConnInfo(c).remote.address);
  };
}

/** The application. */
export const app = new Hono();

app.use(use(fedicache()));
app.use(use(mediaRedirect({ rules: [{ from: '/media/', to: `${CDN}/media/` }] })));
app.use(use(csp({ media: [CDN] })));

app.get('/', (c) => c.html(PAGE, 200, { 'content-security-policy': POLICY }));
app.get('/media/lighthouse.svg', (c) => c.body(IMAGE, 200, { 'content-type': 'image/svg+xml' }));

if (import.meta.main)
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 3000 }, () =>
    console.log('http://127.0.0.1:3000/'),
  );
