/** Runs a middleware inside an application of the Connect kind: Express, Connect, Fastify's onRequest. */
import {
  type IncomingMessage,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { isIP } from 'node:net';
import { discard, EMPTY } from './body.ts';
import { HeadgateError, toHeadgateError } from './errors.ts';
import type { Handler, Middleware, ProxyRequest, ProxyResponse } from './exchange.ts';
import {
  forwardedFields,
  isClaim,
  type Origination,
  originationBy,
  plainAddress,
} from './forwarded.ts';
import { TARGET } from './guard.ts';
import { fields, rawFields, toEndToEnd, toHeaders, toRaw } from './headers.ts';
import { intercept } from './intercept.ts';
import { retargeted } from './retarget.ts';
import { errorResponse, send } from './send.ts';

/** A middleware as Connect, Express and Fastify's onRequest hook call it. */
export type ConnectMiddleware = (
  req: IncomingMessage,
  res: ServerResponse,
  next: (error?: Error) => void,
) => void;

/** How a middleware is run inside an application. */
export interface ConnectOptions {
  /**
   * The proxies in front whose forwarding fields are believed, as the server's option of that name.
   * Default: Express's own `trust proxy` in Express, nobody elsewhere. Of several middlewares that
   * see a request, the first decides.
   */
  readonly trusted?: readonly string[];
}

/** What Express and Connect add to a request, where they do. */
interface GuestRequest extends IncomingMessage {
  originalUrl?: string;
  query?: unknown;
  readonly ip?: string;
  readonly protocol?: string;
  readonly app?: { get(setting: string): unknown };
}

/** Fields that frame a body. They stay as they came, since the body does. */
const FRAMING = ['content-length', 'transfer-encoding'] as const;

/** Fields of earlier middleware that an answer adds to instead of replacing them. */
const ADDED_TO = new Set(['set-cookie', 'vary']);

let count = 0;

/**
 * Makes a Connect middleware of one of ours, for HTTP/1. An answer of its own keeps the fields that
 * earlier middleware of the application has set; once `next` has given a response, those are in it,
 * and the answer has exactly the fields that the middleware returns. An error before the application
 * was asked goes to the host's `next`, with its `status`; one after that is answered plainly, with
 * its status and no reason.
 *
 * `next` is weaker here than in Headgate:
 * - It runs once an exchange (a second call rejects), and not after the answer.
 * - It runs on the application's own request. A changed method, target or set of fields is written
 *   onto it, with the forwarding fields made anew. What was read from it before stays as it was:
 *   install the middleware first, and in Fastify, which has chosen the route and read the query
 *   before its hooks, in the `serverFactory` if it changes targets.
 * - The body can't be replaced, nor read and passed on: both reject.
 * - The application sees its client leave and may give up: then `next`, or the body that it gave,
 *   rejects. If it falls silent instead, `next` never settles: whoever waits for longer than the
 *   request's `signal` needs a limit of their own. If it goes on, its answer comes whole.
 * - The application's reason phrase and trailers are dropped. Its 1xx responses go out by themselves.
 *
 * What the application writes after it was answered for is read by whoever still waits for it, and
 * does no harm. Throws a `TypeError` for a wrong `trusted`.
 */
export function toConnect(
  middleware: Middleware,
  { trusted }: ConnectOptions = {},
): ConnectMiddleware {
  const origination = originationBy(trusted);
  const originationOf = (req: GuestRequest): Origination => {
    const { ip, protocol, socket, rawHeaders } = req;
    const peer = socket.remoteAddress ?? '';
    if (trusted === undefined && ip !== undefined && isIP(ip) > 0)
      return { client: plainAddress(ip), scheme: protocol === 'https' ? 'https' : 'http' };
    return origination(peer, 'encrypted' in socket, () => toHeaders(rawHeaders));
  };

  return (req, res, next) => {
    const { outlet, asked: askedBelow, hear } = intercept(res, req.method ?? '');
    const isGone = () => res.destroyed && !askedBelow;
    let isAsked = false;
    let isGiven = false;

    const answer = (response: ProxyResponse, isWhole: boolean) => {
      const isLast = /\bclose\b/i.test(String(res.getHeader('connection')));
      send(response, outlet, {
        isLast,
        writeHead: (_, status, raw) => writeHead(outlet, status, raw, isWhole),
        onBroken: (error) => askedBelow && outlet.destroy(error),
      });
    };

    const run = async () => {
      const known = askedBelow ?? { ...originationOf(req), signal: signalOf(res) };
      const request = toRequest(req, known);
      const wasRead = req.readableDidRead;
      const ask: Handler = async (changed) => {
        if (isAsked) throw new Error('next runs once an exchange inside another application');
        if (outlet.headersSent) throw new Error('next was called after the answer was given');
        if (changed.body !== request.body || req.readableDidRead !== wasRead)
          throw new TypeError("the request's body can't be replaced inside another application");
        rewrite(req, request, changed);
        isAsked = true;
        const response = hear(changed);
        next();
        await response;
        isGiven = true;
        return response;
      };

      const response = await middleware(request, (changed) => {
        const asked = ask(changed);
        asked.catch(() => {}); // see `record`
        return asked;
      });
      if (isGone()) return discard(response.body);
      answer(response, isGiven);
    };

    run().catch((cause: unknown) => {
      const error = toHeadgateError(cause);
      if (outlet.headersSent) outlet.destroy();
      else if (isAsked && askedBelow) outlet.destroy(error);
      else if (isGone() && (isAsked || error.code === 'CLIENT_GONE')) return;
      else if (isAsked) answer(errorResponse(error), false);
      else next(cause instanceof Error ? cause : error);
    });
  };
}

/**
 * Writes a head with the fields in `raw`, and no others if it `isWhole`. Field by field, for hosts
 * that patch `writeHead` and look at what was set before. Throws before it changes anything.
 */
function writeHead(res: ServerResponse, status: number, raw: string[], isWhole: boolean): void {
  const headers = toHeaders(raw);
  for (const name in headers) {
    validateHeaderName(name);
    for (const line of fields(headers, name)) validateHeaderValue(name, line);
  }
  if (isWhole) for (const name of res.getHeaderNames()) res.removeHeader(name);
  for (const [name, value] of Object.entries(headers)) {
    if (ADDED_TO.has(name)) res.appendHeader(name, value);
    else res.setHeader(name, value);
  }
  res.statusMessage = ''; // Node's own for this status, not that of the application's
  res.writeHead(status);
}

/** What of a request isn't in its head. */
type Known = Pick<ProxyRequest, 'client' | 'scheme' | 'signal'> & Partial<ProxyRequest>;

/** Throws a `HeadgateError` for a target that two readers could understand in two ways. */
function toRequest(req: GuestRequest, known: Known): ProxyRequest {
  const { method = '', rawHeaders, httpVersion } = req;
  const url = req.originalUrl ?? req.url ?? '';
  if (!httpVersion.startsWith('1.'))
    throw new HeadgateError('VERSION_NOT_SUPPORTED', `HTTP/${httpVersion} is not spoken here`);
  if (!TARGET.test(url)) throw new HeadgateError('BAD_REQUEST', 'the request target is not valid');
  const hasBody =
    rawFields(rawHeaders, 'transfer-encoding').length > 0 ||
    Number(rawFields(rawHeaders, 'content-length')[0] ?? 0) > 0;
  const headers = toEndToEnd(rawHeaders, isClaim);
  count += 1;
  const { id = `connect-${count.toString(36)}`, site = 'default', client, scheme, signal } = known;
  return { id, site, method, url, headers, body: hasBody ? req : EMPTY, scheme, client, signal };
}

/** A signal that aborts when the client leaves. */
function signalOf(res: ServerResponse): () => AbortSignal {
  let controller: AbortController | undefined;
  return () => {
    if (controller) return controller.signal;
    const made = new AbortController();
    controller = made;
    const end = () => {
      if (!res.writableFinished) made.abort(new HeadgateError('CLIENT_GONE', 'the client left'));
    };
    if (res.destroyed) end();
    else res.once('close', end);
    return made.signal;
  };
}

/** Writes onto the application's request what the middleware changed in it, or throws. */
function rewrite(req: GuestRequest, before: ProxyRequest, after: ProxyRequest): void {
  if (after.url !== before.url) retarget(req, before.url, after.url);
  req.method = after.method;
  const { headers, client, scheme } = before;
  if (after.headers === headers && after.client === client && after.scheme === scheme) return;

  const forwarded = forwardedFields(after);
  const isOurs = (name: string) => name === 'content-length' || Object.hasOwn(forwarded, name);
  const raw = [...toRaw(after.headers, isOurs), ...Object.entries(forwarded).flat()];
  for (const name of FRAMING)
    for (const value of rawFields(req.rawHeaders, name)) raw.push(name, value);

  const lines = toHeaders(raw);
  const joined: IncomingMessage['headers'] = {};
  const distinct: NodeJS.Dict<string[]> = Object.create(null);
  for (const name in lines) {
    const values = [...fields(lines, name)];
    distinct[name] = values;
    if (name === 'set-cookie') joined[name] = values;
    else joined[name] = values.join(', ');
  }
  Object.assign(req, { rawHeaders: raw, headers: joined, headersDistinct: distinct });
}

/** Gives the application's request another target. */
function retarget(req: GuestRequest, before: string, after: string): void {
  req.url = retargeted(req.url ?? '', before, after);
  if (req.originalUrl !== undefined) req.originalUrl = after;

  // Express 4 has read the query by now; Express 5 does it when asked.
  if (!Object.getOwnPropertyDescriptor(req, 'query')?.writable) return;
  const parse = req.app?.get('query parser fn');
  const [, query = ''] = after.split(/\?(.*)/s);
  req.query =
    typeof parse === 'function' ? parse(query) : Object.fromEntries(new URLSearchParams(query));
}
