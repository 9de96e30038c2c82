/** Sees to it that clients move when it is their turn: neither drip a body nor leave an answer unread. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { Body } from './exchange.ts';

/** Looks that are taken within one `idleTimeout`. */
const LOOKS = 4;

/** An exchange whose client is watched, and what happens when it is too slow. */
export interface Paced {
  readonly socket: Pick<Socket, 'bytesRead' | 'bytesWritten' | 'writableLength'>;
  /** The request's. */
  readonly body: Body;
  /** The body drips. */
  readonly onDrip: () => void;
  /** Nobody reads the answer. */
  readonly onStall: () => void;
}

/** An exchange that is looked at, and its place among the others. */
interface Watched {
  readonly lookAt: () => void;
  index: number;
}

/** Begins to watch an exchange; gives the function that ends it. */
export type Pacer = (exchange: Paced) => () => void;

/**
 * Makes the pacer of a server. Who is slower than `minRate` bytes per second over a whole
 * `idleTimeout`, in milliseconds, holds a place and gets no work done.
 */
export function pacerOf(server: Server, idleTimeout: number, minRate: number): Pacer {
  // No Set: under churn V8 makes a new table for it again and again, and the old ones, once they are
  // among what is old, keep each other and the exchanges in them alive until all memory is searched.
  const watched: Watched[] = [];
  let timer: NodeJS.Timeout | undefined;
  server.on('listening', () => {
    const look = () => {
      for (const { lookAt } of [...watched]) lookAt();
    };
    timer = setInterval(look, idleTimeout / LOOKS).unref();
  });
  server.on('close', () => clearInterval(timer));

  return (exchange) => {
    const own = { lookAt: watcher(exchange, idleTimeout, minRate), index: watched.length };
    watched.push(own);
    return () => {
      if (watched[own.index] !== own) return;
      const last = watched.pop() as Watched;
      if (last === own) return;
      watched[own.index] = last;
      last.index = own.index;
    };
  };
}

function watcher(
  { socket, body, onDrip, onStall }: Paced,
  idleTimeout: number,
  minRate: number,
): () => void {
  let waited = 0;
  let received = 0;
  let stalled = 0;
  let taken = 0;

  return () => {
    if (!isWaitingFor(body)) waited = 0;
    else if (waited === 0) received = socket.bytesRead;
    else if (waited >= LOOKS) {
      if (socket.bytesRead - received < (minRate * idleTimeout) / 1000) onDrip();
      waited = 0;
    }
    if (isWaitingFor(body)) waited += 1;

    const pending = socket.writableLength;
    const takenNow = socket.bytesWritten - pending;
    if (pending === 0 || takenNow !== taken) {
      taken = takenNow;
      stalled = 0;
      return;
    }
    stalled += idleTimeout / LOOKS;
    // What is written at once is not seen to shrink, so a large piece gets the time that it may take.
    if (stalled > idleTimeout + (pending / minRate) * 1000) onStall();
  };
}

/** True when somebody reads the body and it is the client who lets them wait. */
export function isWaitingFor(body: Body): boolean {
  if (!(body instanceof Readable)) return false;
  const isRead = body.readableFlowing === true || body.listenerCount('readable') > 0;
  return isRead && body.readableLength === 0 && !body.readableEnded && !body.destroyed;
}
