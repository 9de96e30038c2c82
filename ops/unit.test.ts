/** The systemd unit: systemd understands it, and the daemon can live with what it forbids. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const UNIT = readFileSync(new URL('headgate.service', import.meta.url), 'utf8');
const CLI = fileURLToPath(new URL('../packages/headgate/src/cli.ts', import.meta.url));
const NODE = ['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source'];

/** How much a unit may be exposed, of 100. Without the network it could be 10 less. */
const EXPOSURE = 20;

const isThere = (program: string) => spawnSync(program, ['--version']).status === 0;
const noSystemd = !isThere('systemd-analyze') && 'apt-get install systemd';

/** All values of a setting, one after the other. */
const valuesOf = (name: string) =>
  Array.from(UNIT.matchAll(new RegExp(`^${name}=(.*)$`, 'gm')), ([, value = '']) => value);

const folder = mkdtempSync(join(tmpdir(), 'headgate-unit-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

function analyze(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  return { status, said: stdout + stderr };
}

t.test('systemd understands every line, and finds little exposed', { skip: noSystemd }, (t) => {
  const unit = join(folder, 'headgate.service');
  writeFileSync(unit, UNIT.replace('/usr/local/bin/headgate', '/bin/true'));
  const { status, said } = analyze('verify', unit);
  t.equal(status, 0, said);
  t.equal(said.includes('headgate.service'), false, said);
  const security = ['security', '--offline=true', `--threshold=${EXPOSURE}`, '--no-pager', unit];
  t.equal(analyze(...security).status, 0, analyze(...security).said);
  t.end();
});

t.test(
  'what it says to run runs, reloads and stops, and asks the kernel for nothing that is forbidden',
  { skip: noSystemd || (!isThere('strace') && 'apt-get install strace') },
  async (t) => {
    const [start = '', ...more] = valuesOf('ExecStart');
    t.same(more, []);
    const [, ...words] = start.split(' ');
    const file = join(folder, 'headgate.yaml');
    const args = words.map((word) => word.replace('/etc/headgate/headgate.yaml', file));
    t.ok(args.includes(file), start);
    writeFileSync(
      file,
      `{ listen: '127.0.0.1:0', metrics: '127.0.0.1:0', admin: { listen: unix:admin.sock }, sites: [{ upstream: 'http://127.0.0.1:9' }] }`,
    );

    const calls = join(folder, 'calls');
    const strace = ['strace', '-f', '-qq', `--output=${calls}`, 'env', ...NODE];
    const [program = '', ...rest] = [...strace, CLI, ...args];
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
    t.teardown(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    const until = async (pattern: RegExp) => {
      for (let i = 0; i < 1000 && !pattern.test(output); i++) await sleep(20);
      t.match(output, pattern);
    };
    await until(/Look:/);
    const [, url = ''] = /Look: +(\S+)/.exec(output) ?? [];
    t.equal((await fetch(url)).status, 502, 'nobody is behind it');
    const status = spawnSync('env', [...NODE, CLI, 'status', '--json', '--config', file]);
    const { pid } = JSON.parse(String(status.stdout));

    t.same(valuesOf('ExecReload'), ['kill -HUP $MAINPID']);
    process.kill(pid, 'SIGHUP');
    await until(/reloaded/);
    process.kill(pid, 'SIGTERM');
    t.same(await closed, [0, null]);

    const allowed = new Set<string>();
    for (const filter of valuesOf('SystemCallFilter')) {
      const [, not, set = ''] = /^(~?)(\S+)$/.exec(filter) ?? [];
      for (const name of namesIn(set)) not ? allowed.delete(name) : allowed.add(name);
    }
    t.notOk(allowed.has('setuid'));
    const used = new Set(readFileSync(calls, 'utf8').match(/(?<=^\d+ +)\w+(?=\()/gm));
    t.ok(used.has('accept4'), 'it was watched');
    const forbidden = [...used].filter((name) => !allowed.has(name));
    t.same(
      forbidden.filter((name) => !name.startsWith('io_uring_')), // Node does without
      [],
    );
  },
);

/** The system calls of a set, and of the sets in it. */
function namesIn(set: string): string[] {
  const lines = analyze('syscall-filter', set).said.match(/(?<=^ {4})[@\w-]+$/gm) ?? [];
  return lines.flatMap((name) => (name.startsWith('@') ? namesIn(name) : [name]));
}
