/** Load by wrk (Debian package wrk): one thread, on the core that the proxies don't have. */
import { execFileSync, spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { LOAD_CORE, type Peer } from './process.ts';

/** What wrk found of one proxy. */
export interface Load {
  /** Requests per second. */
  readonly rate: number;
  /** Microseconds of the proxy's CPU for each request. */
  readonly cpu: number;
  /** Milliseconds that all but one in a hundred took at most. */
  readonly p99: number;
}

/** What is asked, and how. */
export interface Question {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
}

/** Seconds of load before anything is measured: for so long V8 compiles on a core that is busy. */
const WARM_UP = 8;

/** Milliseconds between two loads: what the one before has left undone. */
const PAUSE = 300;

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

/** Asks for one thing, again and again. Throws when an answer is no success. */
function load(peer: Peer, { path, headers, connections, seconds }: Question): Load {
  const fields = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const how = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--latency',
    '--timeout',
    '30s',
    ...fields,
  ];
  const before = peer.cpu();
  const args = [
    '-c',
    LOAD_CORE,
    'wrk',
    ...how,
    `${peer.isTls ? 'https' : 'http'}://127.0.0.1:${peer.port}${path}`,
  ];
  const said = execFileSync('taskset', args, { encoding: 'utf8' });
  if (/Non-2xx|Socket errors/.test(said)) throw new Error(`${peer.name}: ${said}`);
  const [, total = ''] = /(\d+) requests in/.exec(said) ?? [];
  const [, slow = '', unit = ''] = /99%\s+([\d.]+)(us|ms|s)/.exec(said) ?? [];
  return {
    rate: Number(total) / seconds,
    cpu: ((peer.cpu() - before) * 1e6) / Number(total),
    p99: Number(slow) * (UNITS[unit] ?? Number.NaN),
  };
}

/** Warms all of them up, then asks each in turn, so many rounds. Gives what was found of them, by name. */
export async function inTurn(
  subjects: readonly { readonly name: string; readonly peer: Peer; readonly asked: Question }[],
  rounds: number,
): Promise<ReadonlyMap<string, readonly Load[]>> {
  const found = new Map<string, Load[]>(subjects.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++)
    for (const { name, peer, asked } of subjects) {
      await delay(PAUSE);
      if (round < 0) load(peer, { ...asked, seconds: WARM_UP });
      else found.get(name)?.push(load(peer, asked));
    }
  return found;
}

/** Throws when wrk isn't on this machine. */
export function needWrk(): void {
  if (spawnSync('wrk', ['-v']).error) throw new Error('this needs wrk: apt-get install wrk');
}
