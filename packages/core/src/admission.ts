/** Counts connections: who is one too many is told so, in its own words, and then closed. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { HeadgateError } from './errors.ts';

/** Connections beyond `maxConnections` that are told so; any further are closed without a word. */
const MAX_TURNED_AWAY = 256;

/** Milliseconds that such a connection has, at most, to send a request and to get its 503. */
const TURNED_AWAY_TIME = 5_000;

/** Why nothing is served on a connection that has just been opened; nothing if it is welcome. */
export type Admission = (socket: Socket) => HeadgateError | undefined;

/** Counts the connections of `server`, from before a TLS handshake on. Times in milliseconds. */
export function admissionTo(
  server: Server,
  maxConnections: number,
  idleTimeout: number,
): Admission {
  let open = 0;
  server.maxConnections = maxConnections + MAX_TURNED_AWAY;
  server.on('connection', (socket: Socket) => {
    open += 1;
    socket.once('close', () => {
      open -= 1;
    });
  });
  return (socket) => {
    if (open <= maxConnections) return undefined;
    const timer = setTimeout(() => socket.destroy(), Math.min(TURNED_AWAY_TIME, idleTimeout));
    socket.once('close', () => clearTimeout(timer));
    return new HeadgateError('OVERLOADED', `more than ${maxConnections} connections`);
  };
}
