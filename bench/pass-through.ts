/**
 * What passes through untouched: `./dev bench pass-through [BYTES ...] [--rounds N] [--seconds N] [--json
 * FILE]`. Headgate with an empty chain, with metrics, and as it is installed (the default chain and an
 * access log), beside bare http-proxy-3, nginx, HAProxy and Caddy; each in turn on one core, wrk and the
 * origin on the other.
 */
import { parseArgs } from 'node:util';
import { median, ratio, report } from './kit/figures.ts';
import { startPeers } from './kit/peers.ts';
import { LOAD_CORE, type Peer, startSubject } from './kit/process.ts';
import { inTurn, type Load, needWrk } from './kit/wrk.ts';

const OURS = 'headgate, empty chain';
const SUBJECTS = ['http-proxy-3', OURS, 'headgate, empty chain, metrics'];
const CONNECTIONS = 32;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const how = { path: '/', headers: {}, connections: CONNECTIONS, seconds: Number(values.seconds) };
const sizes = positionals.length > 0 ? positionals : ['2048', '65536', '1048576'];

needWrk();
const tell = report('pass-through', values.json);
for (const size of sizes) {
  const origin = await startSubject('origin', size, LOAD_CORE);
  const subjects: Peer[] = [];
  for (const name of SUBJECTS)
    subjects.push(await startSubject(name, `http://127.0.0.1:${origin.port}`));
  const peers = await startPeers({ origin: origin.port, cache: false }, [
    'headgate',
    'nginx',
    'haproxy',
    'caddy',
  ]);
  const all = [...subjects, ...peers];

  const measured = await inTurn(
    all.map((peer) => ({ name: peer.name, peer, asked: how })),
    rounds,
  );
  const of = (name: string, figure: keyof Load) =>
    (measured.get(name) ?? []).map((one) => one[figure]);
  const rows = all.map(({ name }) => [
    name === 'headgate' ? 'headgate, as installed' : name,
    {
      'requests/s': Math.round(median(of(name, 'rate'))),
      'the empty chain is so many times faster': ratio(of(OURS, 'rate'), of(name, 'rate')),
      'CPU µs/request': Math.round(median(of(name, 'cpu'))),
      'CPU: times the empty chain’s': ratio(of(name, 'cpu'), of(OURS, 'cpu')),
    },
  ]);
  tell(
    `${size} bytes, ${CONNECTIONS} connections, medians of ${rounds} rounds of ${values.seconds} s`,
    Object.fromEntries(rows),
  );
  for (const peer of [...all, origin]) await peer.stop();
}
