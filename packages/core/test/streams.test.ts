/** Bodies on their way: back-pressure both ways, and an end on one side that reaches the other. */
import { once } from 'node:events';
import {
  createServer as createHttpServer,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { connect, type Socket } from 'node:net';
import { PassThrough, Readable, Transform } from 'node:stream';
import { compose, type Middleware, withBody } from '@headgate/core';
import { upstreamTo } from '@headgate/core/upstream';
import t from 'tap';
import { front, listen, OK, rawOrigin, talk, until } from './wire.ts';

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
const KIB_64 = Buffer.alloc(64 * 1024, 'x');

t.test('a response flows no faster than its client reads', async (t) => {
  let written = 0;
  const server = createHttpServer((_req, res) => {
    const pour = () => {
      do written += KIB_64.length;
      while (!res.destroyed && res.write(KIB_64));
      res.once('drain', pour);
    };
    pour();
  });
  const { port } = await front(t, `http://127.0.0.1:${await listen(t, server)}`);
  const socket = connect(port, '127.0.0.1');
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: t.example\r\n\r\n');
  await pause(700);
  const before = written;
  await pause(300);
  t.ok(before > 0, 'it flows');
  t.equal(written, before, 'and stops when nobody reads');
  socket.resume();
  await until(() => written > before + 50_000_000);
  t.ok(written > before + 50_000_000, 'and goes on');
  socket.destroy();
});

t.test('an upload flows no faster than its origin reads', async (t) => {
  const server = createHttpServer(() => {});
  const { url } = await front(t, `http://127.0.0.1:${await listen(t, server)}`);
  const req = httpRequest(url, { method: 'POST' });
  req.on('error', () => {});
  let written = 0;
  const pour = () => {
    do written += KIB_64.length;
    while (req.write(KIB_64));
    req.once('drain', pour);
  };
  pour();
  const [incoming] = (await once(server, 'request')) as [IncomingMessage];
  await pause(700);
  const before = written;
  await pause(300);
  t.ok(before > 0, 'it flows');
  t.equal(written, before, 'and stops when nobody reads');
  incoming.resume();
  await until(() => written > before + 50_000_000);
  t.ok(written > before + 50_000_000, 'and goes on');
  req.destroy();
});

t.test('both directions at once: an echo of 50 MB', async (t) => {
  const server = createHttpServer((req, res) => req.pipe(res));
  const { url, reports } = await front(t, `http://127.0.0.1:${await listen(t, server)}`);
  const size = 800;
  const req = httpRequest(url, { method: 'POST' });
  Readable.from(
    (function* () {
      for (let i = 0; i < size; i++) yield KIB_64;
    })(),
  ).pipe(req);
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  let received = 0;
  for await (const chunk of res) received += chunk.length;
  t.equal(received, size * KIB_64.length);
  await until(() => reports.length > 0);
  t.equal(reports[0]?.bytesOut, received);
  t.ok((reports[0]?.bytesIn ?? 0) >= received);
});

t.test('a head is sent as soon as it is there, and each piece of the body too', async (t) => {
  let send: (text: string) => void = () => {};
  const server = createHttpServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.flushHeaders();
    send = (text) => res.write(text);
  });
  const { url } = await front(t, `http://127.0.0.1:${await listen(t, server)}`);
  const req = httpRequest(url).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    send(event);
    t.equal(String((await once(res, 'data'))[0]), event);
  }
  req.destroy();
});

