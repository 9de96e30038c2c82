/** WebSockets through the tunnel: the real `ws` on both ends, raw sockets where something is wrong. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { type FrontOptions, front, listen, OK, rawOrigin, talk, until } from './wire.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const PROOF = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const handshake = (more = '') =>
  `GET /chat?x HTTP/1.1\r\nHost: t.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${more}\r\n`;

/** An origin that speaks WebSocket and echoes. */
async function echo(t: Test, options: FrontOptions = {}) {
  const server = createHttpServer((_req, res) => res.end('plain'));
  const sockets = new WebSocketServer({
    server,
    maxPayload: 64 * 1024 * 1024,
    handleProtocols: (offered) => [...offered].at(-1) ?? false,
  });
  const requests: { url: string | undefined; headers: Record<string, unknown> }[] = [];
  sockets.on('connection', (socket, { url, headers }) => {
    requests.push({ url, headers });
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const port = await listen(t, server);
  return { ...(await front(t, `http://127.0.0.1:${port}`, options)), requests, sockets };
}

async function open(url: string, protocols: string[] = [], options = {}): Promise<WebSocket> {
  const socket = new WebSocket(url.replace('http', 'ws'), protocols, options);
  await once(socket, 'open');
  return socket;
}

t.test('a WebSocket passes both ways: text, 20 MB, fragments, ping, close code', async (t) => {
  const { url, requests, reports } = await echo(t);
  const socket = await open(`${url}/chat?stream=user`, ['v1', 'mastodon'], {
    headers: { cookie: 'a=1', 'x-forwarded-for': '6.6.6.6', origin: 'https://t.example' },
  });
  t.equal(socket.protocol, 'mastodon', 'the subprotocol that the origin chose');
  t.equal(requests[0]?.url, '/chat?stream=user');
  t.match(requests[0]?.headers, {
    host: url.slice(7),
    cookie: 'a=1',
    origin: 'https://t.example',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
  });

  const reply = async () => ((await once(socket, 'message')) as [Buffer])[0];
  socket.send('hello');
  t.equal(String(await reply()), 'hello');

  const large = randomBytes(20 * 1024 * 1024);
  socket.send(large);
  t.equal(large.equals(await reply()), true, '20 MB each way');

  socket.send('frag', { fin: false });
  socket.send('ments', { fin: true });
  t.equal(String(await reply()), 'fragments');

  socket.ping('p');
  t.equal(String(((await once(socket, 'pong')) as [Buffer])[0]), 'p');

  socket.close(4001, 'enough');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  t.equal(code, 4001);
  t.equal(String(reason), 'enough');
  await until(() => reports.length > 0);
  t.match(reports, [{ status: 101, request: { url: '/chat?stream=user' } }]);
  t.ok((reports[0]?.bytesOut ?? 0) > large.length, 'bytes are counted');
});

t.test('when one side goes, so does the other', async (t) => {
  const { url, sockets, reports } = await echo(t);
  const left = await open(url);
  left.terminate();
  await until(() => sockets.clients.size === 0);
  t.equal(sockets.clients.size, 0, 'the client went');

  const right = await open(url);
  const closed = once(right, 'close');
  for (const client of sockets.clients) client.terminate();
  const [code] = await closed;
  t.equal(code, 1006, 'the origin went');
  await until(() => reports.length === 2);
  t.equal(reports.length, 2);
});

t.test('a silent tunnel is closed, a talking one is not', async (t) => {
  const { url, sockets } = await echo(t, { tunnels: { idleTimeout: 300 } });
  const silent = await open(url);
  const talking = await open(url);
  const timer = setInterval(() => talking.send('x'), 100);
  await once(silent, 'close');
  t.equal(talking.readyState, WebSocket.OPEN);
  clearInterval(timer);
  await once(talking, 'close');
  await until(() => sockets.clients.size === 0);
  t.equal(sockets.clients.size, 0);
});

t.test('an upgrade to anything else is a plain request', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);
  const upgrade = (token: string, more = '') =>
    `GET / HTTP/1.1\r\nHost: t.example\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: ${token}\r\nHTTP2-Settings: AAMAAABk\r\n${more}\r\n`;
  for (const [why, input] of [
    ['h2c, as curl --http2 asks', upgrade('h2c')],
    ['a token nobody knows', upgrade('foo')],
    ['a version that is not 13', handshake().replace('13', '777')],
    ['a key that is none', handshake().replace(KEY, 'short')],
    ['two keys', handshake(`Sec-WebSocket-Key: ${KEY}\r\n`)],
    ['a POST', handshake().replace('GET', 'POST')],
    ['a body', `${handshake('Content-Length: 1\r\n')}x`],
  ] as const) {
    const { messages } = await talk(port, input);
    t.match(messages[0]?.head, /^HTTP\/1\.1 200 /, why);
    t.notMatch(
      origin.requests.at(-1)?.head,
      /^(upgrade|http2-settings):/im,
      `${why}: upgrade stays here`,
    );
  }
  t.equal(origin.requests.length, 7);
});

