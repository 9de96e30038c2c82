/**
 * A post with a link has just federated: `./dev bench stampede [--page FILE] [--rounds N] [--json FILE]`.
 * 2,000 servers, each on its own connection, ask for the page within one second, as Mastodon does; the
 * page isn't cached yet, and the origin takes 300 ms. Headgate, nginx (with its lock), Varnish and the
 * first Fedicache's idea in PHP in turn, on one core; the fetchers and the origin on the other.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { fetchOnce, stampede } from './kit/fetchers.ts';
import { median, quantile, ratio, report, size } from './kit/figures.ts';
import { pageOf } from './kit/page.ts';
import { startPeers } from './kit/peers.ts';
import { askedOf, folder, keyPair, LOAD_CORE, type Peer, startOrigin } from './kit/process.ts';

/** What one stampede did. Times in milliseconds. */
interface Stampede {
  readonly asked: number;
  readonly errors: number;
  readonly p50: number;
  readonly p99: number;
  readonly bytes: number;
  /** Of the proxy. */
  readonly cpu: number;
}

const WITHIN = 1_000;
const CASES = [
  { kind: 'cold, cacheable', path: '/page.html', isTls: false, isKept: true },
  { kind: 'cold, cacheable, TLS', path: '/page.html', isTls: true, isKept: true },
  { kind: 'uncacheable (no-store)', path: '/no-store/page.html', isTls: false, isKept: false },
];

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
const tell = report('stampede', values.json);

for (const { kind, path, isTls, isKept } of CASES) {
  const tls = isTls ? keyPair() : undefined;
  const plain = ['varnish', ...(isKept ? ['php' as const] : [])] as const;
  const names = ['headgate', 'nginx', ...(isTls ? [] : plain)] as const;
  const peers = await startPeers({ origin: origin.port, gzip: true, tls }, names);
  const measured = new Map<string, Stampede[]>(peers.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const peer of peers) {
      const one = await measure(peer, `${path}?round=${round}`); // a page that nobody has asked for
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
  for (const peer of peers) await peer.stop();
}
await origin.stop();

function bytesOf(all: readonly Stampede[]): number[] {
  return all.map(({ bytes }) => bytes);
}

async function measure(peer: Peer, path: string): Promise<Stampede> {
  await askedOf(origin);
  const before = peer.cpu();
  const all = await stampede(servers, WITHIN, () => fetchOnce(peer, path));
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
