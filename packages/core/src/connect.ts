/** Runs a middleware inside an application of the Connect kind: Express, Connect, Fastify's onRequest. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { EMPTY } from './body.ts';
import { HeadgateError, toHeadgateError } from './errors.ts';
import type { Handler, Middleware, ProxyRequest, ProxyResponse } from './exchange.ts';
import { forwardedFields, isClaim, plainAddress } from './forwarded.ts';
import { rawFields, toEndToEnd, toHeaders, toRaw } from './headers.ts';
import { errorResponse, send } from './send.ts';

/** A middleware as Connect, Express and Fastify's onRequest hook call it. */
export type ConnectMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/** What Express adds to a request, where it is there. */
interface GuestRequest extends IncomingMessage {
  originalUrl?: string;
  readonly baseUrl?: string;
  readonly ip?: string;
  readonly protocol?: string;
}

/** The four methods by which an application writes; while it is listened to they are ours. */
const WRITERS = ['writeHead', 'write', 'end', 'flushHeaders'] as const;

let count = 0;

/**
 * Makes a Connect middleware of one of ours. `next` is weaker here than in Headgate: it runs once an
 * exchange (a second call rejects) and on the application's own request, onto which a changed
 * method, target and fields are written; the body can't be replaced; and the application may give
 * up when its client leaves. What the application writes is held back until the middleware has
 * answered. An error before the application was asked goes to the host's `next`.
 */
export function toConnect(middleware: Middleware): ConnectMiddleware {
  return (req, res, next) => {
    const request = toRequest(req, res);
    let restore: (() => void) | undefined;

    const ask: Handler = async (changed) => {
      if (restore) throw new Error('next runs once an exchange inside another application');
      if (changed.body !== request.body)
        throw new TypeError("the request's body can't be replaced inside another application");
      rewrite(req, request, changed);
      const { response, release } = listenTo(res);
      restore = release;
      next();
      return response;
    };

    const answer = (response: ProxyResponse) => {
      restore?.();
      if (restore) for (const name of res.getHeaderNames()) res.removeHeader(name);
      send(response, res, { writeHead });
    };

    middleware(request, ask)
      .then(answer)
      .catch((cause: unknown) => {
        if (!restore) next(cause);
        else if (res.headersSent) res.destroy();
        else answer(errorResponse(toHeadgateError(cause)));
      });
  };
}

/** Field by field, for hosts that patch `writeHead` and expect it so. */
function writeHead(res: ServerResponse, status: number, raw: string[]): void {
  for (const [name, value] of Object.entries(toHeaders(raw))) res.setHeader(name, value);
  res.writeHead(status);
}

function toRequest(req: GuestRequest, res: ServerResponse): ProxyRequest {
  let controller: AbortController | undefined;
  const gone = () => new HeadgateError('CLIENT_GONE', 'the client left');
  const signal = () => {
    if (controller) return controller.signal;
    controller = new AbortController();
    if (res.destroyed) controller.abort(gone());
    else res.once('close', () => !res.writableFinished && controller?.abort(gone()));
    return controller.signal;
  };
  const { rawHeaders, socket } = req;
  const hasBody =
    rawFields(rawHeaders, 'transfer-encoding').length > 0 ||
    Number(rawFields(rawHeaders, 'content-length')[0] ?? 0) > 0;
  count += 1;
  return {
    id: `guest-${count.toString(36)}`,
    site: 'default',
    method: req.method ?? '',
    url: req.originalUrl ?? req.url ?? '',
    headers: toEndToEnd(rawHeaders, isClaim),
    body: hasBody ? req : EMPTY,
    scheme:
      (req.protocol ?? ('encrypted' in socket ? 'https' : 'http')) === 'https' ? 'https' : 'http',
    client: plainAddress(req.ip ?? socket.remoteAddress ?? ''),
    signal,
  };
}

