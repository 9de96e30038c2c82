/**
 * Pass-through beside bare http-proxy-3: `./dev bench pass-through [BYTES ...]`. Each proxy in turn
 * (A B A B …) on one core, the load on another; needs wrk (Debian package wrk). Prints medians, and
 * ratios to http-proxy-3 of the same round.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SUBJECTS = [
  'http-proxy-3',
  'headgate, empty chain',
  'headgate, empty chain, metrics',
  'headgate, default chain',
];
const ROUNDS = 7;
const SECONDS = 3;
const CONNECTIONS = 32;
const TICKS_PER_SECOND = 100;

const sizes = process.argv.length > 2 ? process.argv.slice(2) : ['2048', '65536'];
const subjects = fileURLToPath(new URL('subjects.ts', import.meta.url));
const children: ChildProcess[] = [];
try {
  execFileSync('wrk', ['-v'], { stdio: 'ignore' });
} catch (error) {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT')
    fail('this needs wrk: apt-get install wrk');
}

for (const size of sizes) {
  const origin = await started('origin', size, '1');
  const proxies = new Map<string, { port: string; pid: number }>();
  for (const name of SUBJECTS)
    proxies.set(name, await started(name, `http://127.0.0.1:${origin.port}`, '0'));

  const measured = new Map(
    SUBJECTS.map((name) => [
      name,
      {
        rate: [] as number[],
        cpu: [] as number[],
        ratio: [] as number[],
        cpuRatio: [] as number[],
      },
    ]),
  );
  for (let round = -1; round < ROUNDS; round++) {
    let base = { rate: 0, cpu: 0 };
    for (const [name, { port, pid }] of proxies) {
      const figures = load(port, pid);
      if (name === SUBJECTS[0]) base = figures;
      if (round < 0) continue; // the first one warms up
      const row = measured.get(name);
      row?.rate.push(figures.rate);
      row?.cpu.push(figures.cpu);
      row?.ratio.push(figures.rate / base.rate);
      row?.cpuRatio.push(figures.cpu / base.cpu);
    }
  }
  console.log(
    `\n${size} bytes, ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s, medians`,
  );
  console.table(
    Object.fromEntries(
      Array.from(measured, ([name, { rate, cpu, ratio, cpuRatio }]) => [
        name,
        {
          'requests/s': Math.round(median(rate)),
          'ratio (more is better)': median(ratio).toFixed(2),
          'CPU µs/request': Math.round(median(cpu)),
          'CPU ratio (less is better)': median(cpuRatio).toFixed(2),
        },
      ]),
    ),
  );
  for (const child of children.splice(0)) child.kill();
}

/** Starts a subject on one core and waits for its port. */
async function started(name: string, argument: string, core: string) {
  const child = spawn(
    'taskset',
    ['-c', core, process.execPath, '--conditions=@headgate/source', subjects, name, argument],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  children.push(child);
  const [chunk] = await once(child.stdout, 'data');
  return { port: String(chunk).trim(), pid: child.pid as number };
}

/** Requests per second, and microseconds of the proxy's CPU for each. */
function load(port: string, pid: number) {
  const before = cpuSeconds(pid);
  const args = [
    '-c',
    '1',
    'wrk',
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${SECONDS}s`,
    `http://127.0.0.1:${port}/`,
  ];
  const said = execFileSync('taskset', args, { encoding: 'utf8' });
  const [, total = '0'] = /(\d+) requests in/.exec(said) ?? [];
  if (/Non-2xx|Socket errors/.test(said)) fail(said);
  const cpu = ((cpuSeconds(pid) - before) * 1e6) / Number(total);
  return { rate: Number(total) / SECONDS, cpu };
}

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function fail(why: string): never {
  console.error(why);
  for (const child of children) child.kill();
  process.exit(1);
}
