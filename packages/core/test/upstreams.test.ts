/** What an upstream can be besides one address: a socket, several, limited, under another name. */
import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { mock } from 'node:test';
import { balancer, type Handler, HeadgateError, limit, readBody } from '@headgate/core';
import { aRequest, aResponse } from '@headgate/core/testing';
import { upstreamTo } from '@headgate/core/upstream';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { front, rawOrigin, talk, until } from './wire.ts';

const GET = 'GET / HTTP/1.1\r\nHost: site.example\r\n\r\n';

t.test('a Unix socket is an upstream, for requests and WebSockets', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'app.sock');
  const seen: IncomingMessage[] = [];
  const origin = createHttpServer((req, res) => {
    seen.push(req);
    res.end('by socket');
  });
  new WebSocketServer({ server: origin }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(data)),
  );
  origin.listen(path);
  await once(origin, 'listening');
  t.teardown(() => origin.close());

  const { port, url } = await front(t, `unix:${path}`);
  const { messages } = await talk(port, GET);
  t.match(messages[0], { head: /^HTTP\/1\.1 200/, body: /by socket/ });
  t.equal(seen[0]?.headers.host, 'site.example');

  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open');
  socket.send('hello');
  t.equal(String((await once(socket, 'message'))[0]), 'hello');
  socket.terminate();
});

t.test('the Host can be another; X-Forwarded-Host keeps what was asked for', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url, {
    upstream: { host: 'internal.example' },
    tunnels: { host: 'internal.example' },
  });
  await talk(port, GET);
  await talk(
    port,
    'GET /ws HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  t.equal(origin.requests.length, 2);
  for (const { head } of origin.requests) {
    t.match(head, /^host: internal\.example\r?$/im);
    t.match(head, /^x-forwarded-host: site\.example\r?$/im);
    t.equal(head.match(/^host:/gim)?.length, 1);
  }
});

t.test('keepAlive 0 leaves no connection behind; 1 leaves one', async (t) => {
  for (const keepAlive of [0, 1]) {
    const origin = await rawOrigin(t);
    const { port } = await front(t, origin.url, { upstream: { keepAlive } });
    for (let i = 0; i < 2; i++) t.match((await talk(port, GET)).text, /^HTTP\/1\.1 200/);
    t.equal(origin.connections, 2 - keepAlive);
    if (keepAlive === 0) {
      await until(() => origin.sockets.size === 0);
      t.match(origin.bytes, /^connection: close\r?$/im);
    }
    t.equal(origin.sockets.size, keepAlive);
  }
});

t.test('a name is looked up once for all who connect at once, and anew for the next', async (t) => {
  const origin = await rawOrigin(t);
  const tell: ((error: null, address: object[]) => void)[] = [];
  const { lookup: real } = dns;
  const lookup = mock.method(dns, 'lookup', (name: string, ...rest: [object, () => void]) => {
    if (name === 'once.example') tell.push(rest[1]);
    else real(name, ...rest);
  });
  t.teardown(() => lookup.mock.restore());
  const { port, server } = await front(t, `http://once.example:${origin.port}`, {
    upstream: { keepAlive: 0 },
  });
  let asked = 0;
  server.on('request', () => {
    asked += 1;
  });
  for (let time = 1; time <= 2; time++) {
    const all = Promise.all(Array.from({ length: 10 }, () => talk(port, GET)));
    await until(() => asked === 10 * time);
    await new Promise((done) => setTimeout(done, 50));
    t.equal(tell.length, time);
    tell.at(-1)?.(null, [{ address: '127.0.0.1', family: 4 }]);
    for (const { messages } of await all) t.equal(messages[0]?.body, 'ok');
  }
});

