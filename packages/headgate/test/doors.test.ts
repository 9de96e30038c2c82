/** Where people come in besides addresses: Unix sockets, and sockets that systemd has opened. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { toConfig } from 'headgate';
import t, { type Test } from 'tap';
import { listen } from '../../core/test/wire.ts';
import { openDoors } from '../src/doors.ts';
import { certificate, folder, withoutOpenssl } from './certificates.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = ['--conditions=@headgate/source', join(ROOT, 'packages/headgate/src/cli.ts'), 'run'];
const ACTIVATE = '/usr/bin/systemd-socket-activate';

async function application(t: Test) {
  const asked: IncomingHttpHeaders[] = [];
  const server = createServer(({ headers }, res) => {
    asked.push(headers);
    res.end('from the application');
  });
  return { asked, url: `http://127.0.0.1:${await listen(t, server)}` };
}

/** Starts the daemon, by way of another program if that is said. */
function daemon(t: Test, command: readonly string[], environment: NodeJS.ProcessEnv, cwd: string) {
  const { PATH } = process.env;
  const [program = '', ...args] = [...command, process.execPath, ...CLI];
  const child = spawn(program, args, { cwd, env: { PATH, ...environment } });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { err: '' };
  child.stdout.resume();
  child.stderr.on('data', (chunk) => (said.err += chunk));
  return { child, said, exit: once(child, 'close').then(([code]) => code) };
}

/** A process takes its time to start. */
async function patiently(holds: () => boolean) {
  for (let i = 0; i < 1_500 && !holds(); i++) await new Promise((done) => setTimeout(done, 10));
}

async function ask(socketPath: string, headers: Record<string, string> = {}) {
  const asked = request({ socketPath, agent: false, headers: { host: 'a.example', ...headers } });
  const [response] = await once(asked.end(), 'response');
  return text(response);
}

t.test('a Unix socket is a door; who comes through it is on this machine', async (t) => {
  const here = folder(t);
  const { url, asked } = await application(t);
  writeFileSync(
    join(here, 'headgate.yaml'),
    `listen: unix:site.sock\ntrusted: [loopback]\nsites: [{ upstream: "${url}" }]\n`,
  );
  const { child, said, exit } = daemon(t, [], {}, here);
  await patiently(() => said.err.includes('Look:'));
  const path = join(here, 'site.sock');
  t.match(said.err, `Look:  unix:${path}`);
  t.equal(statSync(path).mode & 0o777, 0o666);
  t.equal(await ask(path, { 'x-forwarded-for': '192.0.2.7' }), 'from the application');
  t.equal(await ask(path), 'from the application');
  t.match(asked, [{ 'x-forwarded-for': '192.0.2.7' }, { 'x-forwarded-for': '127.0.0.1' }]);
  child.kill('SIGTERM');
  t.equal(await exit, 0);
  t.equal(existsSync(path), false, 'nothing is left');
});

t.test('so is who speaks TLS there', { skip: withoutOpenssl }, async (t) => {
  const here = folder(t);
  const { url, asked } = await application(t);
  certificate(here, 'site', ['a.example']);
  writeFileSync(
    join(here, 'headgate.yaml'),
    `listen: https://unix:site.sock\ntls: { certificates: [{ cert: site.crt, key: site.key }] }\ntrusted: [loopback]\nsites: [{ upstream: "${url}" }]\n`,
  );
  const { said } = daemon(t, [], {}, here);
  await patiently(() => said.err.includes('Look:'));
  const asking = requestTls({
    socketPath: join(here, 'site.sock'),
    agent: false,
    rejectUnauthorized: false,
    headers: { host: 'a.example', 'x-forwarded-for': '192.0.2.7' },
  });
  const [response] = await once(asking.end(), 'response');
  t.equal(await text(response), 'from the application');
  t.match(asked, [{ 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'https' }]);
});

t.test(
  'systemd opens sockets, and says which is which',
  {
    skip: withoutOpenssl || (existsSync(ACTIVATE) ? false : `needs ${ACTIVATE} (Debian: systemd)`),
  },
  async (t) => {
    const here = folder(t);
    const { url, asked } = await application(t);
    const { cert, key, certText } = certificate(here, 'a', ['a.example']);
    const path = join(here, 'plain.sock');
    const names = '--fdname=plain:secure';
    const passed = [
      'HEADGATE_UPSTREAM',
      'HEADGATE_LISTEN',
      'HEADGATE_TLS_CERT',
      'HEADGATE_TLS_KEY',
    ];
    const { child, said, exit } = daemon(
      t,
      [
        ACTIVATE,
        '-l',
        path,
        '-l',
        join(here, 'secure.sock'),
        names,
        ...passed.map((name) => `-E${name}`),
      ],
      {
        HEADGATE_UPSTREAM: url,
        HEADGATE_LISTEN: 'https://systemd:secure,systemd:plain',
        HEADGATE_TLS_CERT: cert,
        HEADGATE_TLS_KEY: key,
      },
      here,
    );
    await patiently(() => /Listening on \S+secure\.sock/.test(said.err));
    // The first who comes in has systemd start the daemon, and waits for it.
    t.equal(await ask(path, { host: 'a.example' }), '', 'and is sent on to https');
    t.match(said.err, 'Look:  fd 4, fd 3\n');
    const options = { socketPath: join(here, 'secure.sock'), servername: 'a.example' };
    const secure = requestTls({ ...options, ca: certText, headers: { host: 'a.example' } });
    const [response] = await once(secure.end(), 'response');
    t.equal(await text(response), 'from the application');
    t.match(asked, [{ 'x-forwarded-proto': 'https' }]);
    child.kill('SIGTERM');
    t.equal(await exit, 0);
    t.equal(existsSync(path), true, "the socket is systemd's");
  },
);

t.test('what systemd has not passed is told', async (t) => {
  const { listen: doors } = await toConfig({
    listen: 'systemd:site',
    sites: [{ upstream: 'http://127.0.0.1:1' }],
  });
  t.same(doors, [{ at: { systemd: 'site' }, isTls: false }]);
  const open = (environment: NodeJS.ProcessEnv) =>
    openDoors(doors, () => createServer(), environment);
  await t.rejects(open({}), { name: 'TypeError', message: /has passed no socket .* unit/ });
  const others = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'site' };
  await t.rejects(
    open(others),
    { message: /has passed no socket/ },
    'they are for another process',
  );
  const named = { ...others, LISTEN_PID: `${process.pid}`, LISTEN_FDNAMES: 'admin' };
  await t.rejects(open(named), { message: /has passed admin: write FileDescriptorName=site/ });
  await t.rejects(
    toConfig({ listen: `unix:/${'x'.repeat(120)}`, sites: [{ upstream: 'http://127.0.0.1:1' }] }),
    /listen: is too long for a socket/,
  );
});
