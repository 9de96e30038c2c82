/**
 * One end of a crowd, in a process of its own. Without an argument an origin: pages, and WebSockets that
 * echo. With an origin's URL Headgate's edges, on one port with tunnels that may be silent for an hour, on
 * another for as many milliseconds as the second argument says. Tells its ports, and how it is when asked.
 */
import { createServer as createOrigin } from 'node:http';
import type { AddressInfo, Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer } from '@headgate/core/server';
import { tunnelTo } from '@headgate/core/upgrade';
import { upstreamTo } from '@headgate/core/upstream';
import { WebSocketServer } from 'ws';

/** How a process of the crowd is. */
export interface State {
  readonly connections: number;
  /** Exchanges that are over, of them tunnels. */
  readonly tunnels: number;
  readonly megabytes: number;
}

let tunnels = 0;

function origin(): Server {
  const server = createOrigin((_req, res) => res.end('ok'));
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => socket.send(data));
  });
  return server;
}

function edges(url: string, idleTimeout: number): Server {
  const { handler } = upstreamTo(url);
  const tunnel = tunnelTo(url, { idleTimeout });
  return createServer({
    handler,
    tunnel,
    finished: ({ status }) => {
      if (status === 101) tunnels += 1;
    },
  });
}

const [url, idle] = process.argv.slice(2);
const servers =
  url === undefined ? [origin()] : [3_600_000, Number(idle)].map((ms) => edges(url, ms));
const ports = servers.map(
  (server) =>
    new Promise<number>((resolve) => {
      server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
        resolve((server.address() as AddressInfo).port),
      );
    }),
);
process.send?.(await Promise.all(ports));
process.on('disconnect', () => process.exit());
process.on('message', async () => {
  // What is garbage isn't what a connection needs.
  globalThis.gc?.();
  await sleep(50);
  const counts = servers.map(
    (server) =>
      new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count))),
  );
  const connections = (await Promise.all(counts)).reduce((sum, count) => sum + count);
  process.send?.({ connections, tunnels, megabytes: process.memoryUsage.rss() / 2 ** 20 });
});
