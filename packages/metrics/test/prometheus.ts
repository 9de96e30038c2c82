/** A real Prometheus that scrapes a port of ours. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';

const isThere = (program: string) =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

/** Why tests that need Prometheus and its promtool can't run, or false. */
export const skip =
  !(isThere('prometheus') && isThere('promtool')) &&
  'Prometheus is not installed: apt-get install prometheus';

/** What promtool says, and whether it is content. */
export function promtool(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

/** Runs Prometheus until the test is over. It scrapes `/metrics` at `port` each second. */
export async function prometheus(t: Test, port: number) {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-prometheus-'));
  writeFileSync(
    join(folder, 'prometheus.yml'),
    `scrape_configs: [{ job_name: headgate, scrape_interval: 1s, scrape_timeout: 1s,
      static_configs: [{ targets: ['127.0.0.1:${port}'] }] }]`,
  );
  const child = spawn('prometheus', [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    '--web.listen-address=127.0.0.1:0',
  ]);
  let said = '';
  child.stderr.on('data', (chunk) => (said += chunk));
  t.teardown(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const address = () => /msg="Listening on" address=(\S+)/.exec(said)?.[1];
  for (let i = 0; i < 2000 && address() === undefined; i++) await sleep(10);
  if (address() === undefined) throw new Error(`Prometheus doesn't listen: ${said}`);

  const isReady = async () => (await fetch(`http://${address()}/-/ready`)).status === 200;
  for (let i = 0; i < 200 && !(await isReady()); i++) await sleep(100);

  /** The value of an expression that gives one, now. */
  const query = async (expression: string): Promise<number | undefined> => {
    const url = `http://${address()}/api/v1/query?query=${encodeURIComponent(expression)}`;
    const { data, error } = (await (await fetch(url)).json()) as {
      data?: { result: { value: [number, string] }[] };
      error?: string;
    };
    if (data === undefined) throw new Error(`${expression}: ${error}`);
    const [first] = data.result;
    return first && Number(first.value[1]);
  };
  /** The same, once it is `expected`, or what it is after half a minute. */
  const settled = async (expression: string, expected: number) => {
    let value: number | undefined;
    for (let i = 0; i < 300 && value !== expected; i++) {
      if (i > 0) await sleep(100);
      value = await query(expression);
    }
    return value;
  };
  return { query, settled };
}
