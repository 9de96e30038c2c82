/** The life of one exchange on an HTTP/2 stream: from its request's head to its last byte. */
import type { IncomingMessage } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { discard, EMPTY } from './body.ts';
import { HeadgateError, toHeadgateError } from './errors.ts';
import type { ProxyResponse } from './exchange.ts';
import { SERVER_WIDE } from './guard.ts';
import { rawFields, withFields } from './headers.ts';
import { fromHttp2 } from './http2-head.ts';
import { bodyOf } from './receive.ts';
import { sendOn } from './send-on.ts';
import type { Service } from './serve.ts';

/** One request on a stream, and what is known of its connection. */
export interface StreamRequest {
  readonly stream: ServerHttp2Stream;
  /** Names and values of its fields, pseudo-fields first. */
  readonly raw: readonly string[];
  readonly hasBody: boolean;
  readonly socket: IncomingMessage['socket'];
  /** Why nothing is served on the connection. */
  readonly refusal: HeadgateError | undefined;
}

const NO_FIELDS = withFields({}, {});

/** Serves one exchange and reports it once, whatever becomes of it. Never throws. */
export function serveStream(
  { handler, receive, errorPage, finished, watch }: Omit<Service, 'server'>,
  { stream, raw, hasBody, socket, refusal }: StreamRequest,
): void {
  const started = performance.now();
  const { method, url, rawHeaders, fault } = fromHttp2(raw, hasBody);
  const [expectation] = rawFields(rawHeaders, 'expect');
  let response: ProxyResponse | undefined;
  let status: number | undefined;
  let error: HeadgateError | undefined;
  let bytesIn = raw.join('').length;
  let bytesOut = 0;
  let isHandedOver = false;
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
  const onRead = () => {
    stream.on('data', (chunk: Buffer) => {
      bytesIn += chunk.length;
    });
    if (expectation !== undefined && !stream.headersSent && !stream.closed)
      stream.additionalHeaders({ ':status': 100 });
  };

  const answer = (answered: ProxyResponse) => {
    sendOn(stream, answered, method, {
      onBytes: (bytes) => {
        bytesOut += bytes;
      },
      onEnd: (cause) => {
        if (!cause) {
          isHandedOver = true;
          if (!stream.readableEnded && hasBody) {
            discard(request.body); // the rest of it is for nobody; Node would end it as if it were whole
            stream.close();
          }
          stream.resume();
          return;
        }
        error ??=
          cause instanceof HeadgateError
            ? cause
            : new HeadgateError('UPSTREAM_BROKEN', 'the response broke off', cause);
        stream.destroy(error); // close() would send END_STREAM first: a clean end
      },
    });
    ({ status } = answered);
  };
  const fail = (cause: unknown) => {
    error ??= stream.closed ? gone() : toHeadgateError(cause);
    if (stream.closed) discard(request.body);
    else answer(errorPage(error, request));
  };
  const run = async () => {
    try {
      response = await handler(request);
      if (stream.closed) discard(response.body);
      else answer(response);
    } catch (cause) {
      fail(cause);
    }
  };

  const onClose = () => {
    if (!isHandedOver || stream.rstCode !== constants.NGHTTP2_NO_ERROR) abort(gone());
    if (response) discard(response.body);
    discard(request.body);
    unwatch();
    finished?.({
      request,
      httpVersion: '2.0',
      status: status ?? error?.status ?? 499,
      bytesIn,
      bytesOut,
      ms: performance.now() - started,
      ...(response && { response }),
      ...(error && { error }),
    });
  };

  stream.on('error', () => {}); // it is closed by then
  stream.once('aborted', () => abort(gone())); // else a body reset with NO_ERROR would look whole
  stream.once('close', onClose);
  const head = { httpVersion: '1.1', method, url, rawHeaders, socket };
  const { request, refused = refusal ?? fault ?? unexpected(expectation) } = receive(
    head,
    signal,
    () => bodyOf(stream, onRead),
  );
  const unwatch = watch({
    socket: {
      get bytesRead() {
        return bytesIn;
      },
      get bytesWritten() {
        return bytesOut;
      },
      get writableLength() {
        return stream.writableLength;
      },
    },
    body: request.body,
    onDrip: () => abort(new HeadgateError('REQUEST_TIMEOUT', 'the body came too slowly')),
    onStall: () => {
      error ??= new HeadgateError('CLIENT_GONE', 'the client stopped reading');
      stream.destroy(error);
    },
  });
  if (refused) fail(refused);
  else if (request.url === SERVER_WIDE) answer({ status: 204, headers: NO_FIELDS, body: EMPTY });
  else void run();
}

function unexpected(expectation: string | undefined): HeadgateError | undefined {
  if (expectation === undefined || expectation.toLowerCase() === '100-continue') return undefined;
  return new HeadgateError('EXPECTATION_FAILED', 'the only expectation known here is 100-continue');
}
