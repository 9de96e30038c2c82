/**
 * Very many WebSockets at once: `node --conditions=@headgate/source packages/core/test/crowd.ts [5000]`.
 * Opens them, asks for pages meanwhile, lets 2,000 more fall silent, and closes all. Headgate, the origin
 * and the clients are a process each.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { State } from './crowd-process.ts';

/** What came of it. */
export interface Crowd {
  /** Tunnels that were open at once, and answered. */
  readonly open: number;
  /** KiB of Headgate's resident memory for each of them. */
  readonly kibEach: number;
  /** Pages asked for while they were open, and how many were answered. */
  readonly pages: number;
  readonly answered: number;
  readonly p99: number;
  /** Tunnels of those that fell silent that Headgate closed. */
  readonly fallen: number;
  /** Connections that are left at Headgate and at the origin when all is over, and tunnels reported. */
  readonly left: number;
  readonly leftAtOrigin: number;
  readonly reported: number;
}

const IDLE = 2_000;
const AT_ONCE = 100;
const PAGES = 200;
const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: t.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
/** "hi" from a client, with a mask of zeros, and from a server. */
const SAID = Buffer.from('8282000000006869', 'hex');
const HEARD = Buffer.from('82026869', 'hex');

/** File descriptors that a process may have here. */
export function fileLimit(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

/** File descriptors that Headgate needs for so many: two each, and some. */
export function filesFor(sockets: number): number {
  return 2 * sockets + 500;
}

/** Makes the crowd, of which so many fall silent. */
export async function crowd(sockets: number, silent: number): Promise<Crowd> {
  const origin = await start();
  const headgate = await start(`http://127.0.0.1:${origin.ports[0]}`, String(IDLE));
  const [port = 0, idlePort = 0] = headgate.ports;
  try {
    for (let i = 0; i < 20; i++) await page(port); // what is loaded late is nobody's
    const before = await headgate.look();
    const open = await openAll(port, sockets);
    const full = await headgate.look();
    const waits: number[] = [];
    for (let i = 0; i < PAGES; i++) waits.push(await page(port));
    const echoes = await Promise.all(open.map(echo));
    for (const socket of open) socket.destroy();
    const answered = waits.filter((ms) => ms >= 0).sort((a, b) => a - b);

    const fallen = await Promise.all(
      (await openAll(idlePort, silent)).map((socket) =>
        socket.closed
          ? 1
          : Promise.race([once(socket, 'close').then(() => 1), sleep(60_000, 0, { ref: false })]),
      ),
    );
    const isOver = async () => {
      const { connections, tunnels } = await headgate.look();
      const kept = (await origin.look()).connections; // for the pages, until the origin closes it
      return connections === 0 && tunnels === sockets + silent && kept === 0;
    };
    for (let i = 0; i < 100 && !(await isOver()); i++) await sleep(100);
    const last = await headgate.look();
    return {
      open: echoes.filter(Boolean).length,
      kibEach: ((full.megabytes - before.megabytes) * 1024) / sockets,
      pages: waits.length,
      answered: answered.length,
      p99: answered[Math.floor(answered.length * 0.99)] ?? 0,
      fallen: fallen.reduce((sum, one) => sum + one, 0),
      left: last.connections,
      reported: last.tunnels,
      leftAtOrigin: (await origin.look()).connections,
    };
  } finally {
    for (const { child } of [headgate, origin]) child.kill('SIGKILL');
  }
}

async function start(...args: string[]) {
  const { NODE_OPTIONS: _, ...env } = process.env; // tap would measure its coverage
  const child: ChildProcess = fork(
    fileURLToPath(new URL('crowd-process.ts', import.meta.url)),
    args,
    { env, execArgv: ['--conditions=@headgate/source', '--expose-gc'] },
  );
  const [ports] = (await once(child, 'message')) as [number[]];
  const look = async () => {
    child.send('look');
    const [state] = await once(child, 'message');
    return state as State;
  };
  return { child, ports, look };
}

/** Opens so many tunnels, some at a time. */
async function openAll(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const some = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: some }, () => tunnel(port)))));
  }
  return sockets;
}

async function tunnel(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(HANDSHAKE);
  const [head] = (await once(socket, 'data')) as [Buffer];
  if (!head.toString('latin1').startsWith('HTTP/1.1 101 '))
    throw new Error(`instead of a tunnel there is ${head}`);
  return socket;
}

/** True when what is said comes back. */
async function echo(socket: Socket): Promise<boolean> {
  const heard = once(socket, 'data').then(([data]) => HEARD.equals(data));
  socket.write(SAID);
  return Promise.race([heard, sleep(30_000, false, { ref: false })]);
}

/** Asks for a page; gives the milliseconds that it took, less than none if it failed. */
async function page(port: number): Promise<number> {
  const started = performance.now();
  const asked = get({ port, host: '127.0.0.1', agent: false });
  const body = await once(asked, 'response').then(
    ([answer]) => text(answer),
    () => undefined,
  );
  return body === 'ok' ? performance.now() - started : -1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sockets = Number(process.argv[2] ?? 5_000);
  if (fileLimit() < filesFor(sockets)) throw new Error(`ulimit -n ${filesFor(sockets)} is needed`);
  console.log(await crowd(sockets, 2_000));
}
