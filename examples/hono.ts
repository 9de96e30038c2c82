/** A Hono application that answers preview fetchers from memory: `node examples/hono.ts`. */
import { fedicache } from '@headgate/middleware-fedicache/fetch';
import { serve } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono } from 'hono';
import { PAGE } from './site.ts';

const previews = fedicache();

/** The application. */
export const app = new Hono();

app.use(async (c, next) => {
  const ask = async (request: Request) => {
    c.req.raw = request;
    await next();
    const { res } = c;
    c.res = undefined; // else Hono puts its fields on the answer too
    return res;
  };
  c.res = await previews(c.req.raw, ask, getConnInfo(c).remote.address);
});

app.get('/', (c) => c.html(PAGE));

if (import.meta.main)
  serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 3000 }, () =>
    console.log('http://127.0.0.1:3000/'),
  );
