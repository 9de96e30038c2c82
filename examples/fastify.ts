/** A Fastify application that answers preview fetchers from memory: `node examples/fastify.ts`. */
import { createServer } from 'node:http';
import { fedicache } from '@headgate/middleware-fedicache/connect';
import fastify from 'fastify';
import { PAGE } from './site.ts';

const previews = fedicache();

/** The application. */
export const app = fastify({
  // Before Fastify chooses the route and reads the query, which its hooks are too late for.
  serverFactory: (handler) =>
    createServer((req, res) =>
      previews(req, res, (error) => {
        if (error) res.writeHead(500).end();
        else handler(req, res);
      }),
    ),
});

app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE));

if (import.meta.main) console.log(await app.listen({ host: '127.0.0.1', port: 3000 }));
