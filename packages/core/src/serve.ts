/** The life of one exchange at the front edge: from its request's head to its last byte. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { discard, EMPTY } from './body.ts';
import { type ErrorCode, HeadgateError, toHeadgateError } from './errors.ts';
import type { Finished, Handler, ProxyRequest, ProxyResponse } from './exchange.ts';
import { SERVER_WIDE } from './guard.ts';
import { withFields } from './headers.ts';
import { linger } from './linger.ts';
import { isWaitingFor, type Pacer } from './pace.ts';
import { bodyOf, type Receiver } from './receive.ts';
import { reset } from './reset.ts';
import { send } from './send.ts';

/** What all exchanges of a server have in common. */
export interface Service {
  readonly server: Server;
  readonly handler: Handler;
  readonly receive: Receiver;
  readonly errorPage: (error: HeadgateError, request: ProxyRequest) => ProxyResponse;
  readonly finished: ((exchange: Finished) => void) | undefined;
  /** Milliseconds. */
  readonly idleTimeout: number;
  readonly watch: Pacer;
}

/** What is remembered of a connection from one exchange to the next. */
export interface Connection {
  /** Bytes received up to the exchange before. */
  bytesRead: number;
  /** True while an exchange is under way. */
  isBusy: boolean;
  /** What the client pipelined behind it: each is served when its turn comes. */
  readonly waiting: (() => void)[];
  /** True once an answer was sent that ends the connection: whatever else was sent on it is void. */
  isOver: boolean;
  /** Why nothing is served on it at all. */
  readonly refusal: HeadgateError | undefined;
  /** The request received last, and the way to end its exchange while its body is coming. */
  newest: { req: IncomingMessage; abort: (error: HeadgateError) => void } | undefined;
  /** Called when no exchange is under way any more. */
  onIdle: (() => void) | undefined;
}

/** What there is to remember of a new connection, on which nothing is served if there is a `refusal`. */
export function aConnection(refusal?: HeadgateError): Connection {
  return {
    bytesRead: 0,
    isBusy: false,
    waiting: [],
    isOver: false,
    refusal,
    newest: undefined,
    onIdle: undefined,
  };
}

/** What is special about a request before it is served. */
export interface Circumstances {
  /** True when the client waits for `100 Continue` before it sends the body. */
  readonly expectsContinue?: boolean;
  /** True when nothing that follows it on the connection can be trusted. */
  readonly isLast?: boolean;
  /** Why it isn't served at all. */
  readonly refusal?: HeadgateError;
}

const NO_FIELDS = withFields({}, {});

/** Faults behind us, after which the client's connection is as good as before. */
const KEEPS_CONNECTION: ReadonlySet<ErrorCode> = new Set([
  'INTERNAL',
  'OVERLOADED',
  'UPSTREAM_BROKEN',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_UNREACHABLE',
]);

/** Serves one exchange and reports it once, whatever becomes of it. Never throws. */
export function serve(
  { server, handler, receive, errorPage, finished, idleTimeout, watch }: Service,
  connection: Connection,
  req: IncomingMessage,
  res: ServerResponse,
  { expectsContinue = false, isLast = false, refusal = connection.refusal }: Circumstances = {},
): void {
  if (connection.isOver) return;
  const started = performance.now();
  const { socket } = req;
  let response: ProxyResponse | undefined;
  let error: HeadgateError | undefined;
  let bytesOut = 0;
  let isReported = false;
  let controller: AbortController | undefined;

  const gone = () => new HeadgateError('CLIENT_GONE', 'the client left');
  const abort = (reason: HeadgateError) => {
    error ??= reason;
    controller?.abort(error);
    discard(request.body, error);
  };
  const signal = () => {
    controller ??= new AbortController();
    if (error) controller.abort(error);
    return controller.signal;
  };
  const body = () => bodyOf(req, () => expectsContinue && res.writeContinue());

  const answer = (answered: ProxyResponse) => {
    const isRefused =
      error !== undefined && (error === refusal || !KEEPS_CONNECTION.has(error.code));
    const lingers = isRefused && !req.complete;
    connection.isOver = isLast || isRefused || !server.listening;
    send(answered, res, {
      isLast: connection.isOver,
      staysOpen: lingers,
      onBytes: (bytes) => {
        bytesOut += bytes;
      },
      onBroken: (cause) => {
        error ??=
          cause instanceof HeadgateError
            ? cause
            : new HeadgateError('UPSTREAM_BROKEN', 'the response broke off', cause);
      },
    });
    if (!lingers) return;
    discard(request.body);
    socket.end(report);
    linger(req, idleTimeout, () => socket.destroy());
  };

  const fail = (cause: unknown) => {
    error ??= socket.destroyed ? gone() : toHeadgateError(cause);
    if (res.headersSent || error.code === 'CLIENT_GONE') res.destroy();
    else answer(errorPage(error, request));
  };

  const run = async () => {
    try {
      response = await handler(request);
      if (res.destroyed) discard(response.body);
      else answer(response);
    } catch (cause) {
      fail(cause);
    }
  };

  const onTimeout = () => {
    if (res.writableLength > 0)
      reset(socket); // frees what the kernel holds for it as well
    else if (error) socket.destroy();
    else if (isWaitingFor(request.body))
      abort(new HeadgateError('REQUEST_TIMEOUT', 'the body stopped coming'));
    socket.setTimeout(idleTimeout); // silence while the upstream works is nobody's fault here
  };

  const report = () => {
    if (isReported) return;
    isReported = true;
    finished?.({
      request,
      httpVersion: req.httpVersion,
      status: res.headersSent ? res.statusCode : (error?.status ?? 499),
      bytesIn: bytesSince(connection, socket),
      bytesOut,
      ms: performance.now() - started,
      ...(response && { response }),
      ...(error && { error }),
    });
  };

  const onClose = () => {
    if (!res.writableFinished) abort(gone());
    if (response && !res.writableFinished) discard(response.body);
    unwatch();
    discard(request.body);
    if (!req.complete && !socket.destroyed)
      linger(req, idleTimeout, (isComplete) => isComplete || socket.destroy());
    connection.isBusy = false;
    // A connection that is over may stay in memory for long; what was received on it needn't.
    if (req.complete && connection.newest?.req === req) connection.newest = undefined;
    report();
    const next = connection.waiting.shift();
    if (next && !socket.destroyed) next();
    else connection.onIdle?.();
  };

  connection.isBusy = true;
  connection.newest = { req, abort };
  res.once('close', onClose);
  res.on('timeout', onTimeout);
  const { request, refused = refusal } = receive(req, signal, body);
  const unwatch = watch({
    socket,
    body: request.body,
    onDrip: () => abort(new HeadgateError('REQUEST_TIMEOUT', 'the body came too slowly')),
    onStall: () => {
      error ??= new HeadgateError('CLIENT_GONE', 'the client stopped reading');
      reset(socket);
    },
  });
  if (refused) fail(refused);
  else if (request.url === SERVER_WIDE) answer({ status: 204, headers: NO_FIELDS, body: EMPTY });
  else void run();
}

/** Bytes received on the connection since the exchange before, and the mark for the next. */
export function bytesSince(connection: Connection, socket: { readonly bytesRead: number }): number {
  const bytes = socket.bytesRead - connection.bytesRead;
  connection.bytesRead = socket.bytesRead;
  return bytes;
}
