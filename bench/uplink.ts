/**
 * How long a stampede keeps a home's line busy: `./dev bench uplink [--mbit N] [--json FILE]`. 2,000 servers
 * fetch a page within one second while whatever the proxy sends is limited to 10 Mbit/s, in a network
 * namespace of its own. Needs Linux, root and `tc` (Debian package iproute2); it says so where it has not.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fetchOnce, stampede } from './kit/fetchers.ts';
import { median, quantile, ratio, report, size } from './kit/figures.ts';
import { pageOf } from './kit/page.ts';
import { startPeers } from './kit/peers.ts';
import { folder, type Peer, startOrigin } from './kit/process.ts';

/** Tells the process in the namespace that it is there. */
const INSIDE = 'BENCH_NAMESPACE';
const WITHIN = 1_000;

const { values } = parseArgs({
  options: {
    mbit: { type: 'string', default: '10' },
    servers: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const servers = Number(values.servers);
const rounds = Number(values.rounds);

if (process.env[INSIDE] === undefined) {
  const itself = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)];
  const env = { ...process.env, [INSIDE]: '1' };
  const args = ['--net', ...itself, ...process.argv.slice(2)];
  if (spawnSync('unshare', ['--net', 'tc', 'qdisc', 'show']).status !== 0) {
    console.error('uplink is left out: it needs root, unshare and tc (Debian package iproute2)');
    process.exit(0);
  }
  process.exit(spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1);
}

run('ip', 'link', 'set', 'lo', 'up', 'mtu', '1500');
run('tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'handle', '1:', 'htb', 'default', '2');
run('tc', ...inClass('1:1'), 'rate', `${values.mbit}mbit`);
run('tc', ...inClass('1:2'), 'rate', '10gbit', 'quantum', '60000');

const home = folder();
const page = pageOf(60 * 1024);
writeFileSync(join(home, 'page.html'), page);
const origin = await startOrigin(home, 300);
const peers = await startPeers({ origin: origin.port, gzip: true });
for (const { port } of peers) {
  const isFromProxy = ['u32', 'match', 'ip', 'sport', String(port), '0xffff'];
  run('tc', 'filter', 'add', 'dev', 'lo', 'parent', '1:', ...isFromProxy, 'flowid', '1:1');
}

const measured = new Map<string, { busy: number; p50: number; bytes: number; errors: number }[]>();
for (let round = 0; round < rounds; round++)
  for (const peer of peers) {
    const one = await measure(peer, `/page.html?round=${round}`);
    measured.set(peer.name, [...(measured.get(peer.name) ?? []), one]);
  }
const busyOf = (name: string) => (measured.get(name) ?? []).map(({ busy }) => busy);
const rows = Array.from(measured, ([name, all]) => [
  name,
  {
    'busy for, s': median(busyOf(name)).toFixed(1),
    'times Headgate’s': ratio(busyOf(name), busyOf('headgate')),
    'p50 s': median(all.map(({ p50 }) => p50)).toFixed(1),
    'bytes sent': size(median(all.map(({ bytes }) => bytes))),
    errors: all.reduce((total, { errors }) => total + errors, 0),
  },
]);
report('uplink', values.json)(
  `${servers} servers within 1 s, ${values.mbit} Mbit/s, page of ${size(page.length)}, gzip, medians of ${rounds} rounds`,
  Object.fromEntries(rows),
);
for (const peer of [...peers, origin]) await peer.stop();
process.exit();

/** Seconds from the first question to the last byte. */
async function measure(peer: Peer, path: string) {
  const began = performance.now();
  const all = await stampede(servers, WITHIN, () => fetchOnce(peer, path));
  return {
    busy: (performance.now() - began) / 1000,
    p50:
      quantile(
        all.map(({ ms }) => ms),
        0.5,
      ) / 1000,
    bytes: all.reduce((total, { bytes }) => total + bytes, 0),
    errors: all.filter(({ isRight }) => !isRight).length,
  };
}

function inClass(id: string): string[] {
  return ['class', 'add', 'dev', 'lo', 'parent', '1:', 'classid', id, 'htb'];
}

function run(command: string, ...args: string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
  if (error || status !== 0) process.exit(1);
}
