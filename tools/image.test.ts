/**
 * The container image: built from the Dockerfile and run, without an engine. It takes minutes, so it is a
 * script of its own: npm run test:image
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { said, standIn } from './stand-in.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IMAGE = 'localhost/headgate';
const USER = '10001:10001';
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

const missing = ['buildah', 'mmdebstrap', 'unshare'].filter(
  (program) => spawnSync(program, ['--version']).status !== 0,
);
const skip =
  (process.getuid?.() !== 0 && 'building an image without an engine needs root') ||
  (missing.length > 0 && `apt-get install ${missing.join(' ')}`);

const folder = mkdtempSync(join(tmpdir(), 'headgate-image-'));
const state = join(folder, 'state');
const store = ['--storage-driver=vfs', `--root=${folder}/root`, `--runroot=${folder}/run`];

async function buildah(...args: string[]): Promise<string> {
  return (await said('buildah', [...store, ...args])).trim();
}

/** A program in a container of the image, as the user of the image. */
const inside = (container: string, variables: readonly string[], command: readonly string[]) => [
  'buildah',
  ...store,
  'run',
  '--isolation=chroot',
  ...variables.map((variable) => `--env=${variable}`),
  container,
  '--',
  ...command,
];

/** The same with a root that can't be written to, but for the volume, as `docker run --read-only` has it. */
const readOnly = (root: string, variables: readonly string[], command: readonly string[]) => [
  ...['unshare', '--mount', 'sh', '-euc'],
  `mount --bind "$0" "$0"
   mount -o remount,bind,ro "$0"
   mount --bind "$1" "$0/var/lib/headgate"
   mount --rbind /dev "$0/dev"
   mount --rbind /proc "$0/proc"
   root=$0
   shift
   exec chroot --userspec=${USER} "$root" env --ignore-environment --chdir=/etc/headgate "$@"`,
  ...[root, state, ...config.Env, ...variables, ...command],
];

/** The image's configuration, and a container of it. */
let config: {
  User: string;
  Entrypoint: string[];
  Cmd: string[];
  Env: string[];
  Volumes: Record<string, object>;
  Healthcheck: { Test: string[] };
};
let container = '';

t.teardown(async () => {
  await buildah('umount', '--all').catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

t.test('the Dockerfile builds', { skip }, async (t) => {
  const images = readFileSync(join(ROOT, 'Dockerfile'), 'utf8').match(/(?<=^FROM )\S+/gm) ?? [];
  const [base = ''] = images;
  t.ok(
    images.every((image) => image === base),
    'both stages have the same Node',
  );
  await standIn(folder, base, buildah);
  const options = ['--isolation=chroot', '--format=docker', '--pull-never', '--quiet'];
  await buildah('bud', ...options, `--tag=${IMAGE}`, ROOT);
  config = JSON.parse(await buildah('inspect', '--type=image', IMAGE)).Docker.config;
  container = await buildah('from', '--pull-never', IMAGE);
});

t.test('it holds what runs, and nothing to develop with', { skip }, async (t) => {
  const root = await buildah('mount', container);
  const manifests = ['package.json', ...globSync('packages/*/package.json', { cwd: ROOT })].map(
    (path) => JSON.parse(readFileSync(join(ROOT, path), 'utf8')),
  );
  const runs = new Set(manifests.flatMap(({ dependencies = {} }) => Object.keys(dependencies)));
  for (const name of ['@peculiar/x509', 'prom-client']) runs.add(name); // brought by what runs
  const own = manifests
    .flatMap(({ devDependencies = {} }) => Object.keys(devDependencies))
    .filter((name) => !runs.has(name) && !name.startsWith('@headgate/'));
  const there = readdirSync(join(root, 'opt/headgate/node_modules/.pnpm'));
  t.ok(there.some((name) => name.startsWith('zod@')));
  const names = there.map((name) => name.replace('+', '/').replace(/(?<=.)@.*/, ''));
  t.same(
    own.filter((name) => names.includes(name)),
    [],
  );
  const bytes = async (path: string) => Number((await said('du', ['-sb', path])).split('\t')[0]);
  const all = await bytes(root);
  const ours = await bytes(join(root, 'opt/headgate'));
  process.stderr.write(`image: ${toMB(all)}, of which Headgate is ${toMB(ours)}\n`);
  t.ok(ours < 40e6, `${ours} bytes`);
});

t.test('it runs as a user without rights', { skip }, async (t) => {
  t.equal(config.User, USER);
  const [program = '', ...args] = inside(
    container,
    [],
    [
      'sh',
      '-c',
      'id -u; id -un; for i in / /opt/headgate /etc/headgate $STATE_DIRECTORY; do test -w $i && echo $i; done; true',
    ],
  );
  t.equal(await said(program, args), '10001\nheadgate\n/var/lib/headgate\n');
  t.same(Object.keys(config.Volumes), ['/var/lib/headgate']);
});

t.test('it stands in front of an application, says how it is, and stops', { skip }, async (t) => {
  await roundTrip(t, (variables, command) => inside(container, variables, command));
});

t.test('its root can be read-only', { skip }, async (t) => {
  const root = await buildah('mount', container);
  mkdirSync(state, { mode: 0o700 });
  chownSync(state, 10001, 10001);
  const [program = '', ...args] = readOnly(root, [], ['touch', '/tmp/a']);
  await t.rejects(said(program, args), /Read-only file system/);
  await roundTrip(t, (variables, command) => readOnly(root, variables, command));
  t.same(readdirSync(state), ['statistics.json'], 'what must survive a restart is in the volume');
});

/** Runs the image as it is configured, before an application of ours, and stops it. */
async function roundTrip(
  t: Test,
  within: (variables: readonly string[], command: readonly string[]) => readonly string[],
) {
  const application = createServer((request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<title>${request.headers['x-forwarded-for']}</title><body>${request.url}`);
  }).listen(0, '127.0.0.1');
  t.teardown(() => application.close());
  await once(application, 'listening');
  const variables = [
    `HEADGATE_UPSTREAM=http://127.0.0.1:${(application.address() as AddressInfo).port}`,
    'HEADGATE_LISTEN=127.0.0.1:0',
  ];
  const [program = '', ...args] = within(variables, [...config.Entrypoint, ...config.Cmd]);
  const daemon = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => daemon.kill('SIGKILL'));
  const closed = once(daemon, 'close');
  let output = '';
  daemon.stdout.on('data', (chunk) => (output += chunk));
  daemon.stderr.on('data', (chunk) => (output += chunk));
  const url = () => /Look: +(\S+)/.exec(output)?.[1];
  for (let i = 0; i < 600 && url() === undefined; i++) await sleep(50);
  t.ok(url(), output);

  t.equal(await (await fetch(`${url()}/a`)).text(), '<title>127.0.0.1</title><body>/a');
  const headers = { 'user-agent': MASTODON, accept: 'text/html' };
  for (const status of [/stored/, /hit/])
    t.match((await fetch(`${url()}/a`, { headers })).headers.get('cache-status'), status);

  const run = (command: readonly string[]) => {
    const [program = '', ...args] = within([], command);
    return said(program, args);
  };
  const [kind, ...check] = config.Healthcheck.Test;
  t.equal(kind, 'CMD');
  await run(check);
  const { pid } = JSON.parse(await run([...config.Entrypoint, 'status', '--json']));
  const [, uid] = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  t.equal(uid, '10001');

  process.kill(pid, 'SIGTERM');
  t.same(await closed, [0, null], output);
  await t.rejects(run(check), /ENOENT|ECONNREFUSED/, 'nobody is well who is not there');
}

function toMB(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