/** Writes onto the application's request what the middleware changed in it. */
function rewrite(req: GuestRequest, before: ProxyRequest, after: ProxyRequest): void {
  req.method = after.method;
  if (after.url !== before.url) {
    const base = req.baseUrl ?? '';
    if (!after.url.startsWith(base))
      throw new TypeError(`the target must stay below ${base}, where the middleware is mounted`);
    req.url = after.url.slice(base.length).replace(/^(?!\/)/, '/');
    if (req.originalUrl !== undefined) req.originalUrl = after.url;
  }
  if (after.headers === before.headers) return;
  const framing = rawFields(req.rawHeaders, 'transfer-encoding');
  const raw = toRaw(after.headers);
  for (const [name, value] of Object.entries(forwardedFields(after))) raw.push(name, value);
  for (const coding of framing) raw.push('transfer-encoding', coding);
  req.rawHeaders = raw;
  const headers: IncomingMessage['headers'] = {};
  for (const [name, value] of Object.entries(toHeaders(raw)))
    headers[name] =
      typeof value === 'string' || name === 'set-cookie' ? (value as string) : value.join(', ');
  req.headers = headers;
}

/**
 * Turns what an application writes into a response value. `release` gives it its methods back.
 * Back-pressure goes through: `write` tells the truth, and `drain` is passed on.
 */
function listenTo(res: ServerResponse): { response: Promise<ProxyResponse>; release: () => void } {
  const { promise, resolve } = Promise.withResolvers<ProxyResponse>();
  const body = new PassThrough();
  let hasBegun = false;
  let hasEnded = false;
  body.on('error', () => {});
  body.on('drain', () => res.emit('drain'));

  const begin = (whole?: Buffer) => {
    if (hasBegun) return;
    hasBegun = true;
    const raw: string[] = [];
    for (const [name, value] of Object.entries(res.getHeaders()))
      for (const line of [value ?? []].flat()) raw.push(name, String(line));
    resolve({ status: res.statusCode, headers: toEndToEnd(raw), body: whole ?? body });
  };
  const write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    begin();
    const [encoding, done] = typeof rest[0] === 'function' ? [undefined, rest[0]] : rest;
    if (!body.destroyed)
      return body.write(chunk, (encoding ?? 'utf8') as BufferEncoding, done as () => void);
    if (typeof done === 'function') queueMicrotask(done as () => void);
    return true;
  };
  const ours = {
    writeHead(status: number, ...rest: unknown[]) {
      res.statusCode = status;
      setAll(res, typeof rest[0] === 'string' ? rest[1] : rest[0]);
      begin();
      return res;
    },
    write,
    end(...rest: unknown[]) {
      const done = rest.find((item) => typeof item === 'function') as (() => void) | undefined;
      const [chunk, encoding] = rest.filter((item) => typeof item !== 'function');
      hasEnded = true;
      if (done) res.once('finish', done);
      const last = toBuffer(chunk, encoding as BufferEncoding | undefined);
      if (!hasBegun) begin(last);
      else if (!body.destroyed) body.end(last);
      return res;
    },
    flushHeaders: () => begin(),
  };

  const before = WRITERS.map((name) => Object.getOwnPropertyDescriptor(res, name));
  Object.assign(res, ours);
  Object.defineProperty(res, 'headersSent', { configurable: true, get: () => hasBegun });
  Object.defineProperty(res, 'writableEnded', { configurable: true, get: () => hasEnded });

  const release = () => {
    for (const [index, name] of WRITERS.entries()) {
      const own = before[index];
      if (own) Object.defineProperty(res, name, own);
      else Reflect.deleteProperty(res, name);
    }
    Reflect.deleteProperty(res, 'headersSent');
    Reflect.deleteProperty(res, 'writableEnded');
  };
  return { response: promise, release };
}

/** Sets the fields that were given to `writeHead`, in each of the three forms that it takes. */
function setAll(res: ServerResponse, given: unknown): void {
  if (given === undefined || given === null) return;
  if (!Array.isArray(given)) {
    for (const [name, value] of Object.entries(given)) res.setHeader(name, value);
    return;
  }
  const raw: string[] = given.flat().map(String);
  for (const [name, value] of Object.entries(toHeaders(raw))) res.setHeader(name, value);
}

function toBuffer(chunk: unknown, encoding: BufferEncoding | undefined): Buffer {
  if (chunk === undefined || chunk === null) return EMPTY;
  return typeof chunk === 'string'
    ? Buffer.from(chunk, encoding)
    : Buffer.from(chunk as Uint8Array);
}
