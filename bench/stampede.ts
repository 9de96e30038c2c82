/**
 * A post with a link has just federated: `./dev bench stampede [--page FILE] [--rounds N] [--json FILE]`.
 * 2,000 servers, each on its own connection, ask for the page within one second, as Mastodon does; the
 * page isn't cached yet, and the origin takes 300 ms. Headgate, nginx (with its lock) and Varnish in
 * turn, on one core; the fetchers and the origin on the other.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median, quantile, ratio, report, size } from './kit/figures.ts';
import { pageOf } from './kit/page.ts';
import { askedOf, folder, LOAD_CORE, type Peer, startOrigin, startPeers } from './kit/peers.ts';

/** What one stampede did. Times in milliseconds. */
interface Stampede {
  readonly asked: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  /** Of all answers, heads too; what TCP adds is not in it. */
  readonly bytes: number;
  /** Of the proxy. */
  readonly cpu: number;
}

const WITHIN = 1_000;
const TOO_LONG = 30_000;

const { values } = parseArgs({
  options: {
    page: { type: 'string' },
    servers: { type: 'string', default: '2000' },
    delay: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const servers = Number(values.servers);
const rounds = Number(values.rounds);
const page = values.page === undefined ? pageOf(60 * 1024) : readFileSync(values.page);

execFileSync('taskset', ['-cp', LOAD_CORE, String(process.pid)], { stdio: 'ignore' });
const home = folder();
writeFileSync(join(home, 'page.html'), page);
const origin = await startOrigin(home, Number(values.delay));
const peers = await startPeers({ origin: origin.port, gzip: true });
const tell = report('stampede', values.json);

for (const [path, kind] of [
  ['/page.html', 'cold, cacheable'],
  ['/no-store/page.html', 'uncacheable (no-store)'],
] as const) {
  const measured = new Map<string, Stampede[]>(peers.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const peer of peers) {
      const one = await stampede(peer, `${path}?round=${round}`); // a page that nobody has asked for
      if (round >= 0) measured.get(peer.name)?.push(one); // the first one warms up
      await delay(500);
    }
  }
  const ours = measured.get('headgate') ?? [];
  const rows = Array.from(measured, ([name, all]) => {
    const middle = (figure: keyof Stampede) => median(all.map((one) => one[figure]));
    return [
      name,
      {
        'origin requests': middle('asked'),
        errors: all.reduce((total, { errors }) => total + errors, 0),
        'p50 ms': Math.round(middle('p50')),
        'p99 ms': Math.round(middle('p99')),
        'bytes sent': size(middle('bytes')),
        'bytes per server': size(middle('bytes') / servers),
        'bytes: times Headgate’s': ratio(bytesOf(all), bytesOf(ours)),
        'CPU ms': Math.round(middle('cpu') * 1000),
      },
    ] as const;
  });
  tell(
    `${kind}: ${servers} servers within 1 s, origin ${values.delay} ms, page of ${size(page.length)}, medians of ${rounds} rounds`,
    Object.fromEntries(rows),
  );
}
for (const peer of [...peers, origin]) await peer.stop();

function bytesOf(all: readonly Stampede[]): number[] {
  return all.map(({ bytes }) => bytes);
}

async function stampede(peer: Peer, path: string): Promise<Stampede> {
  await askedOf(origin);
  const before = peer.cpu();
  const began = performance.now();
  const fetches: ReturnType<typeof fetchOnce>[] = [];
  while (fetches.length < servers) {
    const due = Math.min(servers, ((performance.now() - began) / WITHIN) * servers);
    while (fetches.length < due) fetches.push(fetchOnce(peer.port, path));
    await delay(1);
  }
  const all = await Promise.all(fetches);
  const times = all.map(({ ms }) => ms);
  return {
    asked: await askedOf(origin),
    errors: all.filter(({ isRight }) => !isRight).length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    bytes: all.reduce((total, { bytes }) => total + bytes, 0),
    cpu: peer.cpu() - before,
  };
}

/** One server's fetch, from its connection to its last byte. */
function fetchOnce(port: number, path: string) {
  const began = performance.now();
  return new Promise<{ ms: number; bytes: number; isRight: boolean }>((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(
        `GET ${path} HTTP/1.1\r\nUser-Agent: Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot\r\n` +
          'Accept: text/html\r\nAccept-Encoding: gzip\r\nConnection: close\r\nHost: path.example\r\n\r\n',
      ),
    );
    socket.setTimeout(TOO_LONG, () => socket.destroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      const answer = Buffer.concat(chunks);
      resolve({
        ms: performance.now() - began,
        bytes: answer.length,
        isRight: isComplete(answer.toString('latin1')),
      });
    });
  });
}

/** True for a 200 with all of its body. */
function isComplete(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n') + 4;
  const head = answer.slice(0, end);
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  if (!head.startsWith('HTTP/1.1 200 ')) return false;
  if (length !== undefined) return answer.length - end === Number(length);
  return /\r\ntransfer-encoding: *chunked/i.test(head) && answer.endsWith('\r\n0\r\n\r\n');
}
