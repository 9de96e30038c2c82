/**
 * The tunnel beside the onion: carries WebSockets by http-proxy-3. What it would do unchecked (tunnel
 * whatever says 101, buffer a refusal without end, wait for ever) is taken out of its hands.
 */
import { createHash } from 'node:crypto';
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy-3';
import { HeadgateError } from './errors.ts';
import type { Finished, ProxyRequest, ProxyResponse } from './exchange.ts';
import { forwardedFields } from './forwarded.ts';
import { field, rawFields, toEndToEnd } from './headers.ts';
import { hopFields, viaOf } from './hop.ts';
import { lookupOnce } from './lookup.ts';
import { toOrigin } from './origin.ts';
import { type ConnectionOptions, MAX_FIELD_LINES, MAX_HEAD } from './pool.ts';
import { errorResponse, send } from './send.ts';
import { onTooManyInterim, toResponse } from './upstream.ts';

/** The client's side of a tunnel, as Node's `upgrade` event gives it. */
export interface TunnelClient {
  readonly req: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** How a tunnel ended: 101 when it was one, else the status of the refusal. */
export type TunnelOutcome = Pick<Finished, 'status' | 'response' | 'error'>;

/** Opens a tunnel for an upgrade request, or answers that there is none; tells once how it ended. */
export type Tunnel = (
  request: ProxyRequest,
  client: TunnelClient,
  finished: (outcome: TunnelOutcome) => void,
) => void;

/** How tunnels are opened and kept. Times in milliseconds. */
export interface TunnelOptions extends ConnectionOptions {
  /** Host field to send. Default: the one that the client sent. */
  readonly host?: string;
  /** For a new connection to the upstream to be made. Default 5 000. */
  readonly connectTimeout?: number;
  /** For the upstream to answer the handshake. Default 60 000. */
  readonly headTimeout?: number;
  /** For which a tunnel may be silent in both directions. Default 3 600 000, an hour. */
  readonly idleTimeout?: number;
  /** Says Via in handshakes. Default false. */
  readonly via?: boolean;
}

/** Milliseconds of silence after which TCP asks whether the other side is still there. */
const TCP_KEEP_ALIVE = 30_000;

/** What a server adds to the key to prove that it speaks WebSocket (RFC 6455 section 1.3). */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** True for a well-formed WebSocket handshake without a body (RFC 6455 section 4.1). */
export function isWebSocket({ method, httpVersion, rawHeaders }: IncomingMessage): boolean {
  const only = (name: string) => {
    const [value, ...more] = rawFields(rawHeaders, name);
    return more.length === 0 ? value : undefined;
  };
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    only('upgrade')?.toLowerCase() === 'websocket' &&
    only('sec-websocket-version') === '13' &&
    /^[+/0-9A-Za-z]{22}==$/.test(only('sec-websocket-key') ?? '') &&
    rawFields(rawHeaders, 'transfer-encoding').length === 0 &&
    rawFields(rawHeaders, 'content-length').every((length) => length === '0')
  );
}

/** A Node response on a socket that left its server's hands; it ends the connection. */
export function responseOn(req: IncomingMessage, socket: Duplex): ServerResponse {
  socket.on('error', () => {});
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  res.assignSocket(socket as Socket);
  res.once('finish', () => (socket as Socket).destroySoon());
  socket.on('drain', () => res.emit('drain')); // the server would pass it on; it is gone
  return res;
}

