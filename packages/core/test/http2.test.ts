/** HTTP/2 at the front edge: what passes as over HTTP/1.1, what is refused, what may be spent. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from 'node:http2';
import { Agent, request } from 'node:https';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { withFields } from '@headgate/core';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import * as frames from './frames.ts';
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  rawHttp2,
  uint32,
} from './frames.ts';
import { type Answer, type FrontOptions, front, listen, OK, rawOrigin, until } from './wire.ts';

const read = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const pair = { cert: read('localhost.pem'), key: read('localhost-key.pem') };
const tls = { certificates: { pairFor: () => pair, onChange: () => {} } };
const SMUGGLED = 'GET /SMUGGLED HTTP/1.1\r\nHost: t.example\r\n\r\n';

async function secured(t: Test, answer: Answer = OK, options: FrontOptions = {}) {
  const origin = await rawOrigin(t, answer);
  const at = await front(t, origin.url, { tls, ...options });
  return { origin, ...at };
}

function session(t: Test, port: number): ClientHttp2Session {
  const opened = connect(`https://127.0.0.1:${port}`, { ca: pair.cert });
  opened.on('error', () => {});
  t.teardown(() => opened.destroy());
  return opened;
}

/** Asks, and reads the answer to its end, whatever that is. */
async function ask(from: ClientHttp2Session, fields: OutgoingHttpHeaders = {}, body?: string) {
  const asked = { ':path': '/', ':authority': 't.example', ...fields };
  const stream = from.request(asked, { endStream: body === undefined });
  stream.on('error', () => {});
  let headers: Record<string, unknown> = {};
  let chunks = '';
  stream.on('response', (given) => {
    headers = given;
  });
  stream.setEncoding('latin1').on('data', (chunk) => (chunks += chunk));
  if (body !== undefined) stream.end(body);
  await new Promise((done) => stream.once('close', done));
  return { status: headers[':status'], headers, body: chunks, code: stream.rstCode };
}

t.test('a request passes as over HTTP/1.1, and the report says what it was', async (t) => {
  const answer = 'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Latin: \xfc\r\n';
  const { origin, port, reports } = await secured(t, `${answer}Content-Length: 5\r\n\r\nhello`);
  const from = session(t, port);
  const answered = await ask(from, {
    ':path': '/a%2Fb?c',
    cookie: ['a=1', 'b=2'],
    'x-forwarded-for': '6.6.6.6',
    x_auth: 'me',
    te: 'trailers',
    'x-latin': '\xfc',
  });
  t.match(answered, { status: 200, body: 'hello', code: 0 });
  t.same(answered.headers['set-cookie'], ['a', 'b']);
  t.equal(answered.headers['x-latin'], '\xfc');
  const [{ head } = { head: '' }] = origin.requests;
  t.match(head, /^GET \/a%2Fb\?c HTTP\/1\.1\r\nhost: t\.example\r\n/);
  t.match(head, 'cookie: a=1; b=2\r\n');
  t.match(head, 'x-forwarded-proto: https\r\n');
  t.match(head, 'x-latin: \xfc\r\n');
  t.notMatch(head, /6\.6\.6\.6|x_auth|^te:|transfer-encoding|:path/m);
  await until(() => reports.length === 1);
  t.match(reports, [
    {
      httpVersion: '2.0',
      status: 200,
      bytesOut: 5,
      request: { scheme: 'https', client: '127.0.0.1', url: '/a%2Fb?c' },
    },
  ]);
  t.equal(reports[0]?.error, undefined);
});

