/** HTTP/2 at the front edge: its connections, and what they may cost. WebSockets come over HTTP/1.1. */
import {
  performServerHandshake,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Server } from 'node:https';
import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { MAX_HEAD } from './unparsed.ts';

/** What HTTP/2 is called in a TLS handshake (RFC 9113 section 3.1). */
export const H2 = 'h2';

/** Bytes of a request's body that may be on their way. It bounds a connection: 100 of them, 25 MB. */
const STREAM_WINDOW = 256 * 1024;

/** Bytes of all bodies that may be on the wire at once; Node counts them until it has them, not until they are read. */
const CONNECTION_WINDOW = 1024 * 1024;

/** Milliseconds that a client has to close a connection on which it was told goodbye. */
const GOODBYE_TIME = 5_000;

/** A client that sends or takes back more than this is told to go, with GOAWAY. */
const LIMITS: SecureServerOptions = {
  maxHeaderListPairs: 160, // the guard refuses less, and says so
  maxSessionMemory: 10,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  streamResetBurst: 200, // a browser that leaves a page takes back all that it asked for
  streamResetRate: 33,
  strictSingleValueFields: false, // what an origin says twice passes, as over HTTP/1.1
  settings: {
    maxConcurrentStreams: 100,
    maxHeaderListSize: MAX_HEAD,
    initialWindowSize: STREAM_WINDOW,
    enablePush: false,
  },
};

/** What is done with HTTP/2 connections. */
export interface Http2Service {
  /** Serves a request: names and values of its fields, and whether a body follows. */
  readonly serve: (
    socket: TLSSocket,
    stream: ServerHttp2Stream,
    raw: readonly string[],
    hasBody: boolean,
  ) => void;
  /** Milliseconds for which a connection is kept open while nothing is asked on it. */
  readonly keepAliveTimeout: number;
  /** Bytes per second that a client must take of what is still on its way to it. */
  readonly minRate: number;
}

/** Flag of a frame that is the last of its stream (RFC 9113 section 6.2). */
const END_STREAM = 0x1;

/**
 * Takes over those connections of `server` that have agreed upon HTTP/2; the others stay its own. To
 * close it says goodbye on all of them, and requests under way are finished.
 */
export function takeHttp2(
  server: Server,
  { serve, keepAliveTimeout, minRate }: Http2Service,
): void {
  const leaving = new Set<() => void>();
  const [serveHttp1] = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol !== H2) serveHttp1?.call(server, socket);
    else begin(socket);
  });
  const { close } = server;
  server.close = (done) => {
    for (const leave of leaving) leave();
    return close.call(server, done);
  };

  function begin(socket: TLSSocket): void {
    const session = performServerHandshake(socket, LIMITS) as ServerHttp2Session;
    let streams = 0;
    let timer: NodeJS.Timeout | undefined;
    const rest = () => {
      const before = takenOf(socket).bytes;
      const time = session.closed ? GOODBYE_TIME : keepAliveTimeout;
      timer = setTimeout(() => {
        const { bytes, isAll } = takenOf(socket);
        const isTaking = !isAll && bytes - before >= (minRate * time) / 1000;
        if (!isTaking && session.closed) return void socket.destroy();
        if (!isTaking) session.close();
        rest();
      }, time);
    };
    const leave = () => {
      session.close();
      clearTimeout(timer);
      if (streams === 0) rest();
    };
    leaving.add(leave);
    if (server.listening) rest();
    else leave(); // its handshake was under way when the server was closed
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW));
    session.on('error', () => {}); // it is closed by then, and its streams tell
    session.on('stream', (stream, _fields, flags, raw: readonly string[]) => {
      streams += 1;
      clearTimeout(timer);
      stream.once('close', () => {
        streams -= 1;
        if (streams === 0 && !socket.destroyed) rest();
      });
      serve(socket, stream, raw, (flags & END_STREAM) === 0);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      leaving.delete(leave);
    });
  }
}

/**
 * What the kernel has taken of what is sent on a connection. A stream is closed as soon as its last
 * frame is made, and windows let megabytes of frames wait here for a slow network.
 */
function takenOf(socket: TLSSocket): { readonly bytes: number; readonly isAll: boolean } {
  const below: unknown = Reflect.get(socket, '_parent');
  if (!(below instanceof Socket)) return { bytes: 0, isAll: true };
  const waiting: number = Reflect.get(below, '_handle')?.writeQueueSize ?? 0;
  return { bytes: below.bytesWritten - waiting, isAll: waiting === 0 };
}
