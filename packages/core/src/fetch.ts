/** Runs a middleware inside an application of the fetch kind: Hono and other web-standard servers. */
import { Readable } from 'node:stream';
import { discard, EMPTY } from './body.ts';
import { HeadgateError } from './errors.ts';
import type {
  Headers as Fields,
  Handler,
  Middleware,
  ProxyRequest,
  ProxyResponse,
} from './exchange.ts';
import { forwardedFields, isClaim, originationBy } from './forwarded.ts';
import { field, toEndToEnd, toHeaders, toRaw } from './headers.ts';

/**
 * A middleware as fetch-style servers call it. `peer` is the address at the other end of the
 * connection, if the host knows it (Hono on Node: `env.incoming.socket.remoteAddress`).
 */
export type FetchMiddleware = (
  request: Request,
  next: (request: Request) => Response | Promise<Response>,
  peer?: string,
) => Promise<Response>;

/** How a middleware is run inside an application. */
export interface FetchOptions {
  /**
   * The proxies in front whose forwarding fields are believed, as the server's option of that name.
   * Goes by `peer`. Default: nobody.
   */
  readonly trusted?: readonly string[];
}

/** What the application gave, as it gave it and as a value. */
interface Given {
  readonly response: Response;
  readonly value: ProxyResponse;
}

/** Statuses with which a `Response` takes no body. */
const BODILESS = new Set([204, 205, 304]);

let count = 0;

/**
 * Makes a fetch-style middleware of one of ours. The target is as the host parsed it, and without
 * `peer` the client is unknown: `''`. Best put around the whole application,
 * `(request) => middleware(request, app.fetch)`: inside one, what the host has chosen by the request
 * (Hono: the route) stays chosen, and `next` must hand on the request that it gets.
 *
 * `next` is weaker here than in Headgate: it runs once an exchange (a second call rejects), the
 * request's body can't be replaced, nor read and passed on (both reject), and the application may
 * give up when its client leaves. A changed request has the forwarding fields made anew. Every
 * failure rejects, for the host to answer; a `HeadgateError` has the `status`. Throws a `TypeError`
 * for a wrong `trusted`.
 */
export function toFetch(middleware: Middleware, { trusted }: FetchOptions = {}): FetchMiddleware {
  const origination = originationBy(trusted);

  return async (original, next, peer = '') => {
    const request = toRequest(original, peer, origination);
    const wasUsed = original.bodyUsed;
    let isAsked = false;
    let given: Given | undefined;

    const ask: Handler = async (changed) => {
      if (isAsked) throw new Error('next runs once an exchange inside another application');
      if (changed.body !== request.body || original.bodyUsed !== wasUsed)
        throw new TypeError("the request's body can't be replaced inside another application");
      const asked = changed === request ? original : rewritten(original, request, changed);
      isAsked = true;
      const response = await next(asked);
      given = { response, value: fromResponse(response, changed.method) };
      return given.value;
    };

    const answer = await middleware(request, ask);
    if (answer === given?.value) return given.response;
    try {
      return toResponse(answer, request.method, given);
    } catch (error) {
      discard(answer.body);
      throw new HeadgateError('UPSTREAM_BROKEN', 'the response is not valid HTTP', error);
    }
  };
}

function toRequest(
  original: Request,
  peer: string,
  origination: ReturnType<typeof originationBy>,
): ProxyRequest {
  const { protocol, host, origin } = new URL(original.url);
  const { method } = original;
  const raw = [...original.headers].flat();
  if (!original.headers.has('host')) raw.push('host', host);
  const isEncrypted = protocol === 'https:';
  const [target = ''] = original.url.slice(origin.length).split('#');
  const stream = method === 'GET' || method === 'HEAD' ? null : original.body;
  count += 1;
  return {
    id: `fetch-${count.toString(36)}`,
    site: 'default',
    method,
    url: target.startsWith('/') ? target : `/${target}`,
    headers: toEndToEnd(raw, isClaim),
    body: stream ? lazily(stream) : EMPTY,
    ...(peer === ''
      ? { client: '', scheme: isEncrypted ? 'https' : 'http' }
      : origination(peer, isEncrypted, () => toHeaders(raw))),
    signal: () => original.signal,
  };
}

/** The application's request with what the middleware changed in it. */
function rewritten(original: Request, before: ProxyRequest, after: ProxyRequest): Request {
  const { method, url, client, scheme } = after;
  if (!url.startsWith('/')) throw new TypeError(`the target must be in origin-form, got "${url}"`);
  const isSame =
    after.headers === before.headers && client === before.client && scheme === before.scheme;
  const headers = isSame ? original.headers : toWebHeaders(after.headers);
  if (!isSame)
    for (const [name, value] of Object.entries(forwardedFields(after))) headers.set(name, value);
  const body = before.body instanceof Readable ? original.body : null;
  const init = { method, headers, signal: after.signal(), ...(body && { body, duplex: 'half' }) };
  return new Request(new URL(original.url).origin + url, init as RequestInit);
}

function fromResponse(response: Response, method: string): ProxyResponse {
  const { status } = response;
  const headers = toEndToEnd([...response.headers].flat());
  const stream = method === 'HEAD' || BODILESS.has(status) ? null : response.body;
  return { status, headers, body: stream ? lazily(stream) : EMPTY };
}

/** Throws for what can't be put in HTTP; a host's own `Response` may take anything. */
function toResponse(answer: ProxyResponse, method: string, given: Given | undefined): Response {
  const { status, body } = answer;
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new RangeError(`status ${status} is not one of 200 to 599`);
  const hasBody = method !== 'HEAD' && !BODILESS.has(status);
  const headers = toWebHeaders(answer.headers);
  if (status === 204) headers.delete('content-length');
  else if (body instanceof Buffer && (hasBody || body.length > 0))
    headers.set('content-length', String(body.length));
  const length = field(answer.headers, 'content-length');

  const content = () => {
    if (!(body instanceof Readable)) return body.length > 0 ? body : null;
    // Untouched, so that it needn't go through a Node stream and back.
    const same = body === given?.value.body ? given.response.body : null;
    return same && !same.locked
      ? same
      : toWeb(body, length === undefined ? length : Number(length));
  };
  if (!hasBody) discard(body);
  type Content = ConstructorParameters<typeof Response>[0];
  return new Response(hasBody ? (content() as Content) : null, { status, headers });
}

/** A stream that locks `stream` only when somebody reads, so that who doesn't may still pass it on. */
function lazily(stream: ReadableStream<Uint8Array>): Readable {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new Readable({
    read() {
      reader ??= stream.getReader();
      reader.read().then(
        ({ done, value }) => this.push(done ? null : value),
        (error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      const isOurs = reader !== undefined || !stream.locked;
      const cancelled = isOurs ? (reader ?? stream).cancel(error) : Promise.resolve();
      cancelled.then(
        () => done(error),
        () => done(error),
      );
    },
  });
}

/** The stream for a `Response`. It must be as long as it says, else it errors: see `send`. */
function toWeb(body: Readable, length: number | undefined): ReadableStream<Uint8Array> {
  const chunks = body.iterator();
  let count = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (!done) count += value.length;
        if (length !== undefined && (done ? count !== length : count > length)) {
          discard(body);
          throw new Error(`body is not as long as its Content-Length of ${length}`);
        }
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => discard(body),
    },
    { highWaterMark: 0 },
  );
}

function toWebHeaders(fields: Fields): Headers {
  const raw = toRaw(fields);
  const headers = new Headers();
  for (let i = 0; i < raw.length; i += 2) headers.append(raw[i] as string, raw[i + 1] as string);
  return headers;
}
