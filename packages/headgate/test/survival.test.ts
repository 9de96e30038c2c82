/** What the daemon lives through, and how it dies when it must: real processes, real limits. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const CLI = join(fileURLToPath(new URL('..', import.meta.url)), 'src/cli.ts');
/** Throws, or rejects, where nobody can catch it, when told so. */
const SABOTAGE = `--import=data:text/javascript,${encodeURIComponent(
  "process.on('SIGUSR2', () => { setImmediate(() => { throw new Error('boom') }) });" +
    "process.on('SIGPIPE', () => { Promise.reject(new Error('bang')) });",
)}`;

/** Starts the daemon in a shell, so that the shell can set a limit or redirect, and waits for its URL. */
async function daemon(
  t: Test,
  upstream: string,
  { before = '', after = '', keepsOptions = false } = {},
) {
  const env = keepsOptions ? 'env' : 'env -u NODE_OPTIONS'; // tap's
  const command = `${before} exec ${env} "$@" ${after}`;
  const node = [process.execPath, SABOTAGE, '--conditions=@headgate/source', CLI];
  const args = ['-c', command, 'sh', ...node, upstream, '--listen', '127.0.0.1:0'];
  const child: ChildProcess = spawn('sh', args);
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => (said.out += chunk));
  child.stderr?.on('data', (chunk) => (said.err += chunk));
  const exit = once(child, 'close').then(([code]) => code as number | null);
  await until(() => said.err.includes('Look:') || child.exitCode !== null);
  const url = /Look:\s+(http:\/\/\S+)/.exec(said.err)?.[1] ?? '';
  return { child, said, exit, url, port: Number(url.split(':').at(-1)) };
}

async function origin(t: Test, listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !holds(); i++) await pause(10);
}

t.test(
  'an error that nobody caught is told; what is under way is finished; then it ends',
  async (t) => {
    for (const [signal, message] of [
      ['SIGUSR2', 'boom'],
      ['SIGPIPE', 'bang'],
    ] as const) {
      let answer: (() => void) | undefined;
      const upstream = await origin(t, (_req, res) => {
        answer = () => res.end('done');
      });
      const { child, said, exit, url } = await daemon(t, upstream);
      const asked = fetch(url).then((response) => response.text());
      await until(() => answer !== undefined);
      child.kill(signal);
      child.kill(signal);
      await until(() => said.out.includes('stopping'));
      await t.rejects(fetch(url), { name: 'TypeError' }, 'nothing new');
      answer?.();
      t.equal(await asked, 'done');
      t.equal(await exit, 1, 'whoever keeps it running sees that it failed');
      const lines = said.out
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
      t.match(lines[0], { level: 60, count: 1, err: { message, stack: String } });
    }
  },
);

t.test('a daemon out of file descriptors goes on when there are some again', async (t) => {
  const upstream = await origin(t, (_req, res) => res.end('ok'));
  const { url, port, child } = await daemon(t, upstream, { before: 'ulimit -n 64;' });
  const sockets: Socket[] = [];
  for (let i = 0; i < 150; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n');
    sockets.push(socket);
  }
  await pause(500);
  t.equal(child.exitCode, null, 'it lives');
  for (const socket of sockets) socket.destroy();
  let status = 0;
  for (let i = 0; i < 50 && status !== 200; i++) {
    status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    await pause(20);
  }
  t.equal(status, 200);
});

t.test(
  'a log that cannot be written stops nobody',
  { skip: !existsSync('/dev/full') && 'needs /dev/full' },
  async (t) => {
    const upstream = await origin(t, (_req, res) => res.end('ok'));
    const { url, child } = await daemon(t, upstream, { after: '>/dev/full' });
    for (let i = 0; i < 50; i++) t.equal((await fetch(url)).status, 200);
    await pause(100);
    t.equal((await fetch(url)).status, 200);
    t.equal(child.exitCode, null);
  },
);

t.test(
  'what is young in V8 has a bound, unless somebody has set another',
  { skip: !existsSync('/proc/self/cmdline') && 'needs /proc' },
  async (t) => {
    const upstream = await origin(t, (_req, res) => res.end('ok'));
    for (const [before, flag] of [
      ['', '--max-semi-space-size=8'],
      ['export NODE_OPTIONS=--max-semi-space-size=16;', undefined],
      ['export NODE_OPTIONS=--max_semi_space_size=16;', undefined],
      // Under which no process can be replaced.
      ['export NODE_OPTIONS="--permission --allow-fs-read=* --allow-fs-write=*";', undefined],
    ] as const) {
      const { child, url } = await daemon(t, upstream, { before, keepsOptions: before !== '' });
      const command = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0');
      t.equal(
        command.find((word) => word.startsWith('--max-semi')),
        flag,
      );
      t.equal((await fetch(url)).status, 200, 'and it is served');
    }
  },
);
