/** Bodies: dropping, reading, replacing and carrying them. */
import { Readable, type Writable } from 'node:stream';
import { HeadgateError } from './errors.ts';
import type { Body, ProxyResponse } from './exchange.ts';
import { field, withFields } from './headers.ts';

/** "No body". */
export const EMPTY: Buffer = Buffer.alloc(0);

/** True for "no body", also where another copy of this package made it. */
export function isEmpty(body: Body): boolean {
  return Buffer.isBuffer(body) && body.length === 0;
}

/**
 * Gives up a body, so that what it came from (an upstream's socket) is freed; who still reads it is
 * told the reason, if there is one.
 */
export function discard(body: Body, reason?: Error): void {
  if (!(body instanceof Readable)) return;
  body.on('error', () => {});
  body.destroy(reason);
}

/** Calls `over` once: when a body has come to its end or was given up, at once for a buffer. */
export function whenOver(body: Body, over: () => void): void {
  if (body instanceof Readable && !body.closed) body.once('close', over);
  else over();
}

/**
 * Reads a body to its end. Rejects with `BODY_TOO_LARGE` past `limit` bytes, and with the body's
 * own error if it breaks off; either way the body is discarded.
 */
export async function readBody(body: Body, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body instanceof Readable ? body : [body]) {
    size += chunk.length;
    if (size > limit)
      throw new HeadgateError('BODY_TOO_LARGE', `body is over the limit of ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/**
 * The response with another body: for layers that change it. Drops what described the old one
 * (Content-Length, digests, Accept-Ranges) and makes a strong ETag weak (RFC 9110 section 8.8.1).
 * The old body stays the caller's.
 */
export function withBody(response: ProxyResponse, body: Body): ProxyResponse {
  const etag = field(response.headers, 'etag');
  const headers = withFields(response.headers, {
    'content-length': undefined,
    'content-md5': undefined,
    'content-digest': undefined,
    'repr-digest': undefined,
    digest: undefined,
    'accept-ranges': undefined,
    etag: etag === undefined || etag.startsWith('W/') ? etag : `W/${etag}`,
  });
  return { ...response, headers, body };
}

/** What `transfer` tells on the way. */
export interface TransferEvents {
  /** Another chunk of so many bytes was handed to the target. */
  onBytes?: (count: number) => void;
  /** Called once: with nothing when every byte was handed over, with the reason when not. */
  onEnd: (error?: Error) => void;
}

/**
 * Carries `source` into `target` with back-pressure and ends it, but only if `source` came to its
 * own end and was as long as `length` says; else the target is left open for the caller to destroy,
 * since a truncated body must look truncated. Gives the function that stops it early. Cheaper than
 * `stream.pipeline`, which shows where a proxy spends its time; only the edges may use it.
 */
export function transfer(
  source: Readable,
  target: Writable,
  length: number | undefined,
  { onBytes, onEnd }: TransferEvents,
): (reason: Error) => void {
  let count = 0;
  let isOver = false;

  const finish = (error?: Error) => {
    if (isOver) return;
    isOver = true;
    source.off('data', onData);
    target.off('drain', onDrain);
    onEnd(error);
  };
  const onDrain = () => source.resume();
  const onData = (chunk: Buffer) => {
    count += chunk.length;
    if (length !== undefined && count > length)
      return finish(new Error(`body is longer than its Content-Length of ${length}`));
    onBytes?.(chunk.length);
    if (!target.write(chunk)) source.pause();
  };

  target.on('drain', onDrain);
  source.on('data', onData);
  source.once('end', () => {
    if (length !== undefined && count !== length)
      return finish(new Error(`body ended after ${count} of ${length} bytes`));
    if (!isOver) target.end();
    finish();
  });
  source.on('error', finish);
  source.once('close', () => {
    if (!isOver) finish(new Error('body broke off')); // an error costs more than the whole transfer
  });
  if (source.errored) finish(source.errored);
  else if (source.destroyed) finish(new Error('body broke off'));
  else source.resume();
  return finish;
}
