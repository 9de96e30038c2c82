/**
 * A cached page, asked for as fast as it goes: `./dev bench hot-preview [--rounds N] [--seconds N]
 * [--only CASE] [--json FILE]`. Headgate, nginx and Varnish in turn, each on one core, wrk on the
 * other. nginx and Varnish serve the whole page from their caches; in the rows that say so, the same
 * small bytes that Headgate makes of it, which they can't make themselves. node:http alone, which
 * looks at nothing, shows what is left to gain.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { get as getTls } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { median, ratio, report, size } from './kit/figures.ts';
import { pageOf } from './kit/page.ts';
import { startPeers } from './kit/peers.ts';
import { folder, keyPair, type Peer, startOrigin, startSubject } from './kit/process.ts';
import { inTurn, type Load, needWrk } from './kit/wrk.ts';

/** What is asked, and how. */
interface Case {
  readonly path: string;
  readonly gzip: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Default false. Varnish has no TLS and is left out then. */
  readonly isTls?: boolean;
}

const FETCHER = {
  'User-Agent': 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot',
  Accept: 'text/html',
  'Accept-Encoding': 'identity',
  Host: 'path.example',
};
const GZIP = { 'Accept-Encoding': 'gzip' };
const CLOSE = { Connection: 'close' };
const CASES: Record<string, Case> = {
  'keep-alive, 60 KB': { path: '/60.html', gzip: false, headers: {} },
  'keep-alive, 500 KB': { path: '/500.html', gzip: false, headers: {} },
  'keep-alive, 60 KB, gzip': { path: '/60.html', gzip: true, headers: GZIP },
  'a connection per request, 60 KB': { path: '/60.html', gzip: false, headers: CLOSE },
  'a connection per request, 60 KB, gzip': {
    path: '/60.html',
    gzip: true,
    headers: { ...GZIP, ...CLOSE },
  },
  'TLS, keep-alive, 60 KB': { path: '/60.html', gzip: false, headers: {}, isTls: true },
  'TLS, a connection per request, 60 KB': {
    path: '/60.html',
    gzip: false,
    headers: CLOSE,
    isTls: true,
  },
};

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '64' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const how = { connections: Number(values.connections), seconds: Number(values.seconds) };

needWrk();
const home = folder();
writeFileSync(join(home, '60.html'), pageOf(60 * 1024));
writeFileSync(join(home, '500.html'), pageOf(500 * 1024));
const origin = await startOrigin(home);
const tell = report('hot-preview', values.json);

for (const [title, { path, gzip, headers, isTls = false }] of Object.entries(CASES)) {
  if (!title.startsWith(values.only)) continue;
  const tls = isTls ? keyPair() : undefined;
  const names = ['headgate', 'nginx', ...(isTls ? [] : (['varnish'] as const))] as const;
  const peers = await startPeers({ origin: origin.port, gzip, tls }, names);
  const asked = { ...FETCHER, ...headers };
  const small = await cutPage(peers[0] as Peer, path);
  writeFileSync(join(home, 'small.html'), small);
  const node = await startSubject('origin', String(small.length));

  /** Each row: who serves it, and what. */
  const subjects = peers.flatMap((peer) => {
    const whole = { name: peer.name, peer, path };
    if (peer.name === 'headgate') return [whole];
    return [whole, { name: `${peer.name}, small bytes`, peer, path: '/small.html' }];
  });
  if (!isTls) subjects.push({ name: 'node:http alone, small bytes', peer: node, path: '/' });
  const measured = await inTurn(
    subjects.map(({ name, peer, path }) => ({
      name,
      peer,
      asked: { path, headers: asked, ...how },
    })),
    rounds,
  );

  const of = (all: readonly Load[] | undefined, figure: keyof Load) =>
    (all ?? []).map((one) => one[figure]);
  const ours = measured.get('headgate');
  const rows = subjects.map(({ name, peer, path: what }) => {
    const all = measured.get(name);
    return answerOf(peer, what, asked).then(({ body }) => [
      name,
      {
        'requests/s': Math.round(median(of(all, 'rate'))),
        'Headgate is so many times faster': ratio(of(ours, 'rate'), of(all, 'rate')),
        'CPU µs/request': Math.round(median(of(all, 'cpu'))),
        'CPU: times Headgate’s': ratio(of(all, 'cpu'), of(ours, 'cpu')),
        'p99 ms': median(of(all, 'p99')).toFixed(1),
        body: size(body.length),
      },
    ]);
  });
  tell(
    `${title}; ${how.connections} connections, medians of ${rounds} rounds of ${how.seconds} s`,
    Object.fromEntries(await Promise.all(rows)),
  );
  for (const peer of [...peers, node]) await peer.stop();
}
await origin.stop();

async function cutPage(headgate: Peer, path: string): Promise<Buffer> {
  const { headers, body } = await answerOf(headgate, path, FETCHER);
  if (headers.fedicache !== 'Active') throw new Error(`${path} is not cut`);
  return body;
}

async function answerOf(
  { port, isTls }: Peer,
  path: string,
  headers: Readonly<Record<string, string>>,
) {
  const options = { port, path, headers, agent: false, rejectUnauthorized: false } as const;
  const [response] = await once(isTls ? getTls(options) : get(options), 'response');
  const body = await buffer(response);
  return { headers: response.headers, body };
}
