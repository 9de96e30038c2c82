/** Slow, greedy and deaf clients, loops and strangers' names: what there is a limit for. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import { EMPTY, HeadgateError, readBody, toHeaders } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import t, { type Test } from 'tap';
import { pacerOf } from '../src/pace.ts';
import { front, listen, rawOrigin, talk, until } from './wire.ts';

const H = 'Host: t.example\r\n';
const get = (target: string, more = '') => `GET ${target} HTTP/1.1\r\n${H}${more}\r\n`;
const HANDSHAKE = get(
  '/ws',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
);
const statusesOf = (talk: { messages: readonly { head: string }[] }) =>
  talk.messages.map(({ head }) => Number(head.split(' ')[1]));
const fieldOf = (head: string | undefined, name: string) =>
  new RegExp(`^${name}: (.*)$`, 'im').exec(head ?? '')?.[1]?.trim();

/** A client that reads, and remembers what and how it ended. */
function caller(t: Test, port: number) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const state = { text: '', isEnded: false, isOver: false };
  socket.on('error', () => {});
  socket.on('end', () => (state.isEnded = true));
  socket.on('close', () => (state.isOver = true));
  socket.on('data', (chunk) => (state.text += chunk.toString('latin1')));
  t.teardown(() => socket.destroy());
  return { socket, state };
}

/** Sends `piece` again and again until the connection is gone. */
function drip(socket: Socket, piece: string, ms: number): void {
  const timer = setInterval(() => socket.write(piece), ms);
  socket.once('close', () => clearInterval(timer));
}

t.test('a refusal is read although its client goes on sending, and that has an end', async (t) => {
  const origin = await rawOrigin(t);
  const { port, reports } = await front(t, origin.url, { idleTimeout: 100, hosts: ['a.example'] });
  const eager = caller(t, port);
  eager.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 50000000\r\n\r\n`);
  for (let i = 0; i < 200 && !eager.state.isOver; i++)
    if (!eager.socket.write(Buffer.alloc(65_536)))
      await Promise.race([once(eager.socket, 'drain'), once(eager.socket, 'close')]).catch(
        () => {},
      ); // a reset, when it went on for too long
  await until(() => eager.state.text !== '');
  t.match(eager.state.text, /^HTTP\/1\.1 421 [\s\S]*\r\nconnection: close\r\n/i);

  const endless = caller(t, port);
  endless.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 50000000\r\n\r\n`);
  drip(endless.socket, 'x', 20);
  await until(() => endless.state.isEnded);
  t.equal(endless.state.isOver, false, 'it may go on for a while');
  t.equal(endless.state.isEnded, true, 'but has the last word');
  await until(() => reports.length === 2);
  t.match(reports[1], { status: 421 }, 'the exchange is over when the answer is out');
  await until(() => endless.state.isOver);
  t.equal(endless.state.isOver, true, 'not for ever');
  t.equal(reports.length, 2, 'each reported once');
});

t.test(
  'an answer that came before the body: the rest is read past, and that has an end',
  async (t) => {
    const { port } = await front(t, 'http://127.0.0.1:9', {
      idleTimeout: 100,
      handler: async () => ({ status: 200, headers: {}, body: Buffer.from('early') }),
    });
    const endless = caller(t, port);
    endless.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 50000000\r\n\r\n`);
    drip(endless.socket, 'x', 20);
    await until(() => endless.state.isOver);
    t.match(endless.state.text, /^HTTP\/1\.1 200 [\s\S]*early$/);
    t.equal(endless.state.isOver, true);

    const silent = caller(t, port);
    silent.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 50000000\r\n\r\n`);
    await until(() => silent.state.isEnded);
    t.equal(silent.state.isEnded, true, 'silence ends it sooner');
  },
);