/** Makes the tunnel to an origin. Throws a `TypeError` for a URL that is no origin. */
export function tunnelTo(url: string, options: TunnelOptions = {}): Tunnel {
  const { connectTimeout = 5_000, headTimeout = 60_000, idleTimeout = 3_600_000 } = options;
  const { ca, host, verify, via = false } = options;
  const { socketPath, ...origin } = toOrigin(url);
  const { port, isTls } = origin;
  const protocol = isTls ? 'https:' : 'http:';
  const proxy = httpProxy.createProxyServer({
    target: { host: origin.host, port, protocol, ...(socketPath !== undefined && { socketPath }) },
    toProxy: true,
    prependPath: false,
    secure: verify !== false,
    ...(ca !== undefined && { ca }),
  });
  proxy.on('error', () => {}); // every fault is seen where it happens; unheard, this would throw
  let opened: ClientRequest | undefined;
  proxy.on('proxyReqWs', (outgoing) => {
    opened = outgoing;
  });

  return (request, { req, socket, head }, finished) => {
    let outcome: TunnelOutcome = { status: 499 };
    let isSettled = false;
    socket.on('error', () => {});
    socket.once('close', () => {
      outgoing.destroy();
      finished(outcome);
    });

    proxy.ws(shim(request), socket as Socket, head, { ssl: target(request) }, () => {});
    const outgoing = opened as ClientRequest;
    const [connect] = outgoing.listeners('upgrade');
    for (const event of ['upgrade', 'response', 'error']) outgoing.removeAllListeners(event);

    const unwatch = watch(socket);
    const refuse = (response: ProxyResponse, error?: HeadgateError) => {
      isSettled = true;
      outcome = { status: response.status, response, ...(error && { error }) };
      (socket as Socket).setTimeout(headTimeout, () => {
        const stalled = new HeadgateError('UPSTREAM_TIMEOUT', 'the refusal stalled');
        outcome = { ...outcome, error: stalled };
        socket.destroy();
      });
      send(response, responseOn(req, socket), {
        isLast: true,
        onBroken: (cause) => {
          const broken = new HeadgateError('UPSTREAM_BROKEN', 'the refusal broke off', cause);
          outcome = { ...outcome, error: broken };
        },
      });
    };
    const fail = (cause: Error) => {
      if (isSettled) return;
      outgoing.destroy();
      const error = toFailure(cause);
      refuse(errorResponse(error), error);
    };

    outgoing.maxHeadersCount = 0; // a limit here drops what is over it in silence
    const deadline = setTimeout(() => {
      fail(new HeadgateError('UPSTREAM_TIMEOUT', 'the upstream took too long to answer'));
    }, headTimeout);
    const connecting = setTimeout(() => {
      fail(new HeadgateError('UPSTREAM_TIMEOUT', 'the upstream took too long to connect'));
    }, connectTimeout);
    outgoing.once('socket', (upstream) => {
      upstream.once(isTls ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
    });
    outgoing.once('close', () => clearTimeout(connecting));
    outgoing.on('error', fail);
    onTooManyInterim(outgoing, fail);
    outgoing.on('close', () => fail(new Error('the upstream gave no response')));
    for (const event of ['close', 'response', 'upgrade'])
      outgoing.once(event, () => clearTimeout(deadline));
    outgoing.on('response', (incoming: IncomingMessage) => {
      if (isSettled) return void incoming.destroy();
      outgoing.on('error', (cause) => incoming.destroy(cause)); // else a reset may pass for the end
      try {
        refuse(toResponse(incoming, 'GET'));
      } catch (error) {
        incoming.destroy();
        fail(error as Error);
      }
    });
    outgoing.on('upgrade', (incoming: IncomingMessage, upstream: Socket, first: Buffer) => {
      if (isSettled || !isAccepted(incoming, request)) {
        upstream.on('error', () => {}).destroy(); // Node has taken its own listener away
        return fail(
          new HeadgateError('UPSTREAM_BROKEN', 'the upstream switched to something else'),
        );
      }
      isSettled = true;
      outcome = { status: 101 };
      unwatch();
      incoming.headers = upgradeFields(incoming);
      connect?.call(outgoing, incoming, upstream, first);
      upstream.once('close', () => (socket as Socket).destroySoon());
      for (const side of [socket as Socket, upstream]) side.setKeepAlive(true, TCP_KEEP_ALIVE);
      (socket as Socket).setTimeout(idleTimeout, () => socket.destroy());
    });
  };

  /** What http-proxy-3 reads of a request; our fields, so that none of its own rules apply. */
  function shim(request: ProxyRequest): IncomingMessage {
    const headers = {
      ...request.headers,
      ...(host !== undefined && { host }),
      ...forwardedFields(request),
      ...hopFields(request.headers, via),
      connection: 'Upgrade',
      upgrade: 'websocket',
    };
    const { url } = request;
    return {
      method: 'GET',
      url,
      headers,
      httpVersion: '1.1',
      httpVersionMajor: 1,
    } as IncomingMessage;
  }

  /** Options of the upstream request. It would rewrite the path, so the path can't be written. */
  function target({ url }: ProxyRequest): object {
    const servername = options.servername ?? origin.servername;
    const base = { servername, maxHeaderSize: MAX_HEAD, lookup: lookupOnce };
    return Object.defineProperty(base, 'path', { get: () => url, set: () => {}, enumerable: true });
  }
}

/**
 * Closes the socket when its client leaves, while nothing is read from it yet: what the client sends
 * meanwhile (one buffer of it at most) waits there for the upstream's word.
 */
function watch(socket: Duplex): () => void {
  const onEnd = () => socket.destroy();
  const onReadable = () => {
    if (socket.readableLength === 0) socket.read(); // at the end, and only there, this says so
  };
  socket.on('readable', onReadable);
  socket.on('end', onEnd);
  return () => {
    socket.off('readable', onReadable);
    socket.off('end', onEnd);
  };
}

/** True when the upstream really switched to the WebSocket that was asked for. */
function isAccepted({ rawHeaders }: IncomingMessage, { headers }: ProxyRequest): boolean {
  const proof = createHash('sha1').update(`${field(headers, 'sec-websocket-key')}${GUID}`);
  return (
    rawHeaders.length <= 2 * MAX_FIELD_LINES &&
    rawFields(rawHeaders, 'upgrade').join().toLowerCase() === 'websocket' &&
    rawFields(rawHeaders, 'sec-websocket-accept').join() === proof.digest('base64')
  );
}

function upgradeFields({ rawHeaders, httpVersion }: IncomingMessage): IncomingHttpHeaders {
  const fields = toEndToEnd(rawHeaders.concat('via', viaOf(httpVersion)));
  const headers = { ...fields, connection: 'Upgrade', upgrade: 'websocket' };
  return headers as unknown as IncomingHttpHeaders;
}

function toFailure(cause: Error): HeadgateError {
  if (cause instanceof HeadgateError) return cause;
  return new HeadgateError('UPSTREAM_UNREACHABLE', "the upstream can't be reached", cause);
}