t.test('statuses and methods keep their framing', async (t) => {
  const answers: Record<string, string> = {
    '/204': 'HTTP/1.1 204 No Content\r\n\r\n',
    '/304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: "a"\r\n\r\n',
    '/head': 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n',
    '/chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    '/empty': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    '/twice': 'HTTP/1.1 200 OK\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n',
    '/early': 'HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
    '/hop':
      'HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Own\r\nX-Own: 1\r\nUpgrade: h2c\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: gzip\r\nTrailer: X\r\nContent-Length: 3\r\n\r\nhop',
  };
  const { port, reports } = await secured(t, (socket, { head }) => {
    socket.write(answers[head.split(' ')[1] ?? ''] ?? OK);
  });
  const from = session(t, port);
  const rows = [
    ['GET', '/204', 204, '', undefined],
    ['GET', '/304', 304, '', '9'],
    ['HEAD', '/head', 200, '', '1234'],
    ['GET', '/chunks', 200, 'abc', undefined],
    ['GET', '/empty', 200, '', '0'],
    ['GET', '/twice', 200, '', '0'],
    ['GET', '/early', 200, 'x', '1'],
    ['GET', '/hop', 200, 'hop', '3'],
    ['OPTIONS', '*', 204, '', undefined],
    ['TRACE', '/', 405, '405 Method Not Allowed: TRACE is not allowed\n', '45'],
  ] as const;
  for (const [method, path, status, body, length] of rows) {
    const got = await ask(from, { ':method': method, ':path': path });
    t.match(got, { status, body, code: 0 }, path);
    t.equal(got.headers['content-length'], length, path);
    for (const name of ['connection', 'upgrade', 'keep-alive', 'x-own', 'te', 'trailer'])
      t.notHas(got.headers, name);
  }
  await until(() => reports.length === rows.length);
  t.same(
    reports.map(({ status }) => status),
    rows.map(([, , status]) => status),
  );
});

t.test('bodies stream both ways', async (t) => {
  const big = 'x'.repeat(3_000_000);
  const origin = createServer((req, res) => {
    if (req.method === 'POST') req.pipe(res);
    else res.end(big);
  });
  const { port, reports } = await front(t, `http://127.0.0.1:${await listen(t, origin)}`, { tls });
  const from = session(t, port);
  const many = await Promise.all(Array.from({ length: 10 }, () => ask(from)));
  t.equal(
    many.every(({ body }) => body === big),
    true,
  );
  const sent = 'y'.repeat(1_000_000);
  t.equal((await ask(from, { ':method': 'POST', 'content-length': sent.length }, sent)).body, sent);
  t.equal((await ask(from, { ':method': 'POST' }, sent)).body, sent);
  await until(() => reports.length === 12);
  t.equal((reports[11]?.bytesIn ?? 0) > sent.length, true);
  t.equal(reports[11]?.bytesOut, sent.length);
});

t.test('a body is framed for the origin whatever the method', async (t) => {
  const { origin, port } = await secured(t);
  const from = session(t, port);
  const methods = ['GET', 'DELETE', 'OPTIONS', 'PROPFIND', 'HEAD'];
  for (const method of methods)
    t.equal((await ask(from, { ':method': method }, SMUGGLED)).status, 200);
  t.same(
    origin.requests.map(({ head }) => head.split(' ')[0]),
    methods,
  );
  for (const { head } of origin.requests) t.match(head, 'transfer-encoding: chunked');
});

t.test('100 is said when the body is read', async (t) => {
  const { port } = await secured(t);
  const from = session(t, port);
  const stream = from.request({
    ':method': 'POST',
    ':path': '/',
    expect: '100-continue',
    'content-length': 2,
  });
  await once(stream, 'continue');
  stream.end('hi');
  const [headers] = await once(stream, 'response');
  t.equal(headers[':status'], 200);
  stream.resume();
  t.equal((await ask(from, { ':method': 'POST', expect: 'more' }, 'hi')).status, 417);
});

