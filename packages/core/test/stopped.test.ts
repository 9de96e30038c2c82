/** An origin that is stopped, killed and started again while it is asked: everybody has an answer, and soon. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { front, talk, until } from './wire.ts';

const CLIENTS = 16;
const TIMES = { connectTimeout: 1_000, headTimeout: 1_000, idleTimeout: 1_000 };
const HANDSHAKE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** An origin in a process of its own, that takes 20 ms, at a port of its choice or another's. */
async function origin(t: Test, port = 0): Promise<{ child: ChildProcess; port: number }> {
  const script = `const s = require('http').createServer((q, r) => setTimeout(() => r.end('ok'), 20))
    .listen(${port}, '127.0.0.1', () => console.log(s.address().port))`;
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '-e', script]);
  t.teardown(() => child.kill('SIGKILL'));
  const [said] = await once(child.stdout, 'data');
  return { child, port: Number(said) };
}

/** Connections of this process, and those on their way. */
const open = () =>
  process.getActiveResourcesInfo().filter((name) => /^(?:TCPSocketWrap|TCPConnectWrap)$/.test(name))
    .length;

t.test('stopped, killed, started again: 504, 502, and all is well', async (t) => {
  const before = open();
  const { child, port: originPort } = await origin(t);
  const { port, reports } = await front(t, `http://127.0.0.1:${originPort}`, {
    upstream: TIMES,
    tunnels: TIMES,
  });
  let asked = 0;
  let isOver = false;
  let outcomes: string[] = [];
  const ask = async (target: string, fields = '') => {
    asked += 1;
    const head = `GET ${target} HTTP/1.1\r\nHost: t.example\r\nConnection: close\r\n${fields}\r\n`;
    const { messages, end } = await talk(port, head, { patience: 20_000 });
    outcomes.push(messages[0]?.head.split(' ')[1] ?? end);
  };
  const client = async (number: number) => {
    while (!isOver)
      await (number % 4 === 0
        ? ask('/ws', HANDSHAKE).then(() => sleep(5))
        : ask(`/${number}`).then(() => sleep(5)));
  };
  const enough = async () => {
    for (let i = 0; i < 2_000 && outcomes.length < 2 * CLIENTS; i++) await sleep(10);
  };
  /** What comes of the requests from now on, as soon as there were enough of them. */
  const seen = async () => {
    outcomes = [];
    await enough();
    outcomes = [];
    await enough();
    return new Set(outcomes);
  };
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
  t.same(await seen(), new Set(['200']), 'well');

  child.kill('SIGSTOP');
  t.same(await seen(), new Set(['504']), 'stopped');
  child.kill('SIGCONT');
  t.same(await seen(), new Set(['200']), 'and going on');
  child.kill('SIGKILL');
  t.same(await seen(), new Set(['502']), 'killed');
  await origin(t, originPort);
  t.same(await seen(), new Set(['200']), 'and started again');

  isOver = true;
  await Promise.all(clients);
  await until(() => reports.length >= asked);
  t.equal(reports.length, asked, 'each exchange is reported once');
  t.notMatch(outcomes.join(), /hung/);
  await until(() => open() <= before + CLIENTS);
  t.ok(open() <= before + CLIENTS, `no connection is left but those kept: ${open()}`);
});
