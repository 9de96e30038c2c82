/** The back edge: asks an origin, and frames and times what is said to it and by it. */
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { Readable } from 'node:stream';
import { EMPTY, isEmpty } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { Handler, ProxyRequest, ProxyResponse } from './exchange.ts';
import { FORWARDED, forwardedFields } from './forwarded.ts';
import { field, rawFields, toEndToEnd, toLength, toRaw } from './headers.ts';
import { hopFields, LOOP, viaOf } from './hop.ts';
import { type ConnectionOptions, MAX_FIELD_LINES, MAX_INTERIM, poolOf } from './pool.ts';
import { upload } from './upload.ts';
import { tellRetry } from './upstream-retry.ts';
import { tellAnswer } from './upstream-time.ts';

export { toOrigin } from './origin.ts';

/** How long an upstream is waited for. Milliseconds. */
export interface UpstreamTimes {
  /** For a new connection to be made. Default 5 000. */
  readonly connectTimeout?: number;
  /** From the last byte of the request to the response's head. Default 60 000. */
  readonly headTimeout?: number;
  /** Between two bytes of a response's body. Default 60 000; never for an event stream. */
  readonly idleTimeout?: number;
}

/** How an upstream is asked. */
export interface UpstreamOptions extends UpstreamTimes, ConnectionOptions {
  /** Host field to send. Default: the one that the client sent. */
  readonly host?: string;
  /** Idle connections that are kept for the next request. Default 256. */
  readonly keepAlive?: number;
  /** Says Via in requests. Default false: nginx as an origin stops compressing when it sees one. */
  readonly via?: boolean;
}

/** An origin that can be asked. */
export interface Upstream {
  /**
   * Asks the origin. Rejects with `UPSTREAM_UNREACHABLE`, `UPSTREAM_TIMEOUT` or `UPSTREAM_BROKEN`,
   * or with the reason of the request's signal.
   */
  readonly handler: Handler;
  /** The same upstream and the same connections, waited for as `times` says. */
  readonly within: (times: UpstreamTimes) => Handler;
  /** Lets go of idle connections. */
  close(): void;
}

/** Methods whose requests say nothing of a body when they have none (RFC 9110 section 8.6). */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** Methods that may be sent again when it is unknown whether they arrived (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

const DEFAULT_TIMES = { connectTimeout: 5_000, headTimeout: 60_000, idleTimeout: 60_000 };

/** Makes the innermost handler of a chain. Throws a `TypeError` for a URL that is no origin. */
export function upstreamTo(url: string, options: UpstreamOptions = {}): Upstream {
  const { keepAlive = 256, via = false } = options;
  const { ask, kept, fresh, connected, hostField, close } = poolOf(url, options, keepAlive);
  let isClosed = false;
  const within = (times: UpstreamTimes): Handler => {
    const all = { ...DEFAULT_TIMES, ...times };
    return (request) => attempt(request, kept, all);
  };

  return {
    handler: within(options),
    within: (times) => within({ ...options, ...times }),
    close: () => {
      isClosed = true;
      close();
    },
  };

  function attempt(
    request: ProxyRequest,
    to: RequestOptions,
    times: Required<UpstreamTimes>,
    firstAt?: number,
  ): Promise<ProxyResponse> {
    const started = firstAt ?? performance.now();
    const { connectTimeout, headTimeout, idleTimeout } = times;
    const signal = request.signal();
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const { method, url: path, body } = request;
      const host = options.host ?? field(request.headers, 'host') ?? hostField;
      const headers = fieldsFor(request, host, via);
      const outgoing = ask({ ...to, timeout: headTimeout, method, path, headers });
      let incoming: IncomingMessage | undefined;
      let isConnected = false;
      let bytesBefore = 0;
      let deadline: NodeJS.Timeout | undefined;

      const giveUp = (error: Error) => (incoming ?? outgoing).destroy(error);
      const onAbort = () => giveUp(signal.reason);
      const onFailure = (cause: Error) => {
        if (incoming?.complete) return;
        if (incoming) return void incoming.destroy(cause); // else a reset may pass for the end
        if (signal.aborted) return reject(signal.reason);
        const hasBegun = (outgoing.socket?.bytesRead ?? 0) > bytesBefore;
        const isStale = outgoing.reusedSocket && IDEMPOTENT.has(method) && !hasBegun;
        const isRetried =
          firstAt === undefined && !isClosed && isEmpty(body) && !(cause instanceof HeadgateError);
        if (isRetried && (isStale || !isConnected)) {
          tellRetry(request, isStale ? 'stale-connection' : 'no-connection');
          return resolve(attempt(request, fresh, times, started));
        }
        reject(cause instanceof HeadgateError ? cause : failure(cause, isConnected));
      };

      outgoing.maxHeadersCount = 0; // a limit here drops what is over it in silence
      signal.addEventListener('abort', onAbort, { once: true });
      outgoing.on('socket', (socket) => {
        isConnected = !socket.connecting;
        bytesBefore = socket.bytesRead;
        if (isConnected) return;
        const timer = setTimeout(() => {
          giveUp(new HeadgateError('UPSTREAM_TIMEOUT', 'the upstream took too long to connect'));
        }, connectTimeout);
        socket.once('close', () => clearTimeout(timer));
        socket.once(connected, () => {
          isConnected = true;
          clearTimeout(timer);
        });
      });
      outgoing.on('timeout', () => {
        const isTheirTurn = incoming ? isWaitingFor(incoming) : isSent(outgoing);
        if (isTheirTurn) giveUp(new HeadgateError('UPSTREAM_TIMEOUT', 'the upstream fell silent'));
        else outgoing.socket?.setTimeout(incoming ? idleTimeout : headTimeout);
      });
      outgoing.on('finish', () => {
        if (incoming) return;
        deadline = setTimeout(() => {
          giveUp(new HeadgateError('UPSTREAM_TIMEOUT', 'the response took too long to begin'));
        }, headTimeout);
      });
      onTooManyInterim(outgoing, giveUp);
      outgoing.on('upgrade', (_response, socket) => {
        socket.on('error', () => {}).destroy(); // Node has taken its own listener away
        onFailure(new HeadgateError('UPSTREAM_BROKEN', 'the upstream switched protocols unasked'));
      });
      outgoing.on('response', (response) => {
        if (outgoing.destroyed) return; // the rest of a piece of which we have had enough
        incoming = response;
        clearTimeout(deadline);
        try {
          const answer = toResponse(response, method);
          const type = field(answer.headers, 'content-type');
          const isEventStream = type?.startsWith('text/event-stream');
          const silence = isEventStream ? 0 : idleTimeout;
          if (response.socket.timeout !== silence) response.socket.setTimeout(silence);
          tellAnswer(request, answer.status, started);
          resolve(answer);
        } catch (error) {
          response.destroy();
          reject(error);
        }
      });
      outgoing.on('error', onFailure);
      outgoing.on('close', () => {
        clearTimeout(deadline);
        signal.removeEventListener('abort', onAbort);
        if (!incoming)
          reject(new HeadgateError('UPSTREAM_BROKEN', 'the upstream gave no response'));
      });

      if (body instanceof Readable) upload(body, request, outgoing);
      else if (body.length > 0) outgoing.end(body);
      else outgoing.end();
    });
  }
}

