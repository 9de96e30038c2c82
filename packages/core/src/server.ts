/** The front edge: a server that turns requests into values and writes values back. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { admissionTo } from './admission.ts';
import { EMPTY } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { Finished, Handler, Headers, ProxyRequest, ProxyResponse } from './exchange.ts';
import { type OriginationReader, originationBy, plainAddress } from './forwarded.ts';
import { takeHttp2 } from './http2.ts';
import { pacerOf } from './pace.ts';
import { type Hosts, receiver } from './receive.ts';
import { errorResponse } from './send.ts';
import {
  aConnection,
  bytesSince,
  type Circumstances,
  type Connection,
  type Service,
  serve,
} from './serve.ts';
import { serveStream } from './serve-stream.ts';
import { secureServer, type TlsSettings } from './tls.ts';
import { MAX_HEAD, onTheWire, parserError, UNREADABLE } from './unparsed.ts';
import { isWebSocket, responseOn, type Tunnel } from './upgrade.ts';

export {
  addressList,
  type OriginationReader,
  originationBy,
  type ProxySecret,
  type Trust,
} from './forwarded.ts';
export type { Certificates, Pair, TlsSettings } from './tls.ts';
export { errorResponse };

/** What a server needs to know. */
export interface ServerOptions {
  readonly handler: Handler;
  /** Carries WebSockets. Without it an upgrade is served as the plain request that it also is. */
  readonly tunnel?: Tunnel;
  /** Chooses the tunnel of a handshake; without one it is served as a plain request. */
  readonly tunnelFor?: (request: ProxyRequest) => Tunnel | undefined;
  /** Name of the site that requests are for, or what tells it. Default `'default'`. */
  readonly site?: string | ((headers: Headers) => string);
  /**
   * Proxies in front whose forwarding fields are believed: addresses, CIDRs, `loopback`, `private`.
   * Default none.
   */
  readonly trusted?: readonly string[];
  /**
   * Makes the answer for an exchange that failed here; the origin's own errors pass untouched. Never
   * throws. Default `errorResponse`, which also answers where no request could be read.
   */
  readonly errorPage?: (error: HeadgateError, request: ProxyRequest) => ProxyResponse;
  /** Finds out who a client is, in place of `trusted`; see `originationBy`. */
  readonly origination?: OriginationReader;
  /** True for fields, besides forwarding ones, that never get behind the server: a CDN's secret. */
  readonly isPrivate?: (name: string) => boolean;
  /** Names that are served, any other Host is answered with 421. Default: every valid Host is. */
  readonly hosts?: Hosts;
  /** Told of every exchange exactly once, when its last byte is out or its connection is gone. */
  readonly finished?: (exchange: Finished) => void;
  /** Milliseconds in which a request's head must be complete. Default 60 000. */
  readonly headTimeout?: number;
  /** Milliseconds for which a client may send or take nothing when it is its turn. Default 60 000. */
  readonly idleTimeout?: number;
  /** Bytes per second that a client must send or take, over an `idleTimeout`. Default 500. */
  readonly minRate?: number;
  /** Milliseconds for which a connection is kept open between requests. Default 75 000. */
  readonly keepAliveTimeout?: number;
  /** Connections at once; the next are answered with 503. A tunnel is one. Default 10 000. */
  readonly maxConnections?: number;
  /** Speaks TLS, and nothing else: HTTP/2 or HTTP/1.1, as the client likes. Default: no TLS. */
  readonly tls?: TlsSettings;
}

/** Requests that may wait on one connection for their turn. Browsers and proxies send none ahead. */
const MAX_WAITING = 32;

/**
 * Makes an HTTP server that answers with `handler`; to `listen` is the caller's. Once it is
 * closed, answers still under way end their connections. Throws a `TypeError` for wrong options.
 */