t.test(
  'a client that leaves ends the upstream request: before the head, during the body, during an upload',
  async (t) => {
    const silent = await rawOrigin(t, () => {});
    const before = await front(t, silent.url);
    await talk(before.port, 'GET / HTTP/1.1\r\nHost: t\r\n\r\n', { patience: 150 });
    await until(() => silent.sockets.size === 0 && before.reports.length > 0);
    t.equal(silent.sockets.size, 0, 'before the head');
    t.match(before.reports, [{ status: 499, error: { code: 'CLIENT_GONE' } }]);

    const slow = await rawOrigin(t, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    const during = await front(t, slow.url);
    await talk(during.port, 'GET / HTTP/1.1\r\nHost: t\r\n\r\n', { patience: 150 });
    await until(() => slow.sockets.size === 0 && during.reports.length > 0);
    t.equal(slow.sockets.size, 0, 'during the body');
    t.match(during.reports, [{ status: 200, bytesOut: 3, error: { code: 'CLIENT_GONE' } }]);

    const eager = await rawOrigin(t, () => {});
    const upload = await front(t, eager.url);
    await talk(upload.port, 'POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc', {
      patience: 150,
    });
    await until(() => eager.sockets.size === 0 && upload.reports.length > 0);
    t.equal(eager.sockets.size, 0, 'during an upload');
    t.match(upload.reports, [{ status: 499, error: { code: 'CLIENT_GONE' } }]);
  },
);

t.test(
  'an answer that comes before the upload is over reaches the client, and frees the connection',
  async (t) => {
    const origin = createHttpServer((_req, res) => res.writeHead(413).end('too large'));
    const sockets = new Set<Socket>();
    origin.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    const { url, reports } = await front(t, `http://127.0.0.1:${await listen(t, origin)}`);
    const req = httpRequest(url, { method: 'POST', headers: { 'content-length': 1_000_000 } });
    req.on('error', () => {});
    req.write('x');
    const [res] = (await once(req, 'response')) as [IncomingMessage];
    t.equal(res.statusCode, 413);
    t.equal(String(await res.toArray()), 'too large');
    req.destroy();
    await until(() => reports.length > 0);
    await until(() => sockets.size === 0);
    t.equal(sockets.size, 0);
    t.equal(reports.length, 1, 'what is left of the body is no exchange of its own');
  },
);

t.test(
  'a layer may change a body on its way, and a wrong length never passes for a whole body',
  async (t) => {
    const origin = await rawOrigin(
      t,
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "x"\r\n\r\nhello',
    );
    const upstream = upstreamTo(origin.url);
    t.teardown(() => upstream.close());
    const shout: Middleware = async (request, next) => {
      const response = await next(request);
      if (!(response.body instanceof Readable)) return response;
      if (request.url === '/more') {
        response.body.resume();
        const more = new PassThrough();
        more.write('hello'); // as long as it says, but not all
        setTimeout(() => more.end('again'), 50);
        return { ...response, body: more };
      }
      const upper = new Transform({
        transform: (chunk, _encoding, done) => done(null, String(chunk).toUpperCase().repeat(2)),
      });
      const body = response.body.pipe(upper);
      return request.url === '/wrong' ? { ...response, body } : withBody(response, body);
    };
    const { port, reports } = await front(t, origin.url, {
      handler: compose([shout], upstream.handler),
    });

    const right = await talk(port, 'GET /right HTTP/1.1\r\nHost: t\r\n\r\n');
    t.match(right.messages[0]?.body, /HELLOHELLO/);
    t.match(right.messages[0]?.head, /^etag: W\/"x"$/im);
    t.notMatch(right.messages[0]?.head, /content-length/i);

    const wrong = await talk(port, 'GET /wrong HTTP/1.1\r\nHost: t\r\n\r\n');
    t.same(wrong.messages, []);
    t.match(wrong.end, /closed|reset/);
    await until(() => reports.length === 2);
    t.match(reports[1]?.error, { code: 'UPSTREAM_BROKEN' });

    const more = await talk(port, 'GET /more HTTP/1.1\r\nHost: t\r\n\r\n', { answers: 2 });
    t.match(more.end, /closed|reset/, 'the connection ends with it');
    await until(() => reports.length === 3);
    t.match(reports[2]?.error, { code: 'UPSTREAM_BROKEN' });
  },
);

t.test('an answer that came in one piece leaves its connection to the next request', async (t) => {
  const origin = await rawOrigin(t, OK);
  const { port } = await front(t, origin.url);
  const asked = Array.from({ length: 20 }, () => 'GET / HTTP/1.1\r\nHost: t\r\n\r\n');
  for (const one of asked) await talk(port, one);
  t.equal(origin.requests.length, 20);
  t.equal(origin.connections, 1);
});

t.test('a layer may look at a body that has come in pieces: all of it arrives', async (t) => {
  const origin = await rawOrigin(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234');
    setTimeout(() => socket.write('56789'), 20);
  });
  const upstream = upstreamTo(origin.url);
  t.teardown(() => upstream.close());
  let seen = '';
  const look: Middleware = async (request, next) => {
    const response = await next(request);
    await pause(100);
    (response.body as Readable).on('data', (chunk) => (seen += chunk));
    return response;
  };
  const { port } = await front(t, origin.url, { handler: compose([look], upstream.handler) });
  const get = 'GET / HTTP/1.1\r\nHost: t\r\n\r\n';
  const { messages } = await talk(port, [get, get], { answers: 2 });
  t.match(messages, [{ body: '0123456789' }, { body: '0123456789' }]);
  t.equal(seen, '01234567890123456789');
});

t.test('a closed server ends its connections with the answers under way', async (t) => {
  let answer: () => void = () => {};
  const origin = await rawOrigin(t, (socket) => {
    answer = () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const { port, server } = await front(t, origin.url);
  const talking = talk(port, 'GET / HTTP/1.1\r\nHost: t\r\n\r\n', { answers: 2 });
  await until(() => origin.requests.length > 0);
  server.close();
  answer();
  const { messages, end } = await talking;
  t.equal(messages[0]?.body, 'ok');
  t.match(messages[0]?.head, /^connection: close$/im);
  t.equal(end, 'closed');
});

t.test(
  'what is left of an upload that failed is read past, and the connection goes on',
  async (t) => {
    const origin = createHttpServer((req) => setTimeout(() => req.socket.resetAndDestroy(), 200));
    const { port } = await front(t, `http://127.0.0.1:${await listen(t, origin)}`);
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    const half = Buffer.alloc(8 * 1024 * 1024, 'x');
    socket.write(`POST / HTTP/1.1\r\nHost: t\r\nContent-Length: ${2 * half.length}\r\n\r\n`);
    socket.write(half);
    await until(() => text.includes(' 502 '));
    t.match(text, /^HTTP\/1\.1 502 /);
    socket.write(half);
    socket.write('OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n');
    await until(() => text.includes(' 204 '));
    t.match(text, /\nHTTP\/1\.1 204 /);
    socket.destroy();
  },
);