t.test('what two readers could understand in two ways gets no further', async (t) => {
  const { origin, port } = await secured(t);
  const base = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 't.example'],
  ] as const;
  type Fields = readonly (readonly [string, string])[];
  const but = (name: string, value?: string): Fields =>
    base.flatMap((field) =>
      field[0] !== name ? [field] : value === undefined ? [] : [[name, value] as const],
    );
  const rows: readonly (readonly [why: string, fields: Fields, expected: RegExp, data?: string])[] =
    [
      ['nothing is wrong', base, /^200$/],
      ['Host only', [...but(':authority'), ['host', 't.example']], /^200$/],
      ['Host says the same', [...base, ['host', 'T.example']], /^200$/],
      ['Host differs', [...base, ['host', 'other.example']], /400|reset/],
      ['two Hosts', [...but(':authority'), ['host', 'a'], ['host', 'b']], /400|reset/],
      ['no host', but(':authority'), /400|reset/],
      ['userinfo', but(':authority', 'me@t.example'), /400|reset/],
      ['a list of hosts', but(':authority', 'a, b'), /400|reset/],
      ['another scheme', but(':scheme', 'javascript'), /400|reset/],
      ['no scheme', but(':scheme'), /reset/],
      ['no path', but(':path'), /reset/],
      ['an empty path', but(':path', ''), /400|reset/],
      ['a space', but(':path', '/a b'), /400|reset/],
      ['no slash', but(':path', 'a'), /400|reset/],
      ['an @', but(':path', '@evil/a'), /400|reset/],
      ['absolute-form', but(':path', 'http://e/a'), /400|other|reset/],
      ['a line break', but(':path', '/a\r\n'), /400|reset/],
      ['a backslash', but(':path', '/\\['), /400|reset/],
      ['a fragment', but(':path', '/a#b'), /400|reset/],
      ['a method in lower case', but(':method', 'get'), /other|reset/],
      ['a method with a space', but(':method', 'GET /SMUGGLED'), /reset/],
      ['an unknown method', but(':method', 'BREW'), /other|reset/],
      [
        'CONNECT',
        [
          [':method', 'CONNECT'],
          [':authority', 't.example:443'],
        ],
        /other|reset/,
      ],
      ['extended CONNECT', [...but(':method', 'CONNECT'), [':protocol', 'websocket']], /reset/],
      ['a pseudo-field twice', [...base, [':path', '/b']], /reset/],
      ['a late pseudo-field', [[':method', 'GET'], ['a', 'b'], ...base.slice(1)], /reset/],
      ['an unknown pseudo-field', [...base, [':status', '200']], /reset/],
      ['Transfer-Encoding', [...base, ['transfer-encoding', 'chunked']], /reset/],
      ['Connection', [...base, ['connection', 'x']], /reset/],
      ['Upgrade', [...base, ['upgrade', 'websocket']], /reset/],
      ['Keep-Alive', [...base, ['keep-alive', '1']], /reset/],
      ['Proxy-Connection', [...base, ['proxy-connection', 'close']], /reset/],
      ['TE', [...base, ['te', 'gzip']], /reset/],
      ['upper case', [...base, ['X-Upper', 'a']], /reset/],
      ['a line break in a value', [...base, ['x-a', 'a\r\nInjected: 1']], /200|reset/],
      ['a NUL in a value', [...base, ['x-a', 'a\0b']], /200|reset/],
      ['a line break in a name', [...base, ['x-a\r\ninjected', '1']], /200|reset/],
      ['129 fields', [...base, ...Array.from({ length: 128 }, () => ['a', 'b'] as const)], /other/],
      ['200 fields', [...base, ...Array.from({ length: 196 }, () => ['a', 'b'] as const)], /reset/],
      ['40 kB of fields', [...base, ['a', 'b'.repeat(40_000)]], /other/],
      ['two lengths', [...base, ['content-length', '1'], ['content-length', '1']], /reset/],
      ['a length that is none', [...base, ['content-length', '+5']], /reset/],
      ['a length and nothing', [...base, ['content-length', '5']], /reset/],
      ['less than the length', [...base, ['content-length', '99']], /reset/, 'hello'],
      ['more than the length', [...base, ['content-length', '3']], /reset|goodbye/, SMUGGLED],
      ['a body without length', base, /^200$/, SMUGGLED],
    ];
  for (const [why, fields, expected, data] of rows) {
    const { send, outcome, isOver, destroy } = await rawHttp2(t, port);
    const before = origin.requests.length;
    const payload = block(fields);
    const pieces =
      payload.length > 16_384
        ? [payload.subarray(0, 16_000), payload.subarray(16_000, 32_000), payload.subarray(32_000)]
        : [payload];
    const flags = data === undefined ? END_STREAM : 0;
    pieces.forEach((piece, index) => {
      const last = index === pieces.length - 1 ? END_HEADERS : 0;
      if (index === 0) send(frame(HEADERS, flags | last, 1, piece));
      else send(frame(frames.CONTINUATION, last, 1, piece));
    });
    if (data !== undefined) send(frame(DATA, END_STREAM, 1, Buffer.from(data)));
    await until(() => outcome(1) !== undefined || isOver());
    const passed = expected.test('200');
    t.match(outcome(1) ?? 'reset', expected, why);
    if (!passed) t.equal(origin.requests.length - before, 0, `${why}: the origin is not asked`);
    destroy();
  }
  t.notMatch(origin.bytes, /injected/i);
  t.equal(
    origin.requests.some(({ head }) => head.startsWith('GET /SMUGGLED')),
    false,
  );
});

