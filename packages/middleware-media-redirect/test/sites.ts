/** What a site with a CDN is made of, on real sockets: the application, the gate, the CDN, its clients. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { compose } from '@headgate/core';
import { createServer as createGate } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import {
  type MediaRedirectOptions,
  type MediaRedirectParts,
  mediaRedirect,
} from '@headgate/middleware-media-redirect';
import type { Test } from 'tap';
import { listen } from '../../core/test/wire.ts';

export const PLUME = 'Plume/0.7.2';
export const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

/** What Plume sends when it fetches a cover. */
export const AS_PLUME = {
  'user-agent': PLUME,
  accept: 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
  signature: 'keyId="https://plume.example/key"',
};

/** Bytes that no text decoder would leave alone. */
export const IMAGE = Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7) % 256));

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The URL that answered. */
  readonly url: string;
}

type Fields = Readonly<Record<string, string>>;

/** Asks once, with the Host of the URL unless `headers` say otherwise. */
export async function get(url: string, headers: Fields = {}, body = ''): Promise<Answer> {
  const { hostname, port, host } = new URL(url);
  const path = url.slice(url.indexOf('/', url.indexOf('//') + 2)); // byte for byte
  const asked = request({ hostname, port, path, headers: { host, ...headers } }).end(body);
  const [res] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: res.statusCode ?? 0, headers: res.headers, body: await buffer(res), url };
}

/** Follows redirects; `keepsHost` is Plume's way of doing it: with the first Host to the end. */
export async function follow(url: string, headers: Fields = {}, keepsHost = false) {
  const first = keepsHost ? { ...headers, host: new URL(url).host } : headers;
  let answer = await get(url, first);
  for (let hops = 0; answer.headers.location !== undefined && hops < 10; hops++)
    answer = await get(new URL(answer.headers.location, answer.url).href, first);
  return answer;
}

/** An HTTP server on a free port, with what it was asked. */
export async function site(
  t: Test,
  answer: (req: IncomingMessage, res: ServerResponse) => unknown,
) {
  const asked: { method?: string; url: string; headers: IncomingHttpHeaders }[] = [];
  const server = createServer(async (req, res) => {
    const { method, url = '', headers } = req;
    asked.push({ ...(method && { method }), url, headers });
    await answer(req, res);
  });
  const port = await listen(t, server);
  const connections = { count: 0 };
  server.on('connection', (socket) => {
    connections.count += 1;
    socket.once('close', () => (connections.count -= 1));
  });
  return { url: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, asked, connections };
}

/** The application: an image below /static/, cookies on everything, and 404 for the rest. */
export function application(t: Test) {
  return site(t, (req, res) => {
    res.setHeader('set-cookie', 'session=1');
    if (!/^\/(?:static|media)\/.*\.png(?:\?|$)/.test(req.url ?? ''))
      return res.writeHead(404, { 'content-type': 'text/html' }).end('no such page');
    const head = { 'content-type': 'image/png', 'cache-control': 'max-age=60' };
    return res.writeHead(200, { ...head, 'content-length': IMAGE.length }).end(IMAGE);
  });
}

/** The daemon's pieces with nothing but media-redirect between them. */
export async function gate(
  t: Test,
  upstream: string,
  options: MediaRedirectOptions | ((host: string) => MediaRedirectOptions),
  parts: MediaRedirectParts = {},
) {
  const { handler, close } = upstreamTo(upstream);
  let chain = handler;
  const server = createGate({ handler: (received) => chain(received), trusted: ['loopback'] });
  const port = await listen(t, server);
  const host = `127.0.0.1:${port}`;
  const layer = mediaRedirect(typeof options === 'function' ? options(host) : options, parts);
  chain = compose([layer.middleware], handler);
  t.teardown(close);
  t.teardown(layer.close);
  return { url: `http://${host}`, host, layer };
}

/** What a test may change in a CDN while it runs. */
export interface CdnSettings {
  /** Where it pulls from. */
  origin?: string;
  /** Names that it knows beside its own. */
  readonly hosts: Set<string>;
  /** What it adds to a pull. */
  fields: Fields;
  /**
   * What it does with a redirect of its origin. Those that follow notice that they are sent to
   * themselves; then they answer an error, or nothing.
   */
  redirects: 'hands on' | 'follows' | 'follows to its death';
}

/** A CDN that pulls what it hasn't got, and answers an error for a host that it doesn't know. */
export async function cdn(t: Test, given: Partial<CdnSettings> = {}) {
  const settings: CdnSettings = {
    hosts: new Set(),
    fields: { 'cdn-loop': 'testcdn' },
    redirects: 'hands on',
    ...given,
  };
  const { url, host, asked } = await site(t, async ({ url = '/', headers }, res) => {
    if (headers.host !== host && !settings.hosts.has(headers.host ?? ''))
      return res.writeHead(403, { 'content-type': 'text/html' }).end('<h1>unknown host</h1>');
    if (settings.origin === undefined) return res.writeHead(404).end();
    if (headers['x-again'] !== undefined) return res.writeHead(508).end();
    const pull = settings.origin + url;
    const pulled =
      settings.redirects === 'hands on'
        ? await get(pull, settings.fields)
        : await follow(pull, { ...settings.fields, 'x-again': '1' });
    if (pulled.status === 508 && settings.redirects === 'follows to its death')
      return res.destroy();
    return res.writeHead(pulled.status, { ...pulled.headers, 'x-cdn': 'yes' }).end(pulled.body);
  });
  return { url, host, asked, settings };
}