t.test('one upstream is asked with different patience on the same connections', async (t) => {
  let answers = 0;
  const origin = await rawOrigin(t, (socket) => {
    answers += 1;
    if (answers < 3) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const { handler, within, close } = upstreamTo(origin.url);
  t.teardown(close);
  await readBody((await handler(aRequest())).body, 9);
  const hasty = within({ headTimeout: 50 });
  await readBody((await hasty(aRequest())).body, 9);
  t.equal(origin.connections, 1);
  await t.rejects(hasty(aRequest()), { code: 'UPSTREAM_TIMEOUT' });
});

/** Handlers that answer with their number, or fail with what is in `faults` at their place. */
function members(count: number, faults: (Error | undefined)[] = []) {
  const asked: number[] = [];
  const handlers = Array.from(
    { length: count },
    (_, index): Handler =>
      async () => {
        asked.push(index);
        const fault = faults[index];
        if (fault) throw fault;
        return aResponse({ body: Buffer.from(String(index)) });
      },
  );
  return { asked, handlers };
}

const unreachable = new HeadgateError('UPSTREAM_UNREACHABLE', 'nobody there');

t.test('of several, the one with the fewest requests under way is asked', async (t) => {
  const bodies: PassThrough[] = [];
  const asked: number[] = [];
  const handlers = [0, 1, 2].map(
    (index): Handler =>
      async () => {
        asked.push(index);
        const body = new PassThrough();
        bodies[index] = body;
        return aResponse({ body });
      },
  );
  const ask = balancer(3).spread(handlers);
  for (let i = 0; i < 3; i++) await ask(aRequest());
  t.same(asked.toSorted(), [0, 1, 2], 'all idle ones in turn');
  bodies[1]?.destroy();
  await once(bodies[1] as PassThrough, 'close');
  await ask(aRequest());
  t.equal(asked.at(-1), 1, 'whose body is over is idle');
});

t.test('who failed rests for ten seconds, and is asked when nobody else is left', async (t) => {
  let now = 1_000_000;
  const faults: (Error | undefined)[] = [unreachable];
  const { asked, handlers } = members(2, faults);
  const ask = balancer(2, () => now).spread(handlers);
  for (let i = 0; i < 6; i++) t.equal(String((await ask(aRequest())).body), '1');
  t.equal(asked.filter((index) => index === 0).length, 1, 'asked once, then left alone');

  faults[1] = unreachable;
  faults[0] = undefined;
  t.equal(
    String((await ask(aRequest())).body),
    '0',
    'the other failed: it is asked before its time',
  );

  faults[1] = undefined;
  asked.length = 0;
  now += 10_001;
  for (let i = 0; i < 4; i++) await ask(aRequest());
  t.equal(asked.filter((index) => index === 1).length, 2, 'back after ten seconds');
});

t.test('what nobody got is sent to the next, what somebody may have got is not', async (t) => {
  const rows: [error: HeadgateError, body: Buffer | PassThrough, asked: number][] = [
    [unreachable, Buffer.from('a form'), 2],
    [unreachable, new PassThrough(), 1],
    [new HeadgateError('UPSTREAM_BROKEN', 'reset'), Buffer.alloc(0), 1],
    [new HeadgateError('UPSTREAM_TIMEOUT', 'silence'), Buffer.alloc(0), 1],
  ];
  for (const [error, body, count] of rows) {
    const { asked, handlers } = members(2, [error, error]);
    const ask = balancer(2).spread(handlers);
    await t.rejects(ask(aRequest({ method: 'POST', body })), error);
    t.equal(asked.length, count, `${error.code} ${body.constructor.name}`);
  }
});

t.test("a client's own fault rests nobody", async (t) => {
  const { asked, handlers } = members(2, [new HeadgateError('BODY_TOO_LARGE', 'too large')]);
  const ask = balancer(2).spread(handlers);
  for (let i = 0; i < 4; i++) await ask(aRequest()).catch(() => {});
  t.same(asked.toSorted(), [0, 0, 1, 1]);
});

t.test('over the limit requests wait for the last byte of another', async (t) => {
  const bodies: PassThrough[] = [];
  const ask = limit(2)(async () => {
    const body = new PassThrough();
    bodies.push(body);
    return aResponse({ body });
  });
  const answers = [1, 2, 3, 4].map(() => ask(aRequest()));
  await Promise.all(answers.slice(0, 2));
  await new Promise((done) => setImmediate(done));
  t.equal(bodies.length, 2);
  bodies[0]?.resume().end();
  await answers[2];
  t.equal(bodies.length, 3);
  bodies[1]?.destroy();
  await answers[3];
  t.equal(bodies.length, 4);
});

t.test('who leaves or fails makes room; event streams take none', async (t) => {
  const queue: (() => void)[] = [];
  let isEventStream = false;
  const type = () => ({ 'content-type': isEventStream ? 'text/event-stream' : 'text/html' });
  const ask = limit(1)(async () => {
    await new Promise<void>((done) => queue.push(done));
    if (!isEventStream) throw unreachable;
    return aResponse({ headers: type(), body: new PassThrough() });
  });
  const first = ask(aRequest());
  const left = new AbortController();
  const gone = ask(aRequest({ signal: () => left.signal }));
  const third = ask(aRequest());
  left.abort(new Error('left'));
  await t.rejects(gone, { message: 'left' });
  queue.shift()?.();
  await t.rejects(first, unreachable);
  await until(() => queue.length === 1);
  isEventStream = true;
  queue.shift()?.();
  await third;
  const fourth = ask(aRequest());
  await until(() => queue.length === 1);
  queue.shift()?.();
  t.equal((await fourth).status, 200, 'beside the event stream that still runs');
});

t.test('too many that wait, and who waits too long, are overloaded', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const ask = limit(1)(() => new Promise(() => {}));
  void ask(aRequest());
  const waiting = Array.from({ length: 16 }, () => ask(aRequest()));
  await t.rejects(ask(aRequest()), { code: 'OVERLOADED', status: 503 });
  const ends = Promise.allSettled(waiting);
  mock.timers.tick(10_000);
  for (const end of await ends) t.match(end, { reason: { code: 'OVERLOADED' } });
});

t.test('WebSockets go to the idlest too', async (t) => {
  const open: ((outcome: { status: number; error?: Error }) => void)[] = [];
  const asked: number[] = [];
  const tunnel = balancer(2).spreadTunnels(
    [0, 1].map((index) => (_request, _client, finished) => {
      asked.push(index);
      open[index] = finished;
    }),
  );
  const client = { req: {}, socket: {}, head: Buffer.alloc(0) } as never;
  tunnel(aRequest(), client, () => {});
  tunnel(aRequest(), client, () => {});
  t.same(asked.toSorted(), [0, 1]);
  open[0]?.({ status: 101 });
  tunnel(aRequest(), client, () => {});
  t.equal(asked.at(-1), 0);
});