t.test('trailers end here', async (t) => {
  const { origin, port } = await secured(t);
  const { send, outcome } = await rawHttp2(t, port);
  const head = [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 'a'],
  ] as const;
  send(
    frame(HEADERS, END_HEADERS, 1, block(head)),
    frame(DATA, 0, 1, Buffer.from('hi')),
    frame(HEADERS, END_HEADERS | END_STREAM, 1, block([['x-forwarded-for', '6.6.6.6']])),
  );
  await until(() => outcome(1) !== undefined);
  t.equal(outcome(1), '200');
  t.notMatch(origin.bytes, '6.6.6.6');
});

t.test('who leaves is not worked for, and what breaks off looks broken off', async (t) => {
  let aborted = 0;
  const { origin, port, reports } = await secured(t, (socket, { head }) => {
    if (head.startsWith('GET /broken')) {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      return;
    }
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nbegun');
    socket.on('close', () => {
      aborted += 1;
    });
  });
  const from = session(t, port);
  const broken = await ask(from, { ':path': '/broken' });
  t.match(broken, { status: 200, body: 'half', code: constants.NGHTTP2_INTERNAL_ERROR });
  await until(() => reports.length === 1);
  t.match(reports[0], { status: 200, error: { code: 'UPSTREAM_BROKEN' } });

  const reading = from.request({ ':path': '/', ':authority': 'a' });
  await once(reading, 'data');
  reading.close(constants.NGHTTP2_CANCEL);
  await until(() => aborted === 1);
  t.equal(aborted, 1, 'the origin is told');
  await until(() => reports.length === 2);
  t.match(reports[1], { status: 200, error: { code: 'CLIENT_GONE' } });

  const uploads = Array.from({ length: 50 }, () =>
    from.request({ ':method': 'POST', ':path': '/up', ':authority': 'a' }, { endStream: false }),
  );
  for (const upload of uploads) upload.on('error', () => {}).write('some');
  await until(() => origin.connections >= 50);
  for (const upload of uploads) upload.close(constants.NGHTTP2_CANCEL);
  await until(() => reports.length === 52 && origin.sockets.size === 0);
  t.equal(origin.sockets.size, 0, 'no upload is left at the origin');
  t.equal(
    (await ask(from, { ':path': '/broken' })).status,
    200,
    'the connection is as good as before',
  );

  const last = session(t, port);
  const pending = last.request({ ':path': '/', ':authority': 'a' });
  pending.on('error', () => {});
  await once(pending, 'data');
  last.destroy();
  await until(() => reports.length === 54);
  t.match(reports.at(-1), { error: { code: 'CLIENT_GONE' } });
});

