/** The back edge: asks an origin, and frames and times what is said to it and by it. */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { EMPTY, transfer } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { Handler, ProxyRequest, ProxyResponse } from './exchange.ts';
import { forwardedFields } from './forwarded.ts';
import { field, rawFields, toEndToEnd, toRaw } from './headers.ts';
import { toOrigin } from './origin.ts';

/** How an upstream is asked. Times in milliseconds. */
export interface UpstreamOptions {
  /** For a new connection to be made. Default 5 000. */
  readonly connectTimeout?: number;
  /** From the last byte of the request to the response's head. Default 60 000. */
  readonly headTimeout?: number;
  /** Between two bytes of a response's body. Default 60 000; never for an event stream. */
  readonly idleTimeout?: number;
  /** Idle connections that are kept for the next request. Default 256. */
  readonly keepAlive?: number;
}

/** An origin that can be asked. */
export interface Upstream {
  /**
   * Asks the origin. Rejects with `UPSTREAM_UNREACHABLE`, `UPSTREAM_TIMEOUT` or `UPSTREAM_BROKEN`,
   * or with the reason of the request's signal.
   */
  readonly handler: Handler;
  /** Lets go of idle connections. */
  close(): void;
}

/** Milliseconds after which an idle connection is closed, before common origins do it (60 s). */
const IDLE_CONNECTION = 55_000;

/** Bytes that a response's head may have. */
const MAX_HEAD = 64 * 1024;

