/**
 * The contract: everything that a middleware author must know. Read this file first.
 *
 * A response is a value that is returned, never a place that is written to. `next` takes the
 * request, so changing a request is passing on a copy, and retrying, collapsing or racing is just
 * calling a function. Nothing is mutated. Whoever drops a response must `discard` its body.
 */
import type { Readable } from 'node:stream';

/**
 * Field names in lower case; a field that came more than once is a list, in order (Cookie is one
 * field, joined by `; `). Null prototype. Read it through `field()` and `fields()`.
 */
export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** Bytes in memory, or bytes on their way. "No body" is the empty buffer, `EMPTY`. */
export type Body = Buffer | Readable;

/** One request on its way upstream. Never mutated: a middleware passes on a copy. */
export interface ProxyRequest {
  /** Names the exchange in logs; unique within the process, `''` for what could not be read. */
  readonly id: string;
  /** Name of the configured site that the request is for. */
  readonly site: string;
  readonly method: string;
  /** Origin-form target, byte for byte as received, e.g. `/a%2Fb?c` (RFC 9112 section 3.2.1). */
  readonly url: string;
  /** End-to-end fields only: no hop-by-hop fields, no framing but Content-Length, no forwarding. */
  readonly headers: Headers;
  readonly body: Body;
  /** Scheme that the client used. */
  readonly scheme: 'http' | 'https';
  /** The client's address, `''` when nobody is behind the request (a refresh in the background). */
  readonly client: string;
  /** Aborts when nobody waits for the response any more. Made on the first call. */
  readonly signal: () => AbortSignal;
}

/** One response on its way back. Whoever drops it must `discard` its body. */
export interface ProxyResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Answers a request. Rejects with a `HeadgateError` when there is no answer. */
export type Handler = (request: ProxyRequest) => Promise<ProxyResponse>;

/** One layer of the onion: answers itself, or asks `next`, or both. */
export type Middleware = (request: ProxyRequest, next: Handler) => Promise<ProxyResponse>;

/** Wraps `handler` in `middleware`, the first one outermost. */
export function compose(middleware: readonly Middleware[], handler: Handler): Handler {
  return middleware.reduceRight<Handler>((next, layer) => (req) => layer(req, next), handler);
}

/** What the edge reports of an exchange once its last byte is out or its connection is gone. */
export interface Finished {
  readonly request: ProxyRequest;
  /** The client's version of HTTP: `1.0`, `1.1` or `2.0`; absent where nothing could be read. */
  readonly httpVersion?: string;
  /** Status sent, or that would have been sent; 499 when the client left before. */
  readonly status: number;
  /** Bytes received for this exchange, head and framing included (nginx's `$request_length`). */
  readonly bytesIn: number;
  /** Bytes of the body sent, without head and framing (nginx's `$body_bytes_sent`); of a tunnel, all. */
  readonly bytesOut: number;
  /** Milliseconds from the request's head to the response's last byte. */
  readonly ms: number;
  /** The response that the chain gave, absent when it gave none. */
  readonly response?: ProxyResponse;
  /** Why there was no response, or why it ended early. */
  readonly error?: Error;
}