t.test('an upload that was not finished never looks finished', async (t) => {
  const post = [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 'a'],
  ] as const;
  const half = [
    frame(HEADERS, END_HEADERS, 1, block(post)),
    frame(DATA, 0, 1, Buffer.from('half')),
  ];
  const { origin, port, reports } = await secured(t, () => {});
  const leaving = await rawHttp2(t, port);
  leaving.send(...half);
  await until(() => origin.bytes.includes('half'));
  leaving.send(frame(frames.RST_STREAM, 0, 1, uint32(constants.NGHTTP2_NO_ERROR)));
  await until(() => reports.length === 1 && origin.sockets.size === 0);
  t.match(reports, [{ status: 499, error: { code: 'CLIENT_GONE' } }]);
  t.notMatch(origin.bytes, '\r\n0\r\n', 'the origin is not told that it is whole');

  let ends = 0;
  let closes = 0;
  const early = await secured(t, OK, {
    handler: async ({ body }) => {
      if (body instanceof Readable) {
        body.on('end', () => (ends += 1)).on('close', () => (closes += 1));
        await once(body, 'data');
      }
      return { status: 200, headers: withFields({}, {}), body: Buffer.from('early') };
    },
  });
  const answered = await rawHttp2(t, early.port);
  answered.send(...half);
  await until(() => early.reports.length === 1 && closes === 1);
  t.same([ends, closes], [0, 1], 'nor is who still reads it when it is answered');
});

t.test('who leaves with an answer that is only handed over has not got it', async (t) => {
  const answer = { status: 200, headers: withFields({}, {}), body: Buffer.from('an answer') };
  const { port, reports } = await secured(t, OK, { handler: async () => answer });
  const { send, outcome } = await rawHttp2(t, port, [[4, 0]]);
  const get = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 'a'],
  ] as const;
  send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(get)));
  await until(() => outcome(1) === '200');
  send(frame(frames.RST_STREAM, 0, 1, uint32(8)));
  await until(() => reports.length === 1);
  t.match(reports, [{ error: { code: 'CLIENT_GONE' } }]);
});

t.test('an answer that comes early ends the upload', async (t) => {
  const refusal = { status: 403, headers: withFields({}, {}), body: Buffer.from('no') };
  const { port, reports } = await secured(t, OK, { handler: async () => refusal });
  const from = session(t, port);
  const upload = from.request({ ':method': 'POST', ':path': '/', ':authority': 'a' });
  const ended = once(upload, 'close');
  upload.write('x'.repeat(300_000));
  const [headers] = await once(upload, 'response');
  t.equal(headers[':status'], 403);
  t.equal(await text(upload), 'no');
  await ended;
  t.equal(upload.rstCode, constants.NGHTTP2_NO_ERROR);
  await until(() => reports.length === 1);
  t.match(reports[0], { status: 403, error: undefined });
});

t.test('floods end the connection, and nobody else notices', async (t) => {
  const { port } = await secured(t);
  const witness = session(t, port);
  const get = block([
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 'a'],
  ]);
  const repeat = (count: number, make: (index: number) => Buffer) =>
    Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
  const cancel = uint32(8);
  const floods: Record<string, Buffer> = {
    'rapid reset': repeat(5_000, (i) =>
      Buffer.concat([
        frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, get),
        frame(frames.RST_STREAM, 0, 2 * i + 1, cancel),
      ]),
    ),
    'resets that the server is made to send': repeat(5_000, (i) =>
      Buffer.concat([
        frame(HEADERS, END_HEADERS, 2 * i + 1, get),
        frame(frames.WINDOW_UPDATE, 0, 2 * i + 1, uint32(0)),
      ]),
    ),
    'a head without end': Buffer.concat([
      frame(HEADERS, END_STREAM, 1, get),
      repeat(500, () => frame(frames.CONTINUATION, 0, 1, block([['a', 'b'.repeat(4_000)]]))),
    ]),
    'empty pieces of a head': Buffer.concat([
      frame(HEADERS, END_STREAM, 1, get),
      repeat(50_000, () => frame(frames.CONTINUATION, 0, 1)),
    ]),
    pings: repeat(50_000, () => frame(frames.PING, 0, 0, Buffer.alloc(8))),
    settings: repeat(50_000, () => frame(frames.SETTINGS, 0, 0)),
    'empty data': Buffer.concat([
      frame(HEADERS, END_HEADERS, 1, get),
      repeat(50_000, () => frame(DATA, 0, 1)),
    ]),
  };
  for (const [what, bytes] of Object.entries(floods)) {
    const flood = await rawHttp2(t, port);
    flood.send(bytes);
    await until(() => flood.isOver());
    t.equal(flood.isOver(), true, what);
    t.equal((await ask(witness)).status, 200, 'the others are served');
  }
});

