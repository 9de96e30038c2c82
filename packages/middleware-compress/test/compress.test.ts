/** compress without a socket for what it decides, and over sockets for how the bytes flow. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, get, type IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { brotliDecompressSync, constants, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { compose, EMPTY, type ProxyResponse, readBody, toSettings } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { aRequest, aResponse, type Changes, upstream } from '@headgate/core/testing';
import { upstreamTo } from '@headgate/core/upstream';
import { type CompressOptions, codingFor, compress, plugin } from '@headgate/middleware-compress';
import { compress as toConnect } from '@headgate/middleware-compress/connect';
import { compress as toFetch } from '@headgate/middleware-compress/fetch';
import express from 'express';
import { Hono } from 'hono';
import t, { type Test } from 'tap';
import { listen, rawOrigin, talk, until } from '../../core/test/wire.ts';

const TEXT = '<p>A text that says the same again and again.</p>\n'.repeat(100);
const DECODERS = { gzip: gunzipSync, br: brotliDecompressSync, zstd: zstdDecompressSync };
type Coding = keyof typeof DECODERS;

const stream = (...chunks: string[]) =>
  Readable.from(
    chunks.map((chunk) => Buffer.from(chunk)),
    { objectMode: false },
  );
const html = (changes: Changes<ProxyResponse> = {}): Changes<ProxyResponse> => ({
  body: stream(TEXT),
  ...changes,
  headers: { 'content-type': 'text/html; charset=utf-8', ...changes.headers },
});
const asking = (coding: string, changes: Parameters<typeof aRequest>[0] = {}) =>
  aRequest({ ...changes, headers: { 'accept-encoding': coding, ...changes.headers } });
const layer = (options?: CompressOptions) => compress(options).middleware;
const codingOf = ({ headers }: ProxyResponse) => headers['content-encoding'];

async function text(response: ProxyResponse) {
  const bytes = await readBody(response.body, 1e8);
  const coding = codingOf(response);
  return String(coding === undefined ? bytes : DECODERS[coding as Coding](bytes));
}

t.test('the coding that the client prefers', async (t) => {
  const rows: [accepted: string, coding: string | undefined][] = [
    ['gzip', 'gzip'],
    ['br', 'br'],
    ['zstd', 'zstd'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip;q=1.0, br;q=0.5, zstd;q=0.1', 'gzip'],
    ['GZIP', 'gzip'],
    ['x-unknown, gzip;q=0.2', 'gzip'],
    ['*', 'zstd'],
    ['*, zstd;q=0, br;q=0', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip;q=0, *', 'zstd'],
    ['identity', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip', 'gzip'],
    ['', undefined],
    ['deflate', undefined],
    ['gzip;q=nonsense', undefined],
    [',,;q=1,', undefined],
  ];
  for (const [accepted, coding] of rows)
    t.equal(codingFor(asking(accepted).headers, ['zstd', 'br', 'gzip']), coding, accepted);
  t.equal(codingFor(aRequest().headers, ['gzip']), undefined, 'who does not say gets none');
  t.equal(codingFor(asking('gzip, br').headers, ['gzip', 'br']), 'gzip', 'our own order decides');
});

t.test('what is compressed is what the origin sent', async (t) => {
  for (const coding of ['gzip', 'br', 'zstd'] as const)
    for (const body of [() => stream(TEXT), () => stream('', ...TEXT), () => Buffer.from(TEXT)]) {
      const response = await layer()(asking(coding), upstream(html({ body: body() })));
      t.equal(codingOf(response), coding);
      t.equal(response.headers.vary, 'Accept-Encoding');
      t.equal(await text(response), TEXT);
    }
  const once = await layer()(asking('br'), upstream(html({ body: Buffer.from(TEXT) })));
  t.ok(once.body instanceof Buffer && once.body.length < TEXT.length / 10);
});

t.test('types that become shorter, and no others', async (t) => {
  const rows: [type: string | undefined, isCompressed: boolean][] = [
    ['text/html', true],
    ['TEXT/CSS ; charset=utf-8', true],
    ['text/javascript', true],
    ['application/javascript; charset=utf-8', true],
    ['application/json', true],
    ['application/activity+json; charset=utf-8', true],
    ['application/ld+json; profile="https://www.w3.org/ns/activitystreams"', true],
    ['application/jrd+json', true],
    ['application/xml', true],
    ['application/rss+xml', true],
    ['application/atom+xml', true],
    ['application/xrd+xml', true],
    ['image/svg+xml', true],
    ['image/x-icon', true],
    ['text/event-stream', false],
    ['text/event-stream; charset=utf-8', false],
    ['image/png', false],
    ['video/mp4', false],
    ['font/woff2', false],
    ['application/zip', false],
    ['application/octet-stream', false],
    ['multipart/byteranges; boundary=x', false],
    ['application/jsonp', false],
    ['', false],
    [undefined, false],
  ];
  for (const [type, isCompressed] of rows) {
    const headers = type === undefined ? {} : { 'content-type': type };
    const given = aResponse({ headers, body: Buffer.from(TEXT) });
    const response = await layer()(asking('gzip'), async () => given);
    t.equal(codingOf(response), isCompressed ? 'gzip' : undefined, `${type}`);
    if (!isCompressed) t.equal(response, given, `${type}: the very same response`);
  }
});

t.test('what must not be touched passes as it is', async (t) => {
  const rows: [what: string, changes: Changes<ProxyResponse>, asked?: Record<string, string>][] = [
    ['what is coded already', { headers: { 'content-encoding': 'gzip' } }],
    ['what is coded in a way unknown here', { headers: { 'content-encoding': 'compress' } }],
    ['a part', { status: 206, headers: { 'content-range': 'bytes 0-4999/9999' } }],
    ['no-transform', { headers: { 'cache-control': 'public,no-transform' } }],
    ['no-transform of the client', {}, { 'cache-control': 'no-transform' }],
    ['a short body', { body: Buffer.from('x'.repeat(255)) }],
    ['a body that says it is short', { headers: { 'content-length': '255' } }],
    ['no body', { body: EMPTY }],
    ['204', { status: 204, body: EMPTY }],
    ['304', { status: 304, body: EMPTY, headers: { etag: '"a"' } }],
  ];
  for (const [what, changes, headers = {}] of rows) {
    const given = aResponse(html(changes));
    const response = await layer()(asking('gzip', { headers }), async () => given);
    t.equal(response, given, `${what}: the very same response`);
  }
  for (const [what, changes] of [
    ['256 bytes', { body: Buffer.from('x'.repeat(256)) }],
    ['identity said aloud', { headers: { 'content-encoding': 'identity' } }],
    ['an error page', { status: 404 }],
    ['a directive that only sounds like it', { headers: { 'cache-control': 'x-no-transform' } }],
  ] as const)
    t.equal(codingOf(await layer()(asking('gzip'), upstream(html(changes)))), 'gzip', what);
});

t.test('what could have been compressed says so, whoever asks', async (t) => {
  const rows: [given: string | undefined, sent: string][] = [
    [undefined, 'Accept-Encoding'],
    ['', 'Accept-Encoding'],
    ['Accept, Cookie', 'Accept, Cookie, Accept-Encoding'],
    ['accept-encoding', 'accept-encoding'],
    ['Cookie, ACCEPT-ENCODING', 'Cookie, ACCEPT-ENCODING'],
    ['*', '*'],
  ];
  for (const [vary, sent] of rows)
    for (const coding of ['gzip', 'identity']) {
      const headers = vary === undefined ? {} : { vary };
      const response = await layer()(asking(coding), upstream(html({ headers })));
      t.equal(response.headers.vary, sent, `${vary} for ${coding}`);
      t.equal(await text(response), TEXT);
    }
});

t.test('fields that described the body go or change with it', async (t) => {
  const headers = {
    'content-length': String(TEXT.length),
    'accept-ranges': 'bytes',
    'content-digest': 'sha-256=:x:',
    etag: '"a"',
    'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
  };
  const response = await layer()(asking('gzip'), upstream(html({ headers })));
  t.same(
    { ...response.headers },
    {
      'content-type': 'text/html; charset=utf-8',
      'content-encoding': 'gzip',
      etag: 'W/"a"',
      'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
      vary: 'Accept-Encoding',
    },
  );
  const head = await layer()(
    asking('gzip', { method: 'HEAD' }),
    upstream(html({ headers, body: EMPTY })),
  );
  t.same({ ...head.headers }, { ...response.headers }, 'HEAD says what GET says');
  t.equal(head.body, EMPTY);
  const unread = stream(TEXT);
  await layer()(asking('gzip', { method: 'HEAD' }), upstream(html({ body: unread })));
  t.equal(unread.destroyed, true, 'a body that a layer gave for HEAD is given up');
  const short = html({ headers: { 'content-length': '20' }, body: EMPTY });
  t.equal(codingOf(await layer()(asking('gzip', { method: 'HEAD' }), upstream(short))), undefined);

  const plain = await layer()(asking('identity'), upstream(html({ headers })));
  t.has(plain.headers, { etag: '"a"', 'content-length': String(TEXT.length) });
});

t.test('a client that comes back with the weak ETag gets its 304', async (t) => {
  const etag = '"a"';
  const known = (value: string, changes = {}) =>
    asking('gzip', { ...changes, headers: { 'if-none-match': value } });
  const literal = () => upstream(html({ headers: { etag, 'set-cookie': 'b=1' } }));
  for (const value of ['W/"a"', '"x", W/"a"', 'W/"x",W/"a" , "y"']) {
    const body = stream(TEXT);
    const origin = upstream(html({ body, headers: { etag, 'content-length': '5000' } }));
    const response = await layer()(known(value), origin);
    t.equal(response.status, 304, value);
    t.same({ ...response.headers }, { etag: 'W/"a"', vary: 'Accept-Encoding' });
    t.equal(response.body, EMPTY);
    t.equal(body.destroyed, true, 'the body is given up');
    t.equal(
      origin.asked[0]?.headers['if-none-match'],
      value,
      'the origin is asked as the client asked',
    );
  }
  for (const value of ['"a"', 'W/"x"', '*', 'W/a', 'W/"a'])
    t.equal(
      (await layer()(known(value), literal())).status,
      200,
      `${value} is the origin's to judge`,
    );
  t.equal((await layer()(known('W/"a"', { method: 'POST' }), literal())).status, 200);
  const notFound = upstream(html({ status: 404, headers: { etag } }));
  t.equal((await layer()(known('W/"a"'), notFound)).status, 404);

  const same = upstream({ status: 304, headers: { etag, vary: 'Cookie' } });
  t.has(
    (await layer()(known('W/"a"'), same)).headers,
    { etag: 'W/"a"', vary: 'Cookie, Accept-Encoding' },
    'a 304 of the origin gets the fields of what the client has',
  );
  t.has((await layer()(known('"a"'), same)).headers, { etag: '"a"', vary: 'Cookie' });
});

t.test('a body that breaks off stays broken, and one that nobody wants is given up', async (t) => {
  for (const coding of ['gzip', 'br', 'zstd'] as const) {
    const source = new PassThrough();
    const response = await layer()(asking(coding), upstream(html({ body: source })));
    const reading = readBody(response.body, 1e6);
    source.write(TEXT);
    source.destroy(new Error('cut'));
    await t.rejects(reading, /cut|premature/i, coding);

    const headers = { 'content-length': '9999' };
    const short = await layer()(asking(coding), upstream(html({ headers })));
    await t.rejects(readBody(short.body, 1e6), { message: 'body ended after 5000 of 9999 bytes' });

    const endless = new PassThrough();
    const unwanted = await layer()(asking(coding), upstream(html({ body: endless })));
    (unwanted.body as Readable).destroy();
    await until(() => endless.destroyed);
    t.equal(endless.destroyed, true, `${coding}: the source is let go`);
  }
});

t.test('options: a wrong one is named, with what to write', async (t) => {
  for (const [options, message] of [
    [{ minSize: -1 }, /^compress: minSize: /],
    [{ codings: [] }, /^compress: codings: /],
    [{ codings: ['deflate'] }, /^compress: codings\.0: .*"zstd"\|"br"\|"gzip"/],
    [{ level: 9 }, /^compress: Unrecognized key: "level"/],
  ] as const)
    t.throws(() => compress(options as unknown as CompressOptions), { name: 'TypeError', message });
  for (const adapter of [toConnect, toFetch])
    t.throws(() => adapter({}, { trusted: ['nobody'] }), { name: 'TypeError', message: /trusted/ });
  t.same(toSettings('compress', plugin.options, { minSize: '1KiB' }).minSize, 1024);
  t.same(toSettings('compress', plugin.options, {}), {
    codings: ['zstd', 'br', 'gzip'],
    minSize: 256,
  });
  const only = layer({ codings: ['gzip'], minSize: 1 });
  const response = await only(asking('gzip, br, zstd'), upstream(html({ body: Buffer.from('x') })));
  t.equal(codingOf(response), 'gzip');
});

/** A server with compress between it and the origin. */
async function front(t: Test, url: string) {
  const { handler, close } = upstreamTo(url);
  t.teardown(close);
  return listen(t, createServer({ handler: compose([compress().middleware], handler) }));
}

