/** The daemon as a process of its own, with a configuration in a folder of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { WrittenConfig } from 'headgate';
import type { Test } from 'tap';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));

/** A folder until the test is over. */
export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Starts the daemon in a folder and waits until it listens. */
export async function daemon(t: Test, place: string, written: WrittenConfig) {
  const config = { listen: '127.0.0.1:0', log: { format: 'json' }, ...written };
  writeFileSync(join(place, 'headgate.yaml'), JSON.stringify(config));
  // Without what tap adds to a process to measure its coverage.
  const child = spawn(
    'env',
    ['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source', CLI],
    { cwd: place },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  const exit = once(child, 'close');
  for (let i = 0; i < 2000 && !/Look: /.test(said.err) && child.exitCode === null; i++)
    await sleep(10);
  const found = (what: RegExp) => what.exec(said.err)?.[1] ?? '';
  return {
    url: found(/Look: +(\S+)/),
    metrics: found(/Metrics: +(\S+)/),
    said,
    stop: async () => {
      child.kill('SIGTERM');
      await exit;
    },
  };
}