t.test('one connection gets 100 streams, and what is not taken is not kept', async (t) => {
  const big = `HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`;
  const { port, origin, reports } = await secured(t, big, { idleTimeout: 400, minRate: 1_000_000 });
  const held = await rawHttp2(t, port, [[4, 0]]);
  const get = block([
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 'a'],
  ]);
  for (let i = 0; i < 150; i++) held.send(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, get));
  await until(() => held.frames.filter(({ type }) => type === HEADERS).length === 100);
  t.equal(held.frames.filter(({ type }) => type === HEADERS).length, 100);
  t.equal(origin.requests.length, 100, 'the others are refused');
  await until(() => reports.length === 100);
  t.match(reports[0], { error: { code: 'CLIENT_GONE', message: 'the client stopped reading' } });
  t.equal(reports.length, 100, 'nobody holds a place with a window that is shut');
});

t.test(
  'an upload that stops, and a connection on which nothing is asked, are given up',
  async (t) => {
    const { port } = await secured(t, OK, { idleTimeout: 300, keepAliveTimeout: 300 });
    const from = session(t, port);
    const post = { ':method': 'POST', ':path': '/', ':authority': 'a' };
    const upload = from.request(post, { endStream: false });
    upload.write('some');
    const [headers] = await once(upload, 'response');
    t.equal(headers[':status'], 408);
    upload.resume();
    await once(from, 'close');
    const silent = await rawHttp2(t, port);
    await until(() => silent.frames.some(({ type }) => type === frames.GOAWAY));
    t.equal(
      silent.frames.some(({ type }) => type === frames.GOAWAY),
      true,
    );
  },
);

/** A client that asks for a page, would take all of it at once, and doesn't read by itself. */
async function greedy(t: Test, port: number) {
  const given = { port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] };
  const socket = connectTls(given).on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  const window = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
  const get = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 'a'],
  ] as const;
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(frames.SETTINGS, 0, 0, window));
  socket.write(frame(frames.WINDOW_UPDATE, 0, 0, uint32(0x7fffffff - 65_535)));
  socket.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(get)));
  return socket;
}

t.test('who takes a long time over an answer gets all of it', async (t) => {
  const size = 30_000_000; // more than kernels hold
  const body = Buffer.alloc(size);
  const { port } = await secured(t, OK, {
    keepAliveTimeout: 300,
    handler: async () => ({ status: 200, headers: withFields({}, {}), body }),
  });
  const socket = await greedy(t, port);
  let received = 0;
  const end = performance.now() + 6_500; // longer than a connection without streams is kept
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (performance.now() > end) return;
    socket.pause();
    setTimeout(() => socket.resume(), 10);
  });
  await once(socket, 'close');
  t.ok(received > size, `${received} bytes`);
});

t.test('who takes nothing of an answer is not waited for', async (t) => {
  const answer = { status: 200, headers: withFields({}, {}), body: Buffer.alloc(30_000_000) };
  const { port, server } = await secured(t, OK, {
    keepAliveTimeout: 300,
    handler: async () => answer,
  });
  const gone = new Promise((done) =>
    server.once('secureConnection', (socket) => socket.once('close', () => done(true))),
  );
  await greedy(t, port);
  const isLate = new Promise((done) => setTimeout(done, 15_000, false).unref());
  t.equal(await Promise.race([gone, isLate]), true);
});