/** A response as it came, checked: status, framing, and no hop-by-hop fields. Throws `UPSTREAM_BROKEN`. */
export function toResponse(incoming: IncomingMessage, method: string): ProxyResponse {
  const { statusCode: status = 0, rawHeaders, httpVersion } = incoming;
  if (incoming.httpVersionMajor !== 1)
    throw new HeadgateError('UPSTREAM_BROKEN', `the upstream speaks HTTP/${httpVersion}`);
  if (status < 200 || status > 599)
    throw new HeadgateError('UPSTREAM_BROKEN', `the upstream's status is ${status}`);
  if (rawHeaders.length > 2 * MAX_FIELD_LINES)
    throw new HeadgateError('UPSTREAM_BROKEN', `more than ${MAX_FIELD_LINES} response fields`);
  const headers = toEndToEnd(rawHeaders.concat('via', viaOf(httpVersion)));
  const codings = rawFields(rawHeaders, 'transfer-encoding');
  const length = field(headers, 'content-length');
  const isClear =
    codings.length === 0
      ? length === undefined || toLength(length) !== undefined
      : codings.join().toLowerCase() === 'chunked' && length === undefined;
  if (!isClear) throw new HeadgateError('UPSTREAM_BROKEN', "the response's length is not clear");
  if (method !== 'HEAD' && status !== 204 && status !== 304)
    return { status, headers, body: incoming };
  incoming.resume();
  return { status, headers, body: EMPTY };
}

/** Tells of an origin that says `1xx` without end, each time anew that it has not forgotten us. */
export function onTooManyInterim(outgoing: ClientRequest, tell: (error: Error) => void): void {
  let count = 0;
  outgoing.on('information', () => {
    count += 1;
    if (count === MAX_INTERIM + 1)
      tell(new HeadgateError('UPSTREAM_BROKEN', `more than ${MAX_INTERIM} interim responses`));
  });
}

/** Fields of a request for an upstream that are said here, whatever the request has of them. */
const OURS = new Set([...FORWARDED, LOOP, 'content-length', 'host']);
const isOurs = (name: string) => OURS.has(name);
const isOursOrVia = (name: string) => name === 'via' || OURS.has(name);

/** The fields of a request for an upstream: what it has, what we know of its client, its framing. */
function fieldsFor(request: ProxyRequest, host: string, via: boolean): string[] {
  const { method, headers, body } = request;
  const raw = ['host', host, ...toRaw(headers, via ? isOursOrVia : isOurs)];
  append(raw, forwardedFields(request));
  append(raw, hopFields(headers, via));

  // Framed here whatever the method: Node frames no body of a GET, HEAD, DELETE or OPTIONS, and
  // what is sent without framing is the next request.
  if (body instanceof Readable) {
    const given = field(headers, 'content-length');
    if (given === undefined) raw.push('transfer-encoding', 'chunked');
    else raw.push('content-length', given);
  } else if (body.length > 0 || !BODILESS.has(method) || Object.hasOwn(headers, 'content-length')) {
    raw.push('content-length', String(body.length));
  }
  return raw;
}

function append(raw: string[], more: Readonly<Record<string, string>>): void {
  for (const name in more) raw.push(name, more[name] as string);
}

/** True when the upstream has got all that there is to get for now: the next word is its own. */
function isSent(outgoing: ClientRequest): boolean {
  return outgoing.writableEnded || outgoing.writableLength > 0;
}

/** True when somebody reads the response and it is the upstream who lets them wait. */
function isWaitingFor(incoming: IncomingMessage): boolean {
  const isRead = incoming.readableFlowing === true || incoming.listenerCount('readable') > 0;
  return isRead && incoming.readableLength === 0;
}

function failure(cause: Error, wasConnected: boolean): HeadgateError {
  return wasConnected
    ? new HeadgateError('UPSTREAM_BROKEN', 'the upstream broke the connection', cause)
    : new HeadgateError('UPSTREAM_UNREACHABLE', "the upstream can't be reached", cause);
}