t.test('the guard stands before the tunnel too', async (t) => {
  const origin = await rawOrigin(t);
  const { port, reports } = await front(t, origin.url);
  const { messages, end } = await talk(port, handshake('Host: evil.example\r\n'), { answers: 2 });
  t.match(messages[0]?.head, /^HTTP\/1\.1 400 /);
  t.equal(end, 'closed');
  t.equal(origin.bytes, '');
  t.match(reports, [{ status: 400 }]);
});

t.test('a refusal is relayed with its body, and nothing is tunnelled', async (t) => {
  const origin = await rawOrigin(
    t,
    'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 9\r\nUpgrade: h2c\r\n\r\nno token\n',
  );
  const { port, url, reports } = await front(t, origin.url);
  const socket = new WebSocket(url.replace('http', 'ws'));
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  t.equal(response.statusCode, 401);
  t.equal(response.headers['www-authenticate'], 'Bearer');
  t.equal(response.headers.upgrade, undefined);
  t.equal(String(await response.toArray()), 'no token\n');

  const smuggling = await talk(
    port,
    `${handshake()}GET /SMUGGLED HTTP/1.1\r\nHost: t.example\r\n\r\n`,
    { answers: 2 },
  );
  t.equal(smuggling.messages.length, 1);
  t.equal(smuggling.end, 'closed');
  t.equal(origin.requests.length, 2, 'what was sent behind the handshake never went upstream');
  await until(() => reports.length === 2);
  t.match(reports, [{ status: 401 }, { status: 401 }]);
});

