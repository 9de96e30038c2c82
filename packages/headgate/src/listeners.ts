/** Opening and closing the doors: listening, and a stop that lets what is under way finish. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Address } from './address.ts';

/** A server that listens. */
export interface Listener {
  /** Where it really listens: the port is known when 0 was asked for. */
  readonly address: Address;
  /**
   * Takes no new connections, lets requests under way finish for at most `drain` milliseconds, then
   * destroys what is left. Tunnels end with the last request: they would never finish.
   */
  stop(drain: number): Promise<void>;
}

/** Milliseconds between two looks for connections that have become idle while draining. */
const LOOK = 50;

/** Starts to listen. Rejects with Node's error (`EADDRINUSE`, `EACCES`) when it can't. */
export async function listen(server: Server, address: Address): Promise<Listener> {
  const stop = stopOf(server);
  server.listen(address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { address: { ...address, port }, stop };
}

/** What stops a server as `Listener.stop` says. To be called before it listens. */
export function stopOf(server: Server): Listener['stop'] {
  const sockets = new Set<Socket>();
  const know = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  };
  server.on('connection', know);
  server.on('secureConnection', know); // here the same again, and what it has read is without TLS
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
  });
  const tunnels = new Set<Duplex>();
  server.on('upgrade', (_req, socket) => {
    tunnels.add(socket);
    socket.once('close', () => tunnels.delete(socket));
  });
  return async (drain) => {
    const isClosed = once(server, 'close');
    server.close();
    const looks = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      if (connections === tunnels.size) for (const socket of tunnels) socket.destroy();
    }, LOOK);
    const deadline = setTimeout(() => {
      for (const socket of sockets) socket.destroy();
    }, drain);
    await isClosed;
    // It says so before the connections that were destroyed do, whose exchanges are reported then.
    const ends = Array.from(sockets, (socket) => new Promise((done) => socket.once('close', done)));
    await Promise.all(ends);
    clearInterval(looks);
    clearTimeout(deadline);
  };
}
