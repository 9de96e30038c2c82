/** What docs/upgrading.md promises: of a restart, and of files that were written for an older version. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { listen, until } from '../../core/test/wire.ts';
import { VARIABLES } from '../src/config/environment.ts';
import { load } from '../src/config/load.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const NODE = ['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source', CLI];

/** An application that reads uploads and answers WebSockets. */
async function application(t: Test) {
  const state = { received: 0 };
  const server = createServer(async (req, res) => {
    for await (const chunk of req) state.received += chunk.length;
    res.end(`${state.received} bytes`);
  });
  new WebSocketServer({ server }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(`heard ${data}`)),
  );
  return { state, upstream: `http://127.0.0.1:${await listen(t, server)}` };
}

/** The daemon, with its listener for probes. */
async function headgate(t: Test, upstream: string) {
  const env = { ...process.env, HEADGATE_METRICS: '127.0.0.1:0' };
  const child = spawn('env', [...NODE, upstream, '--listen', '127.0.0.1:0'], { env });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  const isUp = () => /Metrics: .*\n/.test(said.err);
  for (let i = 0; i < 30 && !isUp(); i++) await until(isUp);
  const [, url = ''] = /Look: +(\S+)/.exec(said.err) ?? [];
  const [, probes = ''] = /Metrics: (\S+)\/metrics/.exec(said.err) ?? [];
  return { child, said, url, probes };
}

t.test('a restart: an upload under way arrives, WebSockets end with it, nothing new', async (t) => {
  const { state, upstream } = await application(t);
  const { child, said, url, probes } = await headgate(t, upstream);
  const exit = once(child, 'close');
  const ready = async () => (await fetch(`${probes}/readyz`)).status;
  t.equal(await ready(), 200);

  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open');
  let isClosed = false;
  const closed = once(socket, 'close').then(([code]) => {
    isClosed = true;
    return code;
  });
  const upload = request(url, { method: 'POST' });
  upload.write('a'.repeat(100_000));
  await until(() => state.received === 100_000);
  const started = Date.now();
  child.kill('SIGTERM');
  await until(() => said.out.includes('stopping'));

  t.equal(await ready(), 503, 'what sends people here is told');
  await t.rejects(fetch(url), { name: 'TypeError' }, 'nothing new');
  socket.send('still');
  t.equal(String((await once(socket, 'message'))[0]), 'heard still');
  upload.end('b'.repeat(100_000));
  const [answer] = (await once(upload, 'response')) as [IncomingMessage];
  t.equal(isClosed, false, 'as long as there is something to wait for');
  let text = '';
  for await (const chunk of answer) text += chunk;
  t.equal(text, '200000 bytes');
  t.equal(await closed, 1006, 'cut off, which is what makes clients connect again');
  t.same(await exit, [0, null]);
  t.ok(Date.now() - started < 8_000, 'nobody waits ten seconds for what never ends');
});

t.test('a file and variables of 1.0 are right, whatever has come since', async (t) => {
  const file = fileURLToPath(new URL('1.0/headgate.yaml', import.meta.url));
  const { problems } = await load({ file, environment: {}, settings: [] });
  t.same(problems, []);
  const names = readFileSync(new URL('1.0/variables.txt', import.meta.url), 'utf8');
  const known = VARIABLES.map(({ name }) => name);
  for (const name of names.trim().split('\n')) t.ok(known.includes(name), name);
});
