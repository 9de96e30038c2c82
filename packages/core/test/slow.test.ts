/** 800 slow clients at once, by slowhttptest: the limits close them all, and nobody else is refused. */
import { execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const CLIENTS = 800;
const ATTACKS: [what: string, args: string[], path: string][] = [
  ['H, heads that drip', ['-H', '-i', '1', '-x', '24'], '/'],
  ['B, bodies that drip', ['-B', '-i', '1', '-x', '24', '-s', '8192'], '/'],
  ['X, answers that are not read', ['-X', '-w', '10', '-y', '20', '-n', '1', '-z', '32'], '/large'],
];

function isThere(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

t.setTimeout(300_000);

t.test(
  'slow clients',
  {
    timeout: 300_000,
    skip: !isThere('slowhttptest') && 'needs slowhttptest (Debian package slowhttptest)',
  },
  async (t) => {
    const { NODE_OPTIONS: _, ...env } = process.env; // tap would measure its coverage
    const child = fork(fileURLToPath(new URL('front-process.ts', import.meta.url)), {
      env,
      execArgv: ['--conditions=@headgate/source'],
    });
    t.teardown(() => child.kill());
    const [port] = await once(child, 'message');
    const look = async () => {
      child.send('look');
      const [seen] = await once(child, 'message');
      return seen as { connections: number; total: number; megabytes: number };
    };

    for (const [what, args, path] of ATTACKS) {
      const url = `http://127.0.0.1:${port}${path}`;
      const before = await look();
      const tool = spawn(
        'slowhttptest',
        ['-c', String(CLIENTS), '-r', '800', '-l', '60', '-p', '5', ...args, '-u', url],
        { stdio: 'ignore' },
      );
      t.teardown(() => tool.kill());
      let most = before;
      const waits: number[] = [];
      const refused: unknown[] = [];
      for (let i = 0; i < 300; i++) {
        const now = await look();
        if (now.connections > most.connections) most = now;
        const started = performance.now();
        const answer = await fetch(`http://127.0.0.1:${port}/`).catch(String);
        if (answer instanceof Response && answer.status === 200) await answer.text();
        else refused.push(answer);
        waits.push(performance.now() - started);
        if (now.total - before.total >= CLIENTS && now.connections < 10) break;
        await pause(100);
      }
      tool.kill();
      const after = await look();
      t.ok(after.total - before.total >= CLIENTS, `${what}: they came`);
      t.ok(after.connections < 10, `${what}: they are gone`);
      t.same(refused, [], `${what}: everybody else is served`);
      const p99 = waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.99)] ?? 0;
      const each = ((most.megabytes - before.megabytes) * 1024) / most.connections;
      t.comment(
        `${what}: ${Math.round(each)} KiB each; at most ${most.connections} at once; others' p99 ${Math.round(p99)} ms`,
      );
    }
  },
);