export function createServer(options: ServerOptions): Server {
  const { handler, tunnel, site = 'default', finished, idleTimeout = 60_000 } = options;
  const { origination = originationBy(options.trusted), isPrivate, hosts } = options;
  const { maxConnections = 10_000, minRate = 500, errorPage = errorResponse } = options;
  const siteOf = typeof site === 'function' ? site : () => site;
  const tunnelFor = options.tunnelFor ?? (tunnel && (() => tunnel));
  const connections = new WeakMap<Duplex, Connection>();
  const notUpgraded = new WeakSet<IncomingMessage>();

  const unknownExpectation = new HeadgateError(
    'EXPECTATION_FAILED',
    'the only expectation known here is 100-continue',
  );
  const http = {
    maxHeaderSize: MAX_HEAD,
    headersTimeout: options.headTimeout ?? 60_000,
    requestTimeout: 0, // an upload may take hours; a silence in it may not: idleTimeout
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: options.keepAliveTimeout ?? 75_000,
    requireHostHeader: false, // the guard's rule is stricter, and its answer is reported
    shouldUpgradeCallback: (req: IncomingMessage) => {
      if (tunnelFor !== undefined && isWebSocket(req)) return true;
      notUpgraded.add(req);
      return false;
    },
  };
  const secure = options.tls && secureServer(http, options.tls);
  const server = secure?.server ?? createHttpServer(http);
  server.maxHeadersCount = 0; // a limit here drops what is over it in silence; the guard counts
  server.timeout = idleTimeout;

  const isMisdirected = secure?.isMisdirected;
  const receive = receiver({ siteOf, origination, isPrivate, hosts, isMisdirected });
  const watch = pacerOf(server, idleTimeout, minRate);
  const service: Service = { server, handler, receive, errorPage, finished, idleTimeout, watch };
  const serveWith = (known?: Circumstances) => (req: IncomingMessage, res: ServerResponse) => {
    // Node loses what comes in one piece with a request whose upgrade is declined.
    const circumstances = notUpgraded.has(req) ? { ...known, isLast: true } : known;
    const connection = connectionOf(req.socket);
    if (!connection.isBusy) serve(service, connection, req, res, circumstances);
    else if (connection.waiting.length < MAX_WAITING) wait(connection, req, res, circumstances);
    else req.socket.destroy();
  };

  if (secure)
    takeHttp2(secure.server, {
      keepAliveTimeout: http.keepAliveTimeout,
      minRate,
      serve: (socket, stream, raw, hasBody) => {
        const refusal = connections.get(socket)?.refusal;
        serveStream(service, { stream, raw, hasBody, socket, refusal });
      },
    });
  const refusalOf = admissionTo(server, maxConnections, idleTimeout);
  server.on(secure ? 'secureConnection' : 'connection', admit);
  server.on('request', serveWith());
  server.on('checkContinue', (req, res) => {
    const isOnly = req.headers.expect?.toLowerCase() === '100-continue';
    serveWith(isOnly ? { expectsContinue: true } : { refusal: unknownExpectation })(req, res);
  });
  server.on('checkExpectation', serveWith({ refusal: unknownExpectation }));
  server.on('connect', (req, socket) => {
    if (isFree(socket)) serveWith()(req, responseOn(req, socket));
    else socket.destroy();
  });
  server.on('upgrade', openTunnel);
  server.on('clientError', refuseUnparsed);
  return server;

  /** Serves nothing on a connection that is one too many, but says so. */
  function admit(socket: Socket): void {
    socket.setDefaultEncoding('latin1'); // else a head that goes out alone is taken for UTF-8
    const refusal = refusalOf(socket);
    if (refusal) connections.set(socket, aConnection(refusal));
  }

  /** Lets a pipelined request wait for its turn; what breaks off meanwhile is refused then. */
  function wait(
    connection: Connection,
    req: IncomingMessage,
    res: ServerResponse,
    circumstances?: Circumstances,
  ): void {
    let known = circumstances;
    const abort = (refusal: HeadgateError) => {
      known = { refusal };
    };
    connection.newest = { req, abort };
    connection.waiting.push(() => serve(service, connection, req, res, known));
  }

  function connectionOf(socket: Duplex): Connection {
    let connection = connections.get(socket);
    if (!connection) {
      connection = aConnection();
      connections.set(socket, connection);
    }
    return connection;
  }

  /** True when nothing is owed on the connection: no answer can get into the way of a tunnel. */
  function isFree(socket: Duplex): boolean {
    const { isBusy, isOver } = connectionOf(socket);
    return !isBusy && !isOver;
  }

  function openTunnel(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!isFree(socket)) {
      socket.destroy();
      return;
    }
    const started = performance.now();
    const sent = req.socket.bytesWritten;
    const { signal } = new AbortController();
    const { request, refused } = receive(
      req,
      () => signal,
      () => EMPTY,
    );
    const isOurs = !refused && !connectionOf(socket).refusal;
    const open = isOurs ? tunnelFor?.(request) : undefined;
    if (!open) serveWith()(req, responseOn(req, socket));
    else
      open(request, { req, socket, head }, (outcome) => {
        const bytesIn = bytesSince(connectionOf(socket), req.socket);
        const ms = performance.now() - started;
        const { httpVersion } = req;
        finished?.({
          request,
          httpVersion,
          bytesIn,
          bytesOut: req.socket.bytesWritten - sent,
          ms,
          ...outcome,
        });
      });
  }

  /** Refuses what Node's parser could not read, after what the client is still owed. */
  function refuseUnparsed(cause: NodeJS.ErrnoException, socket: Duplex): void {
    const error = parserError(cause);
    const connection = connectionOf(socket);
    const { newest, isBusy } = connection;
    const refuse = () => {
      if (!socket.writable) return; // the answer before was the last: this is void
      const response = errorResponse(error);
      socket.end(onTheWire(response));
      const { signal } = new AbortController();
      const { remoteAddress = '', bytesRead } = socket as Socket;
      const client = plainAddress(remoteAddress);
      finished?.({
        request: { ...UNREADABLE, site: siteOf(UNREADABLE.headers), client, signal: () => signal },
        status: error.status,
        bytesIn: bytesSince(connection, { bytesRead }),
        bytesOut: (response.body as Buffer).length,
        ms: 0,
        error,
      });
    };
    const isInBody = newest?.req.complete === false;
    const isLost =
      cause.code === 'ECONNRESET' || (isInBody && cause.code === 'HPE_INVALID_EOF_STATE');
    if (!socket.writable || isLost || (isInBody && !isBusy)) socket.destroy();
    else if (isInBody) newest.abort(error);
    else if (isBusy) connection.onIdle = refuse;
    else refuse();
  }
}