t.test('an origin that refuses an upload and slams the door is heard', async (t) => {
  const answer =
    'HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno';
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.pause();
      socket.write(answer, () => socket.resetAndDestroy());
    });
  });
  const { port, reports } = await front(t, `http://127.0.0.1:${await listen(t, server)}`);
  for (let i = 0; i < 20; i++) {
    const client = caller(t, port);
    client.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 50000000\r\n\r\n`);
    const pour = () => {
      while (!client.socket.destroyed && client.socket.write(Buffer.alloc(65_536)));
    };
    client.socket.on('drain', pour);
    pour();
    await until(() => client.state.text.endsWith('no'));
    client.socket.destroy();
    t.match(client.state.text, /^HTTP\/1\.1 413 /);
  }
  await until(() => reports.length === 20);
  t.same(new Set(reports.map(({ status }) => status)), new Set([413]));
});

t.test('a body that drips is a 408; one that waits for the origin is not', async (t) => {
  const { port, reports } = await front(t, 'http://127.0.0.1:9', {
    idleTimeout: 400,
    handler: async ({ body, signal, url }) => {
      if (url === '/slow-origin') await pause(1_000);
      for await (const _ of body as AsyncIterable<Buffer>) signal().throwIfAborted();
      return { status: 200, headers: {}, body: Buffer.from('ok') };
    },
  });
  const slow = caller(t, port);
  slow.socket.write(`POST / HTTP/1.1\r\n${H}Content-Length: 5000\r\n\r\n`);
  drip(slow.socket, 'x', 20); // 50 bytes a second, never silent for long
  await until(() => slow.state.text !== '');
  t.match(slow.state.text, /^HTTP\/1\.1 408 /);
  t.match(reports[0]?.error, { code: 'REQUEST_TIMEOUT', message: 'the body came too slowly' });

  const patient = caller(t, port);
  patient.socket.write(`POST /slow-origin HTTP/1.1\r\n${H}Content-Length: 50\r\n\r\n`);
  for (let i = 0; i < 50; i++) {
    patient.socket.write('x');
    await pause(20);
  }
  await until(() => patient.state.text !== '');
  t.match(patient.state.text, /^HTTP\/1\.1 200 /);
});

t.test('a layer that reads a body may stop, and learns when it breaks off', async (t) => {
  const errors: Error[] = [];
  const { port } = await front(t, 'http://127.0.0.1:9', {
    handler: async ({ body }) => {
      const read = await readBody(body, 10).catch((error: Error) => errors.push(error));
      return { status: read instanceof Buffer ? 200 : 413, headers: {}, body: Buffer.from('-') };
    },
  });
  const long = `POST / HTTP/1.1\r\n${H}Content-Length: 20\r\n\r\n`;
  const { messages } = await talk(port, [`${long}aaaaaaaaaaaa`, `bbbbbbbb${get('/next')}`], {
    answers: 2,
  });
  t.same(statusesOf({ messages }), [413, 200], 'it answers, and the connection goes on');
  await talk(port, `${long}abc`, { patience: 100 });
  await until(() => errors.length === 2);
  t.match(errors, [{ code: 'BODY_TOO_LARGE' }, { code: 'CLIENT_GONE' }]);
  const chunked = `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`;
  const broken = await talk(port, [chunked, 'zz\r\n'], { answers: 2 });
  t.match(errors[2], { code: 'BAD_REQUEST' });
  t.equal(broken.end, 'closed');
});

t.test('field names that clients make up are not kept', (t) => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let i = 0; i < 200_000; i++) toHeaders([`X-${i}-${'a'.repeat(50)}`, '']);
  t.ok(used() - before < 10_000_000, `${used() - before} bytes`);
  t.end();
});

t.test('slow ones are found among others that come and go in any order', async (t) => {
  const server = createServer({ handler: async () => ({ status: 204, headers: {}, body: EMPTY }) });
  const watch = pacerOf(server, 40, 1_000_000);
  await listen(t, server);
  const told = new Set<string>();
  const begin = (name: string) =>
    watch({
      socket: { bytesRead: 0, bytesWritten: 1, writableLength: 1 },
      body: EMPTY,
      onDrip: () => {},
      onStall: () => told.add(name),
    });
  const orders = [0, 1, 2, 3].flatMap((a) =>
    [0, 1, 2, 3].flatMap((b) => (a === b ? [] : [[a, b]])),
  );
  const stays: string[] = [];
  const end = orders.flatMap((order) => {
    const ends = [0, 1, 2, 3].map((index) => begin(`${order} ${index}`));
    const over = order.map((index) => ends[index]);
    stays.push(...[0, 1, 2, 3].filter((i) => !order.includes(i)).map((i) => `${order} ${i}`));
    over[0]?.();
    return over.slice(1);
  });
  for (const each of end) each?.();
  await until(() => told.size === stays.length);
  await pause(100);
  t.same([...told].sort(), stays.sort());
});

t.test('a client that does not read is sent away, even if it keeps talking', async (t) => {
  const body = Buffer.alloc(64 * 1024 * 1024);
  const { port, reports } = await front(t, 'http://127.0.0.1:9', {
    idleTimeout: 200,
    minRate: 1_000_000,
    handler: async () => {
      return {
        status: 200,
        headers: {},
        body: Readable.from(
          (function* () {
            for (let i = 0; i < body.length; i += 16_384) yield body.subarray(i, i + 16_384);
          })(),
          { objectMode: false },
        ),
      };
    },
  });
  for (const talks of [false, true]) {
    const deaf = connect(port, '127.0.0.1');
    deaf.on('error', () => {});
    deaf.pause();
    deaf.write(get('/'));
    if (talks) {
      deaf.write('GET /next HTTP/1.1\r\nA: ');
      drip(deaf, 'a', 20);
    }
    const before = reports.length;
    await until(() => reports.length > before);
    t.equal(reports.length, before + 1);
    t.match(reports.at(-1), { error: { code: 'CLIENT_GONE' } }, talks ? 'talking' : 'silent');
    deaf.destroy();
  }
});

t.test('a large piece is given the time that a slow client may take for it', async (t) => {
  const body = Buffer.alloc(8 * 1024 * 1024, 'x');
  const { port, reports } = await front(t, 'http://127.0.0.1:9', {
    idleTimeout: 200,
    handler: async () => ({ status: 200, headers: {}, body }),
  });
  const slow = connect(port, '127.0.0.1');
  slow.write(get('/'));
  let read = 0;
  slow.on('data', (chunk) => {
    read += chunk.length;
    slow.pause();
    setTimeout(() => slow.resume(), 5);
  });
  await until(() => reports.length > 0);
  t.match(reports, [{ status: 200, error: undefined }]);
  t.ok(read > 0);
  slow.destroy();
});

t.test('connections beyond the limit get a 503, and nobody else suffers', async (t) => {
  const origin = await rawOrigin(t);
  const { port, reports } = await front(t, origin.url, { maxConnections: 2, idleTimeout: 500 });
  const first = caller(t, port);
  const second = caller(t, port);
  for (const { socket, state } of [first, second]) {
    socket.write(get('/kept'));
    await until(() => state.text.endsWith('ok'));
  }

  const third = await talk(port, get('/third') + get('/NEVER'), { answers: 2 });
  t.same(statusesOf(third), [503]);
  t.equal(third.end, 'closed');
  t.same(statusesOf(await talk(port, HANDSHAKE, { answers: 2 })), [503], 'a tunnel is one too');
  t.match(reports.at(-1), { status: 503, error: { code: 'OVERLOADED' } });
  const mute = caller(t, port);
  await until(() => mute.state.isEnded);
  t.equal(mute.state.isEnded, true, 'who says nothing does not hold the place');
  t.notMatch(origin.bytes, /third|NEVER|ws/);

  first.socket.write(get('/kept'));
  await until(() => first.state.text.split('ok').length === 3);
  t.equal(first.state.text.split('ok').length, 3, 'those who were there are served');
  second.socket.destroy();
  await until(() => !second.state.isOver);
  await pause(50);
  t.same(
    statusesOf(await talk(port, get('/next'))),
    [200],
    'and so is who comes when one has left',
  );
});

t.test(
  'after a fault behind us the connection goes on; after one of the client it ends',
  async (t) => {
    for (const [code, keeps] of [
      ['INTERNAL', true],
      ['OVERLOADED', true],
      ['UPSTREAM_BROKEN', true],
      ['UPSTREAM_TIMEOUT', true],
      ['UPSTREAM_UNREACHABLE', true],
      ['BAD_REQUEST', false],
      ['BODY_TOO_LARGE', false],
      ['REQUEST_TIMEOUT', false],
    ] as const) {
      const handler = () => Promise.reject(new HeadgateError(code, 'as the test has it'));
      const { port } = await front(t, 'http://127.0.0.1:1', { handler });
      const { messages, end } = await talk(port, get('/a') + get('/b'), { answers: 2 });
      t.equal(messages.length, keeps ? 2 : 1, code);
      t.equal(end, keeps ? 'answered' : 'closed', code);
    }
  },
);

t.test('where hosts are named, no other is served', async (t) => {
  const origin = await rawOrigin(t);
  const listed = await front(t, origin.url, { hosts: ['social.example', '192.0.2.7', '[::1]'] });
  const asked = await front(t, origin.url, { hosts: (name) => name.endsWith('.example') });
  const rows: [host: string, listed: number, asked: number][] = [
    ['social.example', 200, 200],
    ['SOCIAL.Example:8443', 200, 200],
    ['social.example.', 200, 200],
    ['social.example.:80', 200, 200],
    ['192.0.2.7', 200, 421],
    ['[::1]:80', 200, 421],
    ['evil.example', 421, 200],
    ['social.example.evil.test', 421, 421],
    ['xsocial.example', 421, 200],
    ['localhost', 421, 421],
  ];
  for (const [host, ofListed, ofAsked] of rows) {
    const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    t.same(statusesOf(await talk(listed.port, request)), [ofListed], host);
    t.same(statusesOf(await talk(asked.port, request)), [ofAsked], host);
  }
  const { messages } = await talk(listed.port, 'GET / HTTP/1.1\r\nHost: Evil.example:1\r\n\r\n');
  t.match(messages[0]?.body, /no site here is called evil\.example; .* add the name to its hosts/);
  const tunnel = await talk(listed.port, HANDSHAKE, { answers: 2 });
  t.same(statusesOf(tunnel), [421], 'a tunnel is asked for its host too');

  for (const wrong of ['A.example', 'a.example:80', 'https://a.example', 'a b', '', '*'])
    t.throws(() => createServer({ handler: async () => Promise.reject(), hosts: [wrong] }), {
      name: 'TypeError',
      message: /^hosts must list names .* got "/,
    });
});

t.test('a request that comes back to us is a loop', async (t) => {
  let target = 0;
  const mirror = createTcpServer((socket) => {
    const back = connect(target, '127.0.0.1');
    for (const side of [socket, back]) side.on('error', () => {});
    socket.pipe(back).pipe(socket);
  });
  const { port, reports } = await front(t, `http://127.0.0.1:${await listen(t, mirror)}`);
  target = port;
  t.same(statusesOf(await talk(port, get('/'))), [508]);
  await until(() => reports.length === 2);
  t.equal(reports.length, 2, 'it went round once');
  t.same(statusesOf(await talk(port, HANDSHAKE)), [508], 'nor does a tunnel');

  const origin = await rawOrigin(t);
  const behind = await front(t, origin.url);
  const passed = (count: number) => `Headgate-Loop: ${Array(count).fill('other').join(', ')}\r\n`;
  t.same(
    statusesOf(await talk(behind.port, get('/', passed(8)))),
    [200],
    'several in a row are fine',
  );
  t.match(fieldOf(origin.requests[0]?.head, 'headgate-loop'), /^(?:other, ){8}[0-9a-f]{12}$/);
  t.same(statusesOf(await talk(behind.port, get('/', passed(9)))), [508], 'a round dance is not');
});

