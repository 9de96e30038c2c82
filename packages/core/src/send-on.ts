/** Writes a response value to an HTTP/2 stream. */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { discard, type TransferEvents, transfer } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { ProxyResponse } from './exchange.ts';
import { toRaw } from './headers.ts';
import { lengthOf } from './send.ts';

/**
 * Sends `response` with the same Content-Length as over HTTP/1.1 (see `send`). Throws a
 * `HeadgateError`, with nothing written yet, if the response can't be put in HTTP/2; a body that
 * breaks off later is told by `onEnd`, and to end the stream then is the caller's.
 */
export function sendOn(
  stream: ServerHttp2Stream,
  response: ProxyResponse,
  method: string,
  { onBytes, onEnd }: TransferEvents,
): void {
  const { status, headers, body } = response;
  const isStream = body instanceof Readable;
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 205 && status !== 304;
  let length: number | undefined;
  try {
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new HeadgateError('UPSTREAM_BROKEN', `status ${status} is not one of 200 to 599`);
    length = status === 205 ? undefined : lengthOf(response, hasBody);
    const raw = [':status', String(status), ...toRaw(headers, (name) => name === 'content-length')];
    if (length !== undefined) raw.push('content-length', String(length));
    for (let i = 2; i < raw.length; i += 2) {
      // Node takes a name like :status for its own here, and a NUL in a value for the next field.
      validateHeaderName(raw[i] as string);
      validateHeaderValue(raw[i] as string, raw[i + 1] as string);
    }
    const isOver = !hasBody || (!isStream && body.length === 0);
    stream.respond(raw, { endStream: isOver });
    if (isOver || !isStream) {
      discard(body);
      if (!isOver) {
        onBytes?.((body as Buffer).length);
        stream.end(body);
      }
      onEnd();
      return;
    }
  } catch (error) {
    discard(body);
    if (error instanceof HeadgateError) throw error;
    throw new HeadgateError('UPSTREAM_BROKEN', 'the response is not valid HTTP', error);
  }
  const stop = transfer(body as Readable, stream, length, {
    ...(onBytes && { onBytes }),
    onEnd: (error) => {
      if (error) discard(body);
      onEnd(error);
    },
  });
  stream.once('close', () => stop(new HeadgateError('CLIENT_GONE', 'the client left')));
}
