/**
 * Origins that can't be reached at all, or slam the door, met in the four ways of faults.test.ts by one and
 * by fifty: everybody has an answer soon, stale pages serve, nothing is left behind, and all is well after.
 */
import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createTcpServer } from 'node:net';
import { mock } from 'node:test';
import { compose, type Handler } from '@headgate/core';
import { upstreamTo } from '@headgate/core/upstream';
import { fedicache } from '@headgate/middleware-fedicache';
import { memoryStore } from '@headgate/store';
import t, { type Test } from 'tap';
import { front, listen, rawOrigin, talk, until } from '../../core/test/wire.ts';
import { BROWSER, bodyOf, cameBy, MASTODON, page, statusOf } from './site.ts';

const PAGE = page('<!doctype html><title>healthy</title><p>text</p>');
const fixture = (name: string) =>
  readFileSync(new URL(`../../core/test/fixtures/${name}`, import.meta.url), 'utf8');
const HANDSHAKE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** A port whose connections are never taken, nor refused: the queue of a process that is stopped is full. */
async function blackHole(t: Test): Promise<string> {
  const script =
    "const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))";
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '-e', script]);
  t.teardown(() => child.kill('SIGKILL'));
  const [said] = await once(child.stdout, 'data');
  const port = Number(said);
  child.kill('SIGSTOP');
  for (let i = 0; i < 8; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    t.teardown(() => socket.destroy());
  }
  return `http://127.0.0.1:${port}`;
}

/** Looks a name up as the resolver of a bad day does. */
let names = 0;
function resolver(t: Test, answer: (tell: (error: Error) => void) => void): string {
  names += 1;
  const host = `bad-day-${names}.example`; // one that never ends is still under way
  const { lookup: real } = dns;
  const lookup = mock.method(dns, 'lookup', (name: string, options: object, tell: () => void) => {
    if (name === host) answer(tell);
    else real(name, options, tell);
  });
  t.teardown(() => lookup.mock.restore());
  return `http://${host}`;
}

async function refused(t: Test): Promise<string> {
  const server = createTcpServer();
  const port = await listen(t, server);
  server.close();
  return `http://127.0.0.1:${port}`;
}

/** What can't be reached, where it is, and what everybody is told. */
const ROWS: readonly [string, (t: Test) => string | Promise<string>, status: number][] = [
  ['a name that nobody knows', () => 'http://name.invalid', 502],
  [
    'a resolver that fails',
    (t) =>
      resolver(t, (tell) =>
        setImmediate(tell, Object.assign(new Error('try again'), { code: 'EAI_AGAIN' })),
      ),
    502,
  ],
  ['a resolver that says nothing', (t) => resolver(t, () => {}), 504],
  ['nobody listens', refused, 502],
  ['nobody takes the connection', blackHole, 504],
  [
    'a certificate that nobody vouches for',
    async (t) => {
      const keys = { cert: fixture('localhost.pem'), key: fixture('localhost-key.pem') };
      return `https://127.0.0.1:${await listen(t, createTlsServer(keys))}`;
    },
    502,
  ],
  [
    'TLS where there is none',
    async (t) => (await rawOrigin(t, PAGE)).url.replace('http', 'https'),
    504, // what it says to a ClientHello is nothing
  ],
  [
    'a banner where there should be TLS',
    async (t) => {
      const server = createTcpServer((socket) =>
        socket
          .on('error', () => {})
          .resume()
          .end('SSH-2.0-x\r\n'),
      );
      return `https://127.0.0.1:${await listen(t, server)}`;
    },
    502,
  ],
  [
    '413 at once, and the door',
    async (t) => {
      const body = 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno';
      const origin = await rawOrigin(t, (socket) => {
        socket.write(body, () => setTimeout(() => socket.resetAndDestroy(), 20));
      });
      return origin.url;
    },
    413,
  ],
];

/** Connections, and what is on the way to one. */
const open = () =>
  process
    .getActiveResourcesInfo()
    .filter((name) => /^(?:TCPSocketWrap|TCPConnectWrap|TLSWrap|GetAddrInfoReqWrap)$/.test(name))
    .length;

for (const count of [1, 50])
  for (const [name, make, status] of ROWS)
    t.test(`${name}: ${count} waiting`, async (t) => {
      const origin = await rawOrigin(t, PAGE);
      const url = await make(t);
      const before = open();
      const healthy = upstreamTo(origin.url);
      // So short that what stalls is told soon; so long that a busy machine doesn't stall.
      const times = { connectTimeout: status === 504 ? 1_000 : 8_000 };
      const faulty = upstreamTo(url, times);
      let isHurt = false;
      let fills = 0;
      const ask: Handler = (request) => {
        if (request.url === '/fill') fills += 1;
        return (isHurt ? faulty : healthy).handler(request);
      };
      let clock = 1_000_000_000_000;
      const now = () => clock;
      const parts = { now, random: () => 0.5, store: memoryStore({ now }), background: ask };
      const { middleware } = fedicache({}, parts);
      const handler = compose([middleware], ask);
      const { port, reports } = await front(t, url, { handler, tunnels: times });
      const asks = (how: number, target: string, fields: string) =>
        Promise.all(
          Array.from({ length: how }, () =>
            talk(port, `GET ${target} HTTP/1.1\r\nHost: site.example\r\n${fields}\r\n`, {
              patience: 20_000,
            }),
          ),
        );
      const fetcher = `User-Agent: ${MASTODON}\r\nAccept: text/html\r\n`;
      const browser = `User-Agent: ${BROWSER}\r\nAccept: text/html\r\n`;

      await asks(1, '/stale', fetcher);
      clock += 6 * 60_000;
      isHurt = true;
      const [passed, filled, refreshed, upgraded] = await Promise.all([
        asks(count, '/pass', browser),
        asks(count, '/fill', fetcher),
        asks(count, '/stale', fetcher),
        asks(count, '/ws', browser + HANDSHAKE),
      ]);
      for (const [way, talks] of Object.entries({ passed, filled, upgraded }))
        t.same([...new Set(talks.map((talked) => statusOf(talked) ?? talked.end))], [status], way);
      t.same(new Set(refreshed.map(cameBy)), new Set(['stale']), 'nobody notices a refresh');
      if (status >= 500) t.equal(fills, 1, 'asked once for all');
      await until(() => reports.length >= 4 * count + 1);
      t.equal(reports.length, 4 * count + 1, 'each exchange is reported once');

      isHurt = false;
      clock += 200_000;
      for (const target of ['/pass', '/fill', '/stale'])
        t.match(bodyOf((await asks(1, target, fetcher))[0] as never), 'healthy', target);
      for (const { close } of [healthy, faulty]) close();
      await until(() => open() <= before);
      t.ok(open() <= before, `no connection is left: ${open()} of ${before}`);
    });
