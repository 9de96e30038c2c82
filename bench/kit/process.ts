/** Processes that are measured: started on a core of their own, watched, ended. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A server that is being measured. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  /** True when it is asked by https. */
  readonly isTls: boolean;
  /** Seconds of CPU that its processes have used so far. */
  cpu(): number;
  /** Bytes of memory that its processes have now. */
  rss(): number;
  stop(): Promise<void>;
}

/** How a process is known, and where it will listen. */
interface Start {
  readonly name: string;
  readonly port: number;
  readonly isTls?: boolean;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/** The core of the proxies; what asks them and what stands behind them share the other. */
export const PROXY_CORE = '0';
export const LOAD_CORE = '1';

const TICKS_PER_SECOND = 100;
const PAGE_SIZE = 4096;
const SUBJECTS = fileURLToPath(new URL('../subjects.ts', import.meta.url));
const ORIGIN = fileURLToPath(new URL('origin.ts', import.meta.url));

// So that what is started here ends with this process, however that ends.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
process.setMaxListeners(64); // one for each process and folder

/** Starts a proxy on its core, and waits until it listens. */
export async function started(start: Start, command: readonly string[]): Promise<Peer> {
  const env = { ...process.env, ...start.env };
  const child = spawn('taskset', ['-c', PROXY_CORE, ...command], { stdio: 'ignore', env });
  const peer = toPeer(start, child);
  for (let tries = 0; tries < 200; tries++) {
    if (await isOpen(start.port)) return peer;
    if (child.exitCode !== null) break;
    await delay(50);
  }
  await peer.stop();
  throw new Error(`${start.name} didn't start: ${command.join(' ')}`);
}

/** Starts one of `subjects.ts`, which tells its port. */
export async function startSubject(name: string, argument: string, core = PROXY_CORE) {
  const command = ['--conditions=@headgate/source', SUBJECTS, name, argument];
  return tellingPort(name, core, [process.execPath, ...command]);
}

/** Starts an origin that serves a folder, each page after so many milliseconds. */
export async function startOrigin(folder: string, milliseconds = 0): Promise<Peer> {
  return tellingPort('origin', LOAD_CORE, [process.execPath, ORIGIN, folder, `${milliseconds}`]);
}

/** How many pages an origin was asked for since this was last called. */
export async function askedOf(origin: Peer): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${origin.port}/asked`);
  return Number(await response.text());
}

/** A new folder below the system's, readable by the users that peers run as, gone with this process. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'headgate-bench-'));
  chmodSync(path, 0o755);
  process.once('exit', () => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A certificate for 127.0.0.1 and its key (ECDSA P-256), as files. Needs openssl. */
export function keyPair() {
  const home = folder();
  const [cert, key, both] = ['cert.pem', 'key.pem', 'both.pem'].map((name) => join(home, name));
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=path.example', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', `${key}`, '-out', `${cert}`];
  execFileSync('openssl', ['req', '-x509', ...kind, '-days', '2', ...subject, ...files], {
    stdio: 'ignore',
  });
  writeFileSync(`${both}`, `${readFileSync(`${cert}`)}${readFileSync(`${key}`)}`);
  return { cert: `${cert}`, key: `${key}`, both: `${both}` };
}

/** A port that nobody has at this moment: not every peer tells which it was given. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function tellingPort(name: string, core: string, command: string[]): Promise<Peer> {
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawn('taskset', ['-c', core, ...command], { stdio: [...stdio] });
  if (!child.stdout) throw new Error(`${name} has no output`);
  const [port] = await once(child.stdout, 'data');
  return toPeer({ name, port: Number(port) }, child);
}

function toPeer({ name, port, isTls = false }: Start, child: ChildProcess): Peer {
  const pid = child.pid as number;
  const isGone = once(child, 'exit');
  const onExit = () => child.kill('SIGTERM'); // no SIGKILL: nginx's workers would live on
  process.once('exit', onExit);
  const sum = (figure: (pid: number) => number) =>
    familyOf(pid).reduce((total, member) => total + figure(member), 0);
  return {
    name,
    port,
    isTls,
    cpu: () => sum(cpuOf),
    rss: () => sum(rssOf),
    async stop() {
      child.kill('SIGTERM');
      await isGone;
      process.off('exit', onExit);
    },
  };
}

/** A process and those that it has started. */
function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return [pid, ...children.filter(Boolean).flatMap((child) => familyOf(Number(child)))];
}

function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function rssOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_SIZE;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