/** Methods whose requests say nothing of a body when they have none (RFC 9110 section 8.6). */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** Methods that may be sent again when it is unknown whether they arrived (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Makes the innermost handler of a chain. Throws a `TypeError` for a URL that is no origin. */
export function upstreamTo(url: string, options: UpstreamOptions = {}): Upstream {
  const { connectTimeout = 5_000, headTimeout = 60_000, idleTimeout = 60_000 } = options;
  const {
    host,
    port,
    isTls,
    servername,
    url: { host: hostField },
  } = toOrigin(url);
  const Agent = isTls ? HttpsAgent : HttpAgent;
  const pool = new Agent({
    keepAlive: true,
    maxFreeSockets: options.keepAlive ?? 256,
    scheduling: 'lifo',
    timeout: IDLE_CONNECTION,
  });
  const fresh = new Agent({ keepAlive: false });
  let isClosed = false;
  const ask = isTls ? httpsRequest : httpRequest;
  const target: RequestOptions & { servername: string } = {
    host,
    port,
    servername,
    agent: pool,
    maxHeaderSize: MAX_HEAD,
    timeout: headTimeout,
  };

  return {
    handler: (request) => attempt(request, target),
    close: () => {
      isClosed = true;
      pool.destroy();
      fresh.destroy();
    },
  };

  function attempt(request: ProxyRequest, to: RequestOptions): Promise<ProxyResponse> {
    const signal = request.signal();
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const { method, url: path, body } = request;
      const outgoing = ask({ ...to, method, path, headers: fieldsFor(request, hostField) });
      let incoming: IncomingMessage | undefined;
      let isConnected = false;
      let bytesBefore = 0;
      let deadline: NodeJS.Timeout | undefined;

      const giveUp = (error: Error) => (incoming ?? outgoing).destroy(error);
      const onAbort = () => giveUp(signal.reason);
      const onFailure = (cause: Error) => {
        if (incoming) return void incoming.destroy(cause); // else a reset may pass for the end
        if (signal.aborted) return reject(signal.reason);
        const hasBegun = (outgoing.socket?.bytesRead ?? 0) > bytesBefore;
        const isStale = outgoing.reusedSocket && IDEMPOTENT.has(method) && !hasBegun;
        const isRetried =
          to.agent === pool && !isClosed && isEmpty(body) && !(cause instanceof HeadgateError);
        if (isRetried && (isStale || !isConnected))
          return resolve(attempt(request, { ...to, agent: fresh }));
        reject(cause instanceof HeadgateError ? cause : failure(cause, isConnected));
      };

      outgoing.maxHeadersCount = 0; // a limit here drops what is over it in silence
      signal.addEventListener('abort', onAbort, { once: true });
      outgoing.once('socket', (socket) => {
        isConnected = !socket.connecting;
        bytesBefore = socket.bytesRead;
        if (isConnected) return;
        const timer = setTimeout(() => {
          giveUp(new HeadgateError('UPSTREAM_TIMEOUT', 'the upstream took too long to connect'));
        }, connectTimeout);
        socket.once('close', () => clearTimeout(timer));
        socket.once(isTls ? 'secureConnect' : 'connect', () => {
          isConnected = true;
          clearTimeout(timer);
        });
      });
      outgoing.on('timeout', () => {
        const isTheirTurn = incoming ? isWaitingFor(incoming) : isSent(outgoing);
        if (isTheirTurn) giveUp(new HeadgateError('UPSTREAM_TIMEOUT', 'the upstream fell silent'));
        else outgoing.socket?.setTimeout(incoming ? idleTimeout : headTimeout);
      });
      outgoing.once('finish', () => {
        if (incoming) return;
        deadline = setTimeout(() => {
          giveUp(new HeadgateError('UPSTREAM_TIMEOUT', 'the response took too long to begin'));
        }, headTimeout);
      });
      outgoing.on('upgrade', (_response, socket) => {
        socket.destroy();
        onFailure(new HeadgateError('UPSTREAM_BROKEN', 'the upstream switched protocols unasked'));
      });
      outgoing.on('response', (response) => {
        incoming = response;
        clearTimeout(deadline);
        try {
          const answer = toResponse(response, method);
          const type = field(answer.headers, 'content-type');
          const isEventStream = type?.startsWith('text/event-stream');
          outgoing.socket?.setTimeout(isEventStream ? 0 : idleTimeout);
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
      else outgoing.end(body);
    });
  }
}

/** A response as it came, checked: status, framing, and no hop-by-hop fields. Throws `UPSTREAM_BROKEN`. */
export function toResponse(incoming: IncomingMessage, method: string): ProxyResponse {
  const { statusCode: status = 0, rawHeaders } = incoming;
  if (status < 200 || status > 599)
    throw new HeadgateError('UPSTREAM_BROKEN', `the upstream's status is ${status}`);
  const headers = toEndToEnd(rawHeaders);
  const codings = rawFields(rawHeaders, 'transfer-encoding');
  const length = field(headers, 'content-length');
  const isClear =
    codings.length === 0
      ? length === undefined || /^\d{1,15}$/.test(length)
      : codings.join().toLowerCase() === 'chunked' && length === undefined;
  if (!isClear) throw new HeadgateError('UPSTREAM_BROKEN', "the response's length is not clear");
  if (method !== 'HEAD' && status !== 204 && status !== 304)
    return { status, headers, body: incoming };
  incoming.resume();
  return { status, headers, body: EMPTY };
}

/** The fields of a request for an upstream: what it has, what we know of its client, its framing. */
export function fieldsFor(request: ProxyRequest, upstreamHost: string): string[] {
  const { method, headers, body } = request;
  const forwarded = forwardedFields(request);
  const given = field(headers, 'content-length');
  const raw = toRaw(headers, (name) => name === 'content-length' || Object.hasOwn(forwarded, name));
  if (headers.host === undefined) raw.push('host', upstreamHost);
  for (const name in forwarded) raw.push(name, forwarded[name] as string);

  // Framed here whatever the method: Node frames no body of a GET, HEAD, DELETE or OPTIONS, and
  // what is sent without framing is the next request.
  if (body instanceof Readable) {
    if (given === undefined) raw.push('transfer-encoding', 'chunked');
    else raw.push('content-length', given);
  } else if (body.length > 0 || given !== undefined || !BODILESS.has(method)) {
    raw.push('content-length', String(body.length));
  }
  return raw;
}

/** Sends a body. What stops it on either side ends both. */
function upload(body: Readable, { headers }: ProxyRequest, outgoing: ClientRequest): void {
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

/** True when the upstream has got all that there is to get for now: the next word is its own. */
function isSent(outgoing: ClientRequest): boolean {
  return outgoing.writableEnded || outgoing.writableLength > 0;
}

/** True when somebody reads the response and it is the upstream who lets them wait. */
function isWaitingFor(incoming: IncomingMessage): boolean {
  const isRead = incoming.readableFlowing === true || incoming.listenerCount('readable') > 0;
  return isRead && incoming.readableLength === 0;
}

function isEmpty(body: ProxyRequest['body']): boolean {
  return body instanceof Buffer && body.length === 0;
}

function failure(cause: Error, wasConnected: boolean): HeadgateError {
  return wasConnected
    ? new HeadgateError('UPSTREAM_BROKEN', 'the upstream broke the connection', cause)
    : new HeadgateError('UPSTREAM_UNREACHABLE', "the upstream can't be reached", cause);
}
