/**
 * Each fault of an origin, met by a browser's request, by a fetcher's, by a refresh behind everybody's
 * back and by a WebSocket, with one who waits and with fifty: nobody hangs, nothing that is cut off ends
 * as if it were whole, none of it is kept, and no connection is left behind.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Talk, talk, until } from '../../core/test/wire.ts';
import { BROWSER, bodyOf, cameBy, page, site, statusOf } from './site.ts';

const HTML = 'Content-Type: text/html';
const HEALTHY = '<!doctype html><title>healthy</title><p>text</p>';
const HURT = '<!doctype html><title>hurt</title>';
const head = (status: string, ...fields: string[]) =>
  `HTTP/1.1 ${status}\r\n${[HTML, ...fields].join('\r\n')}\r\n\r\n`;

/** What an origin does with a connection once it has read a request on it. */
type Doing = (socket: Socket) => unknown;

const fin =
  (text: string): Doing =>
  (socket) =>
    socket.end(text, 'latin1');
const reset =
  (text: string): Doing =>
  (socket) =>
    socket.write(text, 'latin1', async () => {
      await sleep(20);
      socket.resetAndDestroy();
    });
const open =
  (text: string): Doing =>
  (socket) =>
    socket.write(text, 'latin1');
/** One byte after the other, slower than is waited for. */
const drip =
  (text: string, bytes: string): Doing =>
  async (socket) => {
    socket.write(text, 'latin1');
    for (const byte of bytes) {
      await sleep(100);
      if (socket.destroyed) return;
      socket.write(byte, 'latin1');
    }
  };

const CHUNKED = 'Transfer-Encoding: chunked';
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

type Row = readonly [name: string, outcome: 'broken' | 'fine', doing: Doing];

/**
 * What comes of a fault: `broken`, an error or a connection that is visibly cut off; `fine`, an answer
 * like any other.
 */
const ROWS: readonly Row[] = [
  ['Content-Length cut off by FIN', 'broken', fin(head('200 OK', 'Content-Length: 99') + HURT)],
  ['Content-Length cut off by RST', 'broken', reset(head('200 OK', 'Content-Length: 99') + HURT)],
  ['chunks cut off by FIN', 'broken', fin(head('200 OK', CHUNKED) + chunk(HURT))],
  ['chunks cut off by RST', 'broken', reset(head('200 OK', CHUNKED) + chunk(HURT))],
  ['a chunk cut off', 'broken', fin(`${head('200 OK', CHUNKED)}99\r\n${HURT}`)],
  ['a bad chunk size at once', 'broken', open(`${head('200 OK', CHUNKED)}xyz\r\n`)],
  [
    'a bad chunk size after 100 kB',
    'broken',
    open(`${head('200 OK', CHUNKED) + chunk(HURT + ' '.repeat(100_000))}xyz\r\n`),
  ],
  ['no length, ended by RST', 'broken', reset(head('200 OK') + HURT)],
  ['bytes beyond Content-Length', 'fine', open(`${page(HEALTHY)}HTTP/1.1 200 OK\r\n\r\nEVIL`)],
  [
    'two Content-Lengths',
    'broken',
    open(head('200 OK', 'Content-Length: 5', 'Content-Length: 6') + HURT),
  ],
  [
    'Content-Length and chunks',
    'broken',
    open(head('200 OK', 'Content-Length: 5', CHUNKED) + chunk(HURT)),
  ],
  [
    'gzip and chunks',
    'broken',
    open(head('200 OK', 'Transfer-Encoding: gzip, chunked') + chunk(HURT)),
  ],
  [
    'a coding of transfer that nobody knows',
    'broken',
    fin(head('200 OK', 'Transfer-Encoding: x') + HURT),
  ],
  ['a Content-Length that is none', 'broken', open(head('200 OK', 'Content-Length: 0x5') + HURT)],
  ['204 with a body', 'fine', open(`${head('204 No Content')}EVIL`)],
  ['304 with a body', 'fine', open(`${head('304 Not Modified')}EVIL`)],
  ['status 000', 'broken', open(head('000 Zero', 'Content-Length: 0'))],
  ['status 099', 'broken', open(head('099 Low', 'Content-Length: 0'))],
  ['status 999', 'broken', open(head('999 High', 'Content-Length: 0'))],
  ['status 1000', 'broken', open(head('1000 Long', 'Content-Length: 0'))],
  ['a control character in the reason', 'fine', open(page(HEALTHY).replace('Fine', 'F\x01ne'))],
  ['UTF-8 in the reason', 'fine', open(page(HEALTHY).replace('Fine', 'F\xc3\xafne'))],
  ['a tab in the reason', 'fine', open(page(HEALTHY).replace('Fine', 'F\tine'))],
  ['a folded field', 'broken', open(head('200 OK', 'X-A: a\r\n b', 'Content-Length: 0'))],
  ['a bare LF', 'broken', open(head('200 OK', 'X-A: a\nX-B: b', 'Content-Length: 0'))],
  ['a bad name', 'broken', open(head('200 OK', 'X A: a', 'Content-Length: 0'))],
  ['0x01 in a value', 'broken', open(head('200 OK', 'X-A: a\x01', 'Content-Length: 0'))],
  ['0x7f in a value', 'broken', open(head('200 OK', 'X-A: a\x7f', 'Content-Length: 0'))],
  [
    'a head of 100 kB',
    'broken',
    open(head('200 OK', `X-A: ${'a'.repeat(100_000)}`, 'Content-Length: 0')),
  ],
  [
    '100 interim responses',
    'fine',
    open('HTTP/1.1 102 Processing\r\n\r\n'.repeat(100) + page(HEALTHY)),
  ],
  [
    '500 interim responses',
    'broken',
    open('HTTP/1.1 102 Processing\r\n\r\n'.repeat(500) + page(HURT)),
  ],
  ['early hints', 'fine', open(`HTTP/1.1 103 Early Hints\r\nLink: <EVIL>\r\n\r\n${page(HEALTHY)}`)],
  ['interim responses only', 'broken', open('HTTP/1.1 102 Processing\r\n\r\n'.repeat(10))],
  [
    'a switch that nobody asked for',
    'broken',
    open('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nEVIL'),
  ],
  [
    'Trailer and trailers',
    'fine',
    open(`${head('200 OK', CHUNKED, 'Trailer: X-A') + chunk(HEALTHY)}0\r\nX-A: EVIL\r\n\r\n`),
  ],
  [
    '1100 fields',
    'broken',
    open(
      page(
        HURT,
        Array.from({ length: 1100 }, (_, i) => `X-${i}: a`),
      ),
    ),
  ],
  ['two Locations', 'fine', open(page(HEALTHY, ['Location: /a', 'Location: //EVI']))],
  ['another protocol', 'broken', open('SSH-2.0-OpenSSH_9.2p1\r\n')],
  ['HTTP/0.9', 'broken', fin(HURT)],
  ['FIN at once', 'broken', fin('')],
  ['RST at once', 'broken', (socket) => socket.resetAndDestroy()],
  ['silence', 'broken', () => {}],
  ['half a head, then silence', 'broken', open('HTTP/1.1 200 OK\r\nContent-')],
  ['half a body, then silence', 'broken', open(head('200 OK', 'Content-Length: 99') + HURT)],
  ['a head byte by byte', 'broken', drip('', head('200 OK', 'Content-Length: 0'))],
  [
    'a gzip that is none',
    'fine',
    open(`${head('200 OK', 'Content-Encoding: gzip', 'Content-Length: 4')}nope`),
  ],
];

