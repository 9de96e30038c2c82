/**
 * Headgate's edges as a process of their own, with short patience, before an origin of its own too.
 * Tells its parent its port, and its connections and memory whenever it is asked.
 */
import { createServer as createOrigin } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';

const PAGE = Buffer.alloc(256 * 1024);
const MS = 3_000;

const origin = createOrigin((req, res) => {
  req.resume().on('end', () => res.end(req.url === '/large' ? PAGE : 'ok'));
}).listen(0, '127.0.0.1', () => {
  const { handler } = upstreamTo(`http://127.0.0.1:${(origin.address() as AddressInfo).port}`);
  const server = createServer({ handler, headTimeout: MS, idleTimeout: MS, keepAliveTimeout: MS });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  let total = 0;
  server.on('connection', () => {
    total += 1;
  });
  process.on('message', () => {
    server.getConnections((_error, connections) => {
      process.send?.({ connections, total, megabytes: process.memoryUsage.rss() / 2 ** 20 });
    });
  });
});