t.test('a refusal without end is relayed no faster than the client reads', async (t) => {
  let written = 0;
  const origin = await rawOrigin(t, (socket) => {
    socket.write('HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `10000\r\n${'x'.repeat(65536)}\r\n`;
    const pour = () => {
      while (!socket.destroyed && socket.write(chunk)) written += chunk.length;
      socket.once('drain', pour);
    };
    pour();
  });
  const { port } = await front(t, origin.url);
  const socket: Socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write(handshake());
  await new Promise((done) => setTimeout(done, 700));
  const before = written;
  await new Promise((done) => setTimeout(done, 300));
  t.ok(before > 0, 'it flows');
  t.equal(written, before, 'and stops when nobody reads');
  socket.resume();
  await until(() => written > before + 10_000_000);
  t.ok(written > before + 10_000_000, 'and goes on');
  socket.destroy();
  await until(() => origin.sockets.size === 0);
  t.equal(origin.sockets.size, 0);
});

t.test('a 101 that does not fit the question opens nothing', async (t) => {
  for (const [why, answer] of [
    [
      'the wrong proof',
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${KEY}\r\n\r\n`,
    ],
    [
      'the wrong protocol',
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: ${PROOF}\r\n\r\n`,
    ],
  ] as const) {
    const origin = await rawOrigin(t, answer);
    const { port, reports } = await front(t, origin.url);
    const { messages, end } = await talk(port, handshake(), { answers: 2 });
    t.match(messages[0]?.head, /^HTTP\/1\.1 502 /, why);
    t.equal(end, 'closed');
    await until(() => origin.sockets.size === 0 && reports.length > 0);
    t.equal(origin.sockets.size, 0);
    t.match(reports, [{ status: 502, error: { code: 'UPSTREAM_BROKEN' } }]);
  }
});

t.test('of a 101 only end-to-end fields come back, and their bytes stay', async (t) => {
  const origin = await rawOrigin(
    t,
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Accept: ${PROOF}\r\nX-Name: \xe4\xf6\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n\x81\x02hi`,
  );
  const { port } = await front(t, origin.url);
  const target = "/a%2Fb/../c?d='1'&";
  const { text } = await talk(port, handshake().replace('/chat?x', target), { patience: 400 });
  t.equal(origin.requests[0]?.head.split(' ')[1], target, 'the target went byte for byte');
  t.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  t.match(text, /\r\nx-name: \xe4\xf6\r\n/i);
  t.equal(text.match(/^set-cookie:/gim)?.length, 2);
  t.notMatch(text, /x-hop: /i);
  t.equal(text.endsWith('\r\n\r\n\x81\x02hi'), true, 'the first frame came with the head');
});

t.test('an origin that fails the handshake is a 502 or 504, and leaves nothing open', async (t) => {
  const rows: [why: string, answer: string | ((socket: Socket) => void), status: number][] = [
    ['no answer', () => {}, 504],
    ['a reset', (socket) => socket.resetAndDestroy(), 502],
    ['not HTTP', 'SSH-2.0-OpenSSH_9\r\n', 502],
    ['status 000', 'HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n', 502],
  ];
  for (const [why, answer, status] of rows) {
    const origin = await rawOrigin(
      t,
      typeof answer === 'string' ? answer : (socket) => answer(socket),
    );
    const { port, reports } = await front(t, origin.url, { tunnels: { headTimeout: 200 } });
    const { messages, end } = await talk(port, handshake(), { answers: 2 });
    t.match(messages[0]?.head, new RegExp(`^HTTP/1.1 ${status} `), why);
    t.equal(end, 'closed', why);
    await until(() => origin.sockets.size === 0 && reports.length > 0);
    t.equal(origin.sockets.size, 0, why);
    t.equal(reports.length, 1, why);
  }
  const nobody = await front(t, 'http://127.0.0.1:9');
  const { messages } = await talk(nobody.port, handshake());
  t.match(messages[0]?.head, /^HTTP\/1\.1 502 /, 'nobody there');
});

t.test(
  'a client that leaves during the handshake takes the upstream connection along',
  async (t) => {
    const origin = await rawOrigin(t, () => {});
    const { port, reports } = await front(t, origin.url);
    await talk(port, handshake(), { patience: 200 });
    await until(() => origin.sockets.size === 0 && reports.length > 0);
    t.equal(origin.sockets.size, 0);
    t.match(reports, [{ status: 499 }]);
  },
);

t.test('without a tunnel a WebSocket handshake is a plain request', async (t) => {
  const origin = await rawOrigin(t, OK);
  const { port } = await front(t, origin.url, { tunnel: undefined as never });
  const { messages } = await talk(port, handshake());
  t.match(messages[0]?.head, /^HTTP\/1\.1 200 /);
  t.notMatch(origin.requests[0]?.head, /upgrade/i);
});

t.test('plain requests and tunnels live side by side', async (t) => {
  const { url } = await echo(t);
  const socket = await open(url);
  const answer = await new Promise<string>((resolve) => {
    httpRequest(url, (res) => res.toArray().then((chunks) => resolve(String(chunks)))).end();
  });
  t.equal(answer, 'plain');
  socket.close();
});

t.test('a tunnel whose origin is gone does not wait for its client to hang up', async (t) => {
  const origin = await rawOrigin(t, (socket) =>
    socket.end(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${PROOF}\r\n\r\n`,
    ),
  );
  const { port, reports } = await front(t, origin.url);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume();
  socket.write(handshake());
  await until(() => reports.length > 0);
  t.match(reports, [{ status: 101 }]);
  socket.destroy();
});

t.test('a refusal that stalls, breaks off or drips ends, and is reported so', async (t) => {
  const rows: [why: string, answer: string | ((socket: Socket) => void), status: number][] = [
    ['a stall', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nabc', 403],
    [
      'an end too early',
      (socket) => socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nabc'),
      403,
    ],
    [
      'a head that drips',
      (socket) => {
        const timer = setInterval(() => socket.write('H'), 50);
        socket.on('close', () => clearInterval(timer));
      },
      502,
    ],
  ];
  for (const [why, answer, status] of rows) {
    const origin = await rawOrigin(t, answer);
    const { port, reports } = await front(t, origin.url, { tunnels: { headTimeout: 200 } });
    const { end } = await talk(port, handshake());
    t.not(end, 'hung', why);
    await until(() => reports.length > 0 && origin.sockets.size === 0);
    t.match(reports, [{ status, error: Error }], why);
    t.equal(origin.sockets.size, 0, why);
  }
});

t.test('a tunnel counts its own bytes, not those of requests before it', async (t) => {
  const origin = await rawOrigin(t, (socket, { head }) => {
    const body = head.includes('upgrade') ? 'no' : 'x'.repeat(100_000);
    socket.write(`HTTP/1.1 403 Forbidden\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  const { port, reports } = await front(t, origin.url);
  const plain = 'GET / HTTP/1.1\r\nHost: t.example\r\n\r\n';
  await talk(port, [plain, handshake()], { answers: 2 });
  await until(() => reports.length === 2);
  t.equal(reports[0]?.bytesOut, 100_000);
  t.ok((reports[1]?.bytesOut ?? 0) < 1_000);
});
