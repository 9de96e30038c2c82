/** Requests that Node's parser couldn't read: what is wrong with them, and how they are answered. */
import { STATUS_CODES } from 'node:http';
import { EMPTY } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { ProxyResponse } from './exchange.ts';
import { toHeaders, toRaw } from './headers.ts';

/** Bytes that a request's head may have. */
export const MAX_HEAD = 32 * 1024;

/** Stands for a request of which not even the head could be read. */
export const UNREADABLE = {
  id: '',
  method: '',
  url: '',
  headers: toHeaders([]),
  body: EMPTY,
  scheme: 'http',
} as const;

/** What Node's parser found wrong, in our words. */
export function parserError(cause: NodeJS.ErrnoException): HeadgateError {
  switch (cause.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HeadgateError('HEADERS_TOO_LARGE', `the head is over ${MAX_HEAD} bytes`, cause);
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HeadgateError('BODY_TOO_LARGE', 'the chunk extensions are too long', cause);
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HeadgateError('REQUEST_TIMEOUT', 'the head did not come in time', cause);
    default:
      return new HeadgateError('BAD_REQUEST', 'the request is not valid HTTP', cause);
  }
}

/** A response as bytes, for a connection on which no exchange could begin. */
export function onTheWire({ status, headers, body }: ProxyResponse): string {
  const raw = [...toRaw(headers), 'content-length', String((body as Buffer).length)];
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'connection: close'];
  for (let i = 0; i < raw.length; i += 2) lines.push(`${raw[i]}: ${raw[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