t.test('Via is told to clients, and to origins only if it must be', async (t) => {
  const origin = await rawOrigin(
    t,
    'HTTP/1.1 200 OK\r\nVia: 1.0 cache\r\nContent-Length: 2\r\n\r\nok',
  );
  const plain = await front(t, origin.url);
  const { messages } = await talk(plain.port, get('/', 'Via: 1.1 cdn\r\n'));
  t.match(messages[0]?.head, /^via: 1\.0 cache\r\nvia: 1\.1 headgate$/im);
  t.equal(fieldOf(origin.requests[0]?.head, 'via'), '1.1 cdn', 'what was there stays');
  await talk(plain.port, get('/'));
  t.equal(fieldOf(origin.requests[1]?.head, 'via'), undefined);
  await talk(plain.port, HANDSHAKE);
  t.equal(fieldOf(origin.requests[2]?.head, 'via'), undefined);

  const telling = await front(t, origin.url, { upstream: { via: true }, tunnels: { via: true } });
  await talk(telling.port, get('/', 'Via: 1.1 cdn\r\n'));
  t.equal(fieldOf(origin.requests[3]?.head, 'via'), '1.1 cdn, 1.1 headgate');
  await talk(telling.port, HANDSHAKE);
  t.equal(fieldOf(origin.requests[4]?.head, 'via'), '1.1 headgate');
});

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find((path) => {
  try {
    execFileSync(path, ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

t.test(
  'nginx as an origin still compresses',
  { skip: !NGINX && 'needs nginx (Debian package nginx-light)' },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-'));
    chmodSync(folder, 0o755); // its workers are somebody else
    const config = join(folder, 'nginx.conf');
    // nginx can't tell which port it was given, so it listens on a socket and we carry bytes to it.
    writeFileSync(join(folder, 'index.html'), '<p>text</p>'.repeat(1_000));
    writeFileSync(
      config,
      `daemon off; pid ${folder}/pid; error_log stderr crit; events {}
       http { access_log off; types { text/html html; } gzip on; root ${folder};
         client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
         uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
         server { listen unix:${folder}/socket; } }`,
    );
    const nginx = spawn(NGINX ?? '', ['-p', folder, '-c', config], { stdio: 'ignore' });
    t.teardown(async () => {
      if (nginx.kill()) await once(nginx, 'exit');
      rmSync(folder, { recursive: true });
    });
    const bridge = createTcpServer((socket) => {
      const inner = connect(join(folder, 'socket'));
      socket.on('error', () => inner.destroy());
      inner.on('error', () => socket.destroy());
      socket.pipe(inner).pipe(socket);
    });
    const url = `http://127.0.0.1:${await listen(t, bridge)}`;
    const compressed = async (via: boolean) => {
      const { port } = await front(t, url, { upstream: { via } });
      for (let i = 0; i < 100; i++) {
        const { messages } = await talk(port, get('/index.html', 'Accept-Encoding: gzip\r\n'));
        if (/^HTTP\/1\.1 200/.test(messages[0]?.head ?? '')) return messages[0];
        await pause(50);
      }
      return undefined;
    };
    const answer = await compressed(false);
    t.equal(fieldOf(answer?.head, 'content-encoding'), 'gzip');
    t.equal(
      fieldOf((await compressed(true))?.head, 'content-encoding'),
      undefined,
      'for Via it does not',
    );
    const [, chunk = ''] = /^[0-9a-f]+\r\n([\s\S]*)\r\n0\r\n\r\n$/.exec(answer?.body ?? '') ?? [];
    t.match(String(gunzipSync(Buffer.from(chunk, 'latin1'))), /^<p>text<\/p>/);
  },
);