/** So short that each fault of time is one soon; so long that a busy machine is none. */
const TIMES = { connectTimeout: 2_000, headTimeout: 2_000, idleTimeout: 2_000 };

/** What was got, once each: how a connection ended without an answer, else its status. */
const got = (all: readonly Talk[]) =>
  [...new Set(all.map((talked) => statusOf(talked) ?? talked.end))].join();

/** An error, or a connection that is visibly cut off. */
const BROKEN = /^(?:502|504|closed|reset)(?:,(?:502|504|closed|reset))*$/;
const FAILED = /^50[24]$/;
const WHOLE = /^(?:200|204|304)$/;

/** An upgrade that the origin answers as it answers everything else. */
const UPGRADE = [
  'GET /ws HTTP/1.1',
  'Host: site.example',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
].join('\r\n');

async function meet(t: Test, [name, outcome, doing]: Row, count: number) {
  let isHurt = false;
  const { ask, many, origin, pass, port, reports } = await site(
    t,
    (socket) => (isHurt ? doing(socket) : socket.write(page(HEALTHY))),
    { upstream: TIMES, hasBackground: true },
  );
  await ask('/stale');
  pass(6 * 60_000);
  isHurt = true;
  const [passed, filled, refreshed, upgraded] = await Promise.all([
    many(count, '/pass', { userAgent: BROWSER }),
    many(count, '/fill'),
    many(count, '/stale'),
    Promise.all(Array.from({ length: count }, () => talk(port, UPGRADE, { patience: 60_000 }))),
  ]);
  const all = [...passed, ...filled, ...refreshed, ...upgraded];
  t.notMatch(all.map(({ text }) => text).join(), /EVIL/, `${name}: nothing beside the answer`);
  t.match(got(passed), outcome === 'fine' ? WHOLE : BROKEN, `${name}: passed`);
  t.match(got(upgraded), outcome === 'fine' ? WHOLE : BROKEN, `${name}: upgraded`);
  t.match(got(filled), outcome === 'fine' ? /^(?:200|204|502)$/ : FAILED, `${name}: filled`);
  t.match(got(refreshed), /^20[04](?:,20[04])*$/, `${name}: refreshed`);
  if (outcome === 'broken')
    t.same(new Set(refreshed.map(cameBy)), new Set(['stale']), `${name}: nobody notices`);
  t.notMatch([...filled, ...refreshed].map(bodyOf).join(), /hurt/, `${name}: nothing of it`);
  const fills = origin.requests.filter(({ head }) => head.startsWith('GET /fill '));
  const isShared = !filled.some((talked) => cameBy(talked) === 'status');
  if (isShared) t.ok(fills.length <= 2, `${name}: ${fills.length} requests to fill once`);

  isHurt = false;
  pass(6_000);
  for (const url of ['/pass', '/fill', '/stale']) {
    const healthy = await ask(url);
    t.equal(statusOf(healthy), 200, `${name}: ${url} is well again`);
    t.match(bodyOf(healthy), 'healthy', `${name}: ${url} is well again`);
  }
  await until(() => reports.length >= 4 * count + 4);
  t.equal(reports.length, 4 * count + 4, `${name}: each exchange is reported once`);
}

for (const [count, atOnce] of [
  [1, 22],
  [50, 6],
] as const)
  for (let from = 0; from < ROWS.length; from += atOnce) {
    const rows = ROWS.slice(from, from + atOnce);
    t.test(`${count} waiting: ${rows.map(([name]) => name).join('; ')}`, (t) =>
      Promise.all(rows.map((row) => meet(t, row, count))),
    );
  }
