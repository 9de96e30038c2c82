/** Writes a response value to a Node response. Nothing else in Headgate writes to clients. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import { Readable } from 'node:stream';
import { discard, transfer } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { ProxyResponse } from './exchange.ts';
import { field, toLength, toRaw, withFields } from './headers.ts';
import { reset } from './reset.ts';

/** How `send` writes and what it tells. */
export interface SendOptions {
  /** Ends the connection after this response. */
  readonly isLast?: boolean;
  /** Leaves the response open when all is written: to end it is the caller's. Not for streams. */
  readonly staysOpen?: boolean;
  /** Told the size of every piece of the body that is handed to the connection. */
  readonly onBytes?: (count: number) => void;
  /** Told why a body broke off. The connection is destroyed by then. */
  readonly onBroken?: (error: Error) => void;
  /** Writes the head; for hosts whose patched `writeHead` doesn't know raw lists. */
  readonly writeHead?: (res: ServerResponse, status: number, raw: string[]) => void;
}

/**
 * Sends `response`. Content-Length is computed for a buffer and sent as given for a stream (which
 * must then be as long as it says), for HEAD and for 304. Throws a `HeadgateError`, with nothing
 * written yet, if the response can't be put in HTTP; a body that breaks off later destroys the
 * connection, since a truncated body must look truncated.
 */
export function send(
  response: ProxyResponse,
  res: ServerResponse,
  options: SendOptions = {},
): void {
  const { status, headers, body } = response;
  const isStream = body instanceof Readable;
  const hasBody = res.req.method !== 'HEAD' && status !== 204 && status !== 304;
  try {
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new HeadgateError('UPSTREAM_BROKEN', `status ${status} is not one of 200 to 599`);
    const length = lengthOf(response, hasBody);
    const raw = toRaw(headers, (name) => name === 'content-length');
    if (length !== undefined) raw.push('content-length', String(length));
    if (options.isLast) raw.push('connection', 'close');
    if (options.writeHead) options.writeHead(res, status, raw);
    else res.writeHead(status, raw);
    if (!isStream || !hasBody) {
      discard(body);
      if (!isStream && hasBody) options.onBytes?.(body.length);
      const bytes = isStream || !hasBody ? undefined : body;
      if (!options.staysOpen) res.end(bytes);
      else if (bytes) res.write(bytes);
      else res.flushHeaders();
      return;
    }
    const whole = wholeOf(body, length);
    if (whole) {
      options.onBytes?.(whole.length);
      res.end(whole);
      return;
    }
    if (body.readableLength === 0 && !body.readableEnded) res.flushHeaders();
    carry(body, res, length, options);
  } catch (error) {
    discard(body);
    if (error instanceof HeadgateError) throw error;
    throw new HeadgateError('UPSTREAM_BROKEN', 'the response is not valid HTTP', error);
  }
}

/** The response for a failed exchange. Reasons are told for what the client did, not for the rest. */
export function errorResponse({ status, message }: HeadgateError): ProxyResponse {
  const reason = `${status} ${STATUS_CODES[status] ?? 'Error'}`;
  const body = Buffer.from(status < 500 ? `${reason}: ${message}\n` : `${reason}\n`);
  const headers = withFields(
    {},
    {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      allow: status === 405 ? 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' : undefined,
    },
  );
  return { status, headers, body };
}

/**
 * The Content-Length to send: a buffer's own, else what was given, which must be one number; none
 * where there can't be one.
 */
export function lengthOf(
  { status, headers, body }: ProxyResponse,
  hasBody: boolean,
): number | undefined {
  if (status === 204) return undefined;
  const given = field(headers, 'content-length');
  const length = given === undefined ? undefined : toLength(given);
  if (given !== undefined && length === undefined)
    throw new HeadgateError('UPSTREAM_BROKEN', 'the Content-Length is not one number');
  return Buffer.isBuffer(body) && (hasBody || body.length > 0) ? body.length : length;
}

/** A body of which all has come already and that nobody reads, as most pages: it needs no carrying. */
function wholeOf(body: Readable, length: number | undefined): Buffer | undefined {
  const isWhole = 'complete' in body && body.complete === true; // said by Node's IncomingMessage alone
  if (!isWhole || !length || body.readableLength !== length) return undefined;
  // Of one that flows, this would be the first piece; with a length, its end would never be told.
  return body.readableFlowing === null ? (body.read() ?? undefined) : undefined;
}

function carry(
  body: Readable,
  res: ServerResponse,
  length: number | undefined,
  { onBytes, onBroken }: SendOptions,
): void {
  const onEnd = (error?: Error) => {
    if (error === undefined) return;
    discard(body);
    onBroken?.(error);
    cutOff(res, length);
  };
  const stop = transfer(body, res, length, onBytes ? { onBytes, onEnd } : { onEnd });
  res.once('close', () => {
    if (!res.writableFinished) stop(new HeadgateError('CLIENT_GONE', 'the client left'));
  });
}

/**
 * Ends the connection so that it can't be taken for a clean end: where the end of the connection is
 * the end of the body (HTTP/1.0, no length), only a reset says that something is missing.
 */
function cutOff(res: ServerResponse, length: number | undefined): void {
  if (length === undefined && !res.chunkedEncoding && res.socket) reset(res.socket);
  res.destroy();
}
