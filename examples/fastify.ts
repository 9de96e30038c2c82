/** A Fastify application with all of Headgate's middleware: `node examples/fastify.ts`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { csp } from '@headgate/middleware-csp/connect';
import { fedicache } from '@headgate/middleware-fedicache/connect';
import { mediaRedirect } from '@headgate/middleware-media-redirect/connect';
import fastify from 'fastify';
import { IMAGE, PAGE, POLICY } from './site.ts';

const CDN = 'https://cdn.example';
const layers = [
  fedicache(),
  mediaRedirect({ rules: [{ from: '/media/', to: `${CDN}/media/` }] }),
  csp({ media: [CDN] }),
];

/** Hands a request from layer to layer, then to the application. */
function through(app: (req: IncomingMessage, res: ServerResponse) => void) {
  return (req: IncomingMessage, res: ServerResponse) => {
    const rest = layers.values();
    const next = (error?: unknown) => {
      const { value: layer } = rest.next();
      if (error) res.writeHead(500).end();
      else if (layer) layer(req, res, next);
      else app(req, res);
    };
    next();
  };
}

/** The application. */
export const app = fastify({
  // Before Fastify chooses the route and reads the query, which its hooks are too late for.
  serverFactory: (handler) => createServer(through(handler)),
});

app.get('/', (_request, reply) =>
  reply.type('text/html; charset=utf-8').header('content-security-policy', POLICY).send(PAGE),
);
app.get('/media/lighthouse.svg', (_request, reply) => reply.type('image/svg+xml').send(IMAGE));

if (import.meta.main) console.log(await app.listen({ host: '127.0.0.1', port: 3000 }));
