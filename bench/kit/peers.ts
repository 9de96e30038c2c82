/** Starting and stopping what is compared: Headgate as it is installed, nginx, Varnish, an origin. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A server that is being measured. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  /** Seconds of CPU that its processes have used so far. */
  cpu(): number;
  /** Bytes of memory that its processes have now. */
  rss(): number;
  stop(): Promise<void>;
}

/** What a peer is started with. */
export interface PeerOptions {
  /** The origin's port. */
  readonly origin: number;
  /** Whether nginx and Varnish compress pages. Headgate always has them ready in both forms. */
  readonly gzip: boolean;
}

/** The core of the proxies; what asks them and what stands behind them share the other. */
export const PROXY_CORE = '0';
export const LOAD_CORE = '1';

const TICKS_PER_SECOND = 100;
const PAGE_SIZE = 4096;
const CLI = fileURLToPath(new URL('../../packages/headgate/dist/cli.js', import.meta.url));

/** Each starts one peer, or gives nothing where it isn't on this machine. */
const starters: Record<string, (options: PeerOptions) => Promise<Peer | undefined>> = {
  headgate,
  nginx,
  varnish,
};

// So that what is started here ends with this process, however that ends.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Starts those of the peers that are on this machine, and says which aren't. */
export async function startPeers(options: PeerOptions, names = Object.keys(starters)) {
  const peers: Peer[] = [];
  for (const name of names) {
    const peer = await starters[name]?.(options);
    if (peer) peers.push(peer);
    else console.error(`${name} is not on this machine: apt-get install ${name}. Left out.`);
  }
  return peers;
}

/** Starts an origin that serves a folder, each page after so many milliseconds. */
export async function startOrigin(folder: string, milliseconds = 0): Promise<Peer> {
  const script = fileURLToPath(new URL('origin.ts', import.meta.url));
  const args = ['-c', LOAD_CORE, process.execPath, script, folder, String(milliseconds)];
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(child.stdout, 'data');
  return toPeer('origin', Number(port), child);
}

/** Starts node:http alone, as a peer: it answers everything with so many bytes. */
export async function startNode(bytes: number): Promise<Peer> {
  const script = fileURLToPath(new URL('../subjects.ts', import.meta.url));
  const command = [process.execPath, '--conditions=@headgate/source', script];
  const args = ['-c', PROXY_CORE, ...command, 'origin', String(bytes)];
  const child = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(child.stdout, 'data');
  return toPeer('node:http', Number(port), child);
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

/** The daemon, built and with nothing configured but where it stands. Its log goes nowhere. */
async function headgate({ origin }: PeerOptions): Promise<Peer> {
  if (!existsSync(CLI)) throw new Error('Headgate is measured as it is installed: run ./dev build');
  const port = await freePort();
  const args = ['run', '--upstream', `http://127.0.0.1:${origin}`, '--listen', `127.0.0.1:${port}`];
  return started('headgate', port, [process.execPath, CLI, ...args]);
}

/** nginx with the cache of Mastodon's own configuration, and a lock, so that pages are fetched once. */
async function nginx({ origin, gzip }: PeerOptions): Promise<Peer | undefined> {
  if (spawnSync('nginx', ['-v']).error) return undefined;
  const port = await freePort();
  const home = folder();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(home, 'nginx.conf'),
    `daemon off; worker_processes 1; worker_rlimit_nofile 16384;
pid ${home}/nginx.pid; error_log ${home}/error.log; user ${userInfo().username};
events { worker_connections 8192; }
http {
  access_log /dev/null; sendfile on; tcp_nopush on;
  keepalive_timeout 75; keepalive_requests 1000000000;
  ${temporary.map((name) => `${name}_temp_path ${home}/${name};`).join(' ')}
  gzip ${gzip ? 'on' : 'off'}; gzip_proxied any; gzip_comp_level 6; gzip_vary on;
  proxy_cache_path ${home}/cache levels=1:2 keys_zone=pages:64m max_size=1g inactive=7d;
  upstream origin { server 127.0.0.1:${origin}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_cache pages; proxy_cache_lock on; proxy_cache_valid 200 7d;
    }
  }
}
`,
  );
  return started('nginx', port, ['nginx', '-p', home, '-c', join(home, 'nginx.conf')]);
}

/** Varnish as it comes; it fetches pages once by itself. */
async function varnish({ origin, gzip }: PeerOptions): Promise<Peer | undefined> {
  if (spawnSync('varnishd', ['-V']).error) return undefined;
  const port = await freePort();
  const home = folder();
  const vcl = join(home, 'default.vcl');
  writeFileSync(
    vcl,
    `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${origin}"; }
sub vcl_backend_response { set beresp.do_gzip = ${gzip}; }
`,
  );
  const listen = ['-a', `127.0.0.1:${port}`, '-p', 'listen_depth=4096'];
  const command = ['varnishd', '-F', '-n', join(home, 'work'), '-f', vcl, '-s', 'malloc,256m'];
  return started('varnish', port, [...command, ...listen]);
}

async function started(name: string, port: number, command: string[]) {
  const child = spawn('taskset', ['-c', PROXY_CORE, ...command], { stdio: 'ignore' });
  const peer = toPeer(name, port, child);
  for (let tries = 0; tries < 200; tries++) {
    if (await isOpen(port)) return peer;
    if (child.exitCode !== null) break;
    await delay(50);
  }
  await peer.stop();
  throw new Error(`${name} didn't start: ${command.join(' ')}`);
}

function toPeer(name: string, port: number, child: ChildProcess): Peer {
  const pid = child.pid as number;
  const isGone = once(child, 'exit');
  const onExit = () => child.kill('SIGTERM'); // no SIGKILL: nginx's workers would live on
  process.once('exit', onExit);
  const sum = (figure: (pid: number) => number) =>
    familyOf(pid).reduce((total, member) => total + figure(member), 0);
  return {
    name,
    port,
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

/** A port that nobody has at this moment: neither nginx nor Varnish tells which it was given. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