t.test('a server that is closed says goodbye, and finishes', async (t) => {
  const sockets: (() => void)[] = [];
  const { port, server } = await secured(t, (socket) => sockets.push(() => socket.write(OK)));
  const from = session(t, port);
  const pending = ask(from);
  await until(() => sockets.length === 1);
  const goodbye = once(from, 'goaway');
  const closed = once(server, 'close');
  server.close();
  await goodbye;
  sockets[0]?.();
  t.match(await pending, { status: 200, body: 'ok', code: 0 });
  await closed;
});

t.test('a server that is closed does not wait for who does not listen', async (t) => {
  const { port, server } = await secured(t);
  const given = { port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] };
  const deaf = connectTls(given).on('error', () => {});
  t.teardown(() => deaf.destroy());
  await once(deaf, 'secureConnect');
  deaf.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  deaf.write(frame(frames.SETTINGS, 0, 0));
  await once(deaf, 'readable'); // and it reads no more
  const late = connectTls({ ...given, maxVersion: 'TLSv1.2' }).on('error', () => {});
  server.once('secureConnection', () => server.close());
  await once(late, 'secureConnect');
  const isClosed = once(server, 'close').then(() => true);
  const isLate = new Promise((done) => setTimeout(done, 20_000, false).unref());
  t.equal(await Promise.race([isClosed, isLate]), true);
});

t.test('HTTP/1.1 stays what it was, where it is spoken', async (t) => {
  const origin = createServer((req, res) => res.end(`${req.headers['x-forwarded-proto']}`));
  new WebSocketServer({ server: origin }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(data)),
  );
  const url = `http://127.0.0.1:${await listen(t, origin)}`;
  const { port, reports } = await front(t, url, { tls });
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: pair.cert });
  t.teardown(() => agent.destroy());
  for (let i = 0; i < 2; i++) {
    const [response] = await once(request({ port, host: 'localhost', agent }).end(), 'response');
    t.equal(await text(response), 'https');
    t.equal(response.httpVersion, '1.1');
  }
  for (const ALPNProtocols of [undefined, ['http/1.1'], ['http/1.1', 'h2']]) {
    const options = {
      port,
      host: 'localhost',
      ca: pair.cert,
      ...(ALPNProtocols && { ALPNProtocols }),
    };
    const socket = connectTls(options);
    await once(socket, 'secureConnect');
    t.equal(
      socket.alpnProtocol,
      ALPNProtocols?.includes('h2') ? 'h2' : (ALPNProtocols?.[0] ?? false),
    );
    socket.destroy();
  }
  const socket = new WebSocket(`wss://localhost:${port}`, { ca: pair.cert });
  await once(socket, 'open');
  socket.send('hello');
  t.equal(String((await once(socket, 'message'))[0]), 'hello');
  socket.terminate();

  const raw = connectTls({ port, host: 'localhost', ca: pair.cert });
  raw.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
  const said = await text(raw);
  t.match(said, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nhttpsHTTP\/1\.1 400 /);
  await until(() => reports.length >= 4);
  t.equal(reports[0]?.httpVersion, '1.1');
});

t.test('one connection too many is told so', async (t) => {
  const { port } = await secured(t, OK, { maxConnections: 1 });
  const first = session(t, port);
  t.equal((await ask(first)).status, 200);
  t.equal((await ask(session(t, port))).status, 503);
  t.equal((await ask(first)).status, 200);
});

t.test('what a middleware makes wrong is a 502, not two answers', async (t) => {
  const made = (headers: object, status = 200) => ({
    status,
    headers: withFields({}, headers as Record<string, string>),
    body: Buffer.from('made'),
  });
  const answers = [
    made({ 'x-a': 'a\r\nb: c' }),
    made({ 'x-a': 'a\0b\0\0:status\x00500\0' }),
    made({ 'a b': 'c' }),
    made({ 'content-length': 'many' }),
    made({}, 101),
    made({ ':status': '200' }),
  ];
  for (const answer of answers) {
    const { port } = await secured(t, OK, { handler: async () => answer });
    const got = await ask(session(t, port));
    t.match(got, { status: 502, body: '502 Bad Gateway\n' });
    t.notHas(got.headers, 'x-a');
  }
});