async function ask(port: number, headers: Record<string, string>): Promise<IncomingMessage> {
  const asked = get({ port, host: '127.0.0.1', agent: false, headers });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

t.test('over sockets: what a slow origin writes arrives at once', async (t) => {
  for (const coding of ['gzip', 'br', 'zstd'] as const) {
    let more: (text: string) => void = () => {};
    let end = () => {};
    const origin = createHttpServer((_req, res) => {
      res.setHeader('content-type', 'text/html');
      more = (text) => res.write(text);
      end = () => res.end();
      more('first');
    });
    const port = await front(t, `http://127.0.0.1:${await listen(t, origin)}`);
    const response = await ask(port, { 'accept-encoding': coding });
    t.has(response.headers, { 'content-encoding': coding, 'transfer-encoding': 'chunked' });
    let bytes = Buffer.alloc(0);
    response.on('data', (chunk) => (bytes = Buffer.concat([bytes, chunk])));
    await until(() => soFar(coding, bytes) === 'first');
    t.equal(soFar(coding, bytes), 'first', coding);
    more(', second');
    await until(() => soFar(coding, bytes) === 'first, second');
    t.equal(soFar(coding, bytes), 'first, second', coding);
    end();
    await once(response, 'end');
    t.equal(String(DECODERS[coding](bytes)), 'first, second');
  }
});

/** What can be read of a coded body that isn't over. */
function soFar(coding: Coding, bytes: Buffer): string {
  if (bytes.length === 0) return '';
  const finishFlush = {
    gzip: constants.Z_SYNC_FLUSH,
    br: constants.BROTLI_OPERATION_FLUSH,
    zstd: constants.ZSTD_e_flush,
  }[coding];
  return String(DECODERS[coding](bytes, { finishFlush }));
}

t.test('over sockets: a client that stops reading stops the origin', async (t) => {
  let written = 0;
  const chunk = randomBytes(65_536); // becomes no shorter: the client's buffers fill up
  const origin = createHttpServer((_req, res) => {
    res.setHeader('content-type', 'text/plain');
    const pour = () => {
      while (written < 64e6) {
        written += chunk.length;
        if (!res.write(chunk)) return void res.once('drain', pour);
      }
      res.end();
    };
    res.on('error', () => {});
    pour();
  });
  const port = await front(t, `http://127.0.0.1:${await listen(t, origin)}`);
  const response = await ask(port, { 'accept-encoding': 'gzip' });
  response.pause();
  let before = -1;
  for (let i = 0; i < 60 && before !== written; i++) {
    before = written;
    await new Promise((done) => setTimeout(done, 100));
  }
  t.ok(written < 32e6, `the origin has written ${written} bytes`);
  response.destroy();
});

t.test('over sockets: an end on one side reaches the other', async (t) => {
  let isClosed = false;
  const origin = await rawOrigin(t, (socket) => {
    socket.on('close', () => (isClosed = true));
    socket.write(
      'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n',
    );
  });
  const port = await front(t, origin.url);
  const response = await ask(port, { 'accept-encoding': 'br' });
  await once(response, 'data');
  response.destroy();
  await until(() => isClosed);
  t.equal(isClosed, true, 'the client leaves: the origin is let go');

  for (const head of ['Content-Length: 5000', 'Transfer-Encoding: chunked']) {
    const breaking = await rawOrigin(t, (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n${head}\r\n\r\n5\r\nfirst\r\n`);
      setTimeout(() => socket.destroy(), 20);
    });
    const { end, messages } = await talk(
      await front(t, breaking.url),
      'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n',
    );
    t.match(end, /closed|reset/, head);
    t.same(messages, [], `${head}: what is truncated looks truncated`);
  }
});

t.test('over sockets: Node’s own fetch reads all of it, and HEAD has no body', async (t) => {
  const origin = createHttpServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/html', 'content-length': TEXT.length, etag: '"a"' });
    res.end(TEXT);
  });
  const port = await front(t, `http://127.0.0.1:${await listen(t, origin)}`);
  const url = `http://127.0.0.1:${port}/`;
  const response = await fetch(url);
  t.match(response.headers.get('content-encoding'), /gzip|br|zstd/);
  t.equal(await response.text(), TEXT);
  const { messages } = await talk(
    port,
    'HEAD / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n',
    { isHead: true },
  );
  t.match(messages[0]?.head, /content-encoding: gzip/i);
  t.notMatch(messages[0]?.head, /content-length/i);
});

t.test('inside Express and Hono', async (t) => {
  const app = express();
  app.use(toConnect());
  app.get('/', (_req, res) => void res.type('html').send(TEXT));
  const port = await listen(t, createHttpServer(app));
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { 'accept-encoding': 'br' } });
  t.equal(answer.headers.get('content-encoding'), 'br');
  t.equal(await answer.text(), TEXT);

  const hono = new Hono();
  hono.get('/', (c) => c.html(TEXT));
  const request = new Request('http://localhost/', { headers: { 'accept-encoding': 'zstd' } });
  const response = await toFetch()(request, async (asked) => hono.fetch(asked));
  t.equal(response.headers.get('content-encoding'), 'zstd');
  t.equal(String(zstdDecompressSync(Buffer.from(await response.arrayBuffer()))), TEXT);
});
