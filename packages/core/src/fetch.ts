/** Runs a middleware inside an application of the fetch kind: Hono and other web-standard servers. */
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { EMPTY } from './body.ts';
import type {
  Headers as Fields,
  Handler,
  Middleware,
  ProxyRequest,
  ProxyResponse,
} from './exchange.ts';
import { forwardedFields, isClaim } from './forwarded.ts';
import { toEndToEnd, toRaw } from './headers.ts';

/** A middleware as fetch-style servers call it. */
export type FetchMiddleware = (
  request: Request,
  next: (request: Request) => Promise<Response>,
) => Promise<Response>;

let count = 0;

/**
 * Makes a fetch-style middleware of one of ours. The target is as the host parsed it, and the
 * client's address is not known here. `next` is weaker than in Headgate: it runs once an exchange (a
 * second call rejects), the body can't be replaced, and the application may give up when its client
 * leaves. A `HeadgateError` rejects; its `status` says what to answer.
 */
export function toFetch(middleware: Middleware): FetchMiddleware {
  return async (original, next) => {
    const request = toRequest(original);
    let given: { value: ProxyResponse; response: Response } | undefined;
    let isAsked = false;

    const ask: Handler = async (changed) => {
      if (isAsked) throw new Error('next runs once an exchange inside another application');
      if (changed.body !== request.body)
        throw new TypeError("the request's body can't be replaced inside another application");
      isAsked = true;
      const response = await next(changed === request ? original : rewritten(original, changed));
      given = { response, value: fromResponse(response) };
      return given.value;
    };

    const answer = await middleware(request, ask);
    return answer === given?.value ? given.response : toResponse(answer, request.method);
  };
}

function toRequest(original: Request): ProxyRequest {
  const { protocol, host, origin } = new URL(original.url);
  const raw = [...original.headers].flat();
  if (!original.headers.has('host')) raw.push('host', host);
  count += 1;
  return {
    id: `guest-${count.toString(36)}`,
    site: 'default',
    method: original.method,
    url: original.url.slice(origin.length) || '/',
    headers: toEndToEnd(raw, isClaim),
    body: original.body ? lazily(original.body) : EMPTY,
    scheme: protocol === 'https:' ? 'https' : 'http',
    client: '',
    signal: () => original.signal,
  };
}

/** The application's request with what the middleware changed in it. */
function rewritten(original: Request, changed: ProxyRequest): Request {
  const { method, url, headers } = changed;
  const fields = toWebHeaders(headers);
  for (const [name, value] of Object.entries(forwardedFields(changed))) fields.set(name, value);
  const { body, signal } = original;
  const init = { method, headers: fields, signal, ...(body && { body, duplex: 'half' }) };
  return new Request(new URL(original.url).origin + url, init as RequestInit);
}

function fromResponse(response: Response): ProxyResponse {
  const raw = [...response.headers].flat();
  const { status } = response;
  return { status, headers: toEndToEnd(raw), body: response.body ? lazily(response.body) : EMPTY };
}

function toResponse({ status, headers, body }: ProxyResponse, method: string): Response {
  const fields = toWebHeaders(headers);
  const hasBody = method !== 'HEAD' && status !== 204 && status !== 304;
  if (body instanceof Buffer && hasBody) fields.set('content-length', String(body.length));
  if (!hasBody && body instanceof Readable) body.destroy();
  const content = body instanceof Readable ? Readable.toWeb(body) : Uint8Array.from(body);
  return new Response(hasBody ? (content as ConstructorParameters<typeof Response>[0]) : null, {
    status,
    headers: fields,
  });
}

/** A stream that locks `stream` only when somebody reads, so that who doesn't may still pass it on. */
function lazily(stream: globalThis.ReadableStream<Uint8Array>): Readable {
  async function* chunks() {
    yield* stream as ReadableStream<Uint8Array>;
  }
  return Readable.from(chunks(), { objectMode: false });
}

function toWebHeaders(fields: Fields): Headers {
  const raw = toRaw(fields);
  const headers = new Headers();
  for (let i = 0; i < raw.length; i += 2) headers.append(raw[i] as string, raw[i + 1] as string);
  return headers;
}
