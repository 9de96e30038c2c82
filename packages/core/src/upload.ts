/** Sending a request's body upstream, whose answer may come at any time. */
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { transfer } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { ProxyRequest } from './exchange.ts';
import { field } from './headers.ts';

/** Pooled sockets that need nothing more. */
const readsOn = new WeakSet<Socket>();

/** Sends a body. What stops it on either side ends both. */
export function upload(body: Readable, { headers }: ProxyRequest, outgoing: ClientRequest): void {
  const given = field(headers, 'content-length');
  const stop = transfer(body, outgoing, given === undefined ? undefined : Number(given), {
    onEnd: (error) => {
      if (!error) return;
      outgoing.destroy(error instanceof HeadgateError ? error : broken(error));
      body.resume(); // what is left is in the next request's way
    },
  });
  const broken = (cause: Error) =>
    new HeadgateError('BAD_REQUEST', "the request's body broke off", cause);
  outgoing.once('socket', readOn);
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) stop(new Error('the upstream connection is gone'));
  });
  // An answer that came early and is over: nobody reads the rest of the body any more.
  outgoing.once('response', (incoming) =>
    incoming.once('close', () => {
      if (!outgoing.writableFinished) outgoing.destroy();
    }),
  );
}

/**
 * Lets a socket be read to its end when it can't be written any more. An origin that refuses an upload
 * and closes leaves its answer there, and Node would throw it away with the failed write.
 */
function readOn(socket: Socket): void {
  if (readsOn.has(socket)) return;
  readsOn.add(socket);
  const { _write, _writev } = socket;
  socket._write = (chunk, encoding, done) => _write.call(socket, chunk, encoding, () => done());
  if (_writev) socket._writev = (chunks, done) => _writev.call(socket, chunks, () => done());
}
