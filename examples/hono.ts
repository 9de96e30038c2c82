/** A Hono application with all of Headgate's middleware: `node examples/hono.ts`. */
import { csp } from '@headgate/middleware-csp/fetch';
import { fedicache } from '@headgate/middleware-fedicache/fetch';
import { mediaRedirect } from '@headgate/middleware-media-redirect/fetch';
import { type Http2Bindings, type HttpBindings, serve } from '@hono/node-server';
import { Hono } from 'hono';
import { IMAGE, PAGE, POLICY } from './site.ts';

const CDN = 'https://cdn.example';
const previews = fedicache();
const media = mediaRedirect({ rules: [{ from: '/media/', to: `${CDN}/media/` }] });
const policy = csp({ media: [CDN] });

const app = new Hono();

app.get('/', (c) => c.html(PAGE, 200, { 'content-security-policy': POLICY }));
app.get('/media/lighthouse.svg', (c) => c.body(IMAGE, 200, { 'content-type': 'image/svg+xml' }));

/** The application behind the three, which is what is served. */
export function fetch(request: Request, env: HttpBindings | Http2Bindings): Promise<Response> {
  const client = env.incoming.socket.remoteAddress;
  const toApp = (asked: Request) => app.fetch(asked, env);
  const toPolicy = (asked: Request) => policy(asked, toApp, client);
  const toMedia = (asked: Request) => media(asked, toPolicy, client);
  return previews(request, toMedia, client);
}

if (import.meta.main)
  serve({ fetch, hostname: '127.0.0.1', port: 3000 }, () => console.log('http://127.0.0.1:3000/'));
