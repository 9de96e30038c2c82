/**
 * The stampede that doesn't end with the page: `./dev bench media [--rounds N] [--json FILE]`. 2,000 servers
 * fetch a page, then what it names: its oEmbed answer, and its og:image of 300 KB. What leaves the machine
 * and how long the proxy is busy, for the page alone, with the image from home, and with the image by a
 * redirect to a CDN, which is fetched elsewhere and costs nothing here.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Fetched, fetchOnce, stampede } from './kit/fetchers.ts';
import { median, report, size } from './kit/figures.ts';
import { pageOf } from './kit/page.ts';
import { type PeerOptions, startPeers } from './kit/peers.ts';
import { askedOf, folder, LOAD_CORE, type Peer, startOrigin } from './kit/process.ts';

/** What all servers together did. */
interface Visited {
  readonly asked: number;
  readonly errors: number;
  readonly bytes: number;
  /** Seconds of the proxy's CPU. */
  readonly cpu: number;
}

const WITHIN = 1_000;
const IMAGE = '/wp-content/uploads/river.jpg';
const IMAGE_SIZE = 300 * 1024;
const OEMBED = '/oembed.json';
const WAYS = {
  'page only': [],
  'page + oEmbed': [OEMBED],
  'page + image': [IMAGE],
  'page + oEmbed + image': [OEMBED, IMAGE],
};

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const servers = Number(values.servers);
const rounds = Number(values.rounds);

execFileSync('taskset', ['-cp', LOAD_CORE, String(process.pid)], { stdio: 'ignore' });
const home = folder();
writeFileSync(join(home, 'page.html'), pageOf(60 * 1024));
writeFileSync(join(home, 'river.jpg'), randomBytes(IMAGE_SIZE));
const card = { version: '1.0', type: 'rich', title: 'A walk along the river' };
writeFileSync(join(home, 'oembed.json'), JSON.stringify(card));
const origin = await startOrigin(home, 50);
const tell = report('media', values.json);

const options: PeerOptions = { origin: origin.port, gzip: true };
const setUps = [
  { who: 'Headgate, image by redirect', names: ['headgate'], cdn: 'https://cdn.example' },
  { who: 'Headgate, image from home', names: ['headgate'] },
  { who: 'nginx', names: ['nginx'] },
  { who: 'varnish', names: ['varnish'] },
] as const;

for (const [way, more] of Object.entries(WAYS)) {
  const rows: Record<string, Record<string, string | number>> = {};
  for (const { who, names, ...with_ } of setUps) {
    const [peer] = await startPeers({ ...options, ...with_ }, names);
    if (!peer) continue;
    const all: Visited[] = [];
    for (let round = -1; round < rounds; round++) {
      const one = await visitAll(peer, round, more);
      if (round >= 0) all.push(one); // the first one warms up
    }
    await peer.stop();
    const middle = (figure: keyof Visited) => median(all.map((one) => one[figure]));
    rows[who] = {
      'origin requests': middle('asked'),
      errors: middle('errors'),
      'bytes sent': size(middle('bytes')),
      'bytes per server': size(middle('bytes') / servers),
      'CPU ms': Math.round(middle('cpu') * 1000),
    };
  }
  tell(`${way}: ${servers} servers within 1 s, medians of ${rounds} rounds`, rows);
}
await origin.stop();

async function visitAll(peer: Peer, round: number, more: readonly string[]): Promise<Visited> {
  await askedOf(origin);
  const before = peer.cpu();
  const all = await stampede(servers, WITHIN, async () => {
    const fetched: Fetched[] = [await fetchOnce(peer, `/page.html?round=${round}`)];
    for (const path of more) fetched.push(await fetchOnce(peer, `${path}?round=${round}`, '*/*'));
    return fetched;
  });
  const answers = all.flat();
  return {
    asked: await askedOf(origin),
    errors: answers.filter(({ isRight }) => !isRight).length,
    bytes: answers.reduce((total, { bytes }) => total + bytes, 0),
    cpu: peer.cpu() - before,
  };
}
