/** Real servers that stand in front of Headgate: Debian's nginx and Caddy, and how they are asked. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Test } from 'tap';

export { freePort } from '../../core/test/wire.ts';

/** Where nginx is, if it is; often in no ordinary user's PATH. */
export const NGINX = whereIs('nginx');
export const withoutNginx = !NGINX && 'nginx is not installed: apt-get install nginx-light';
/** Where Caddy is, if it is. */
export const CADDY = whereIs('caddy');
export const withoutCaddy = !CADDY && 'caddy is not installed: apt-get install caddy';
export const withoutCurl = !whereIs('curl') && 'curl is not installed: apt-get install curl';
export const HAS_IPV6 = existsSync('/proc/net/if_inet6');
/** An address of this machine that isn't loopback, and so isn't trusted, if it has one. */
export const OUTER_ADDRESS = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ internal, address }) => !internal && !address.startsWith('fe80:'))?.address;

function whereIs(name: string): string {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
  return spawnSync('sh', ['-c', `command -v ${name}`], { env, encoding: 'utf8' }).stdout.trim();
}

/** A folder that is gone when the test is over. */
export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }));
  return path;
}

/** A document. */
export function text(document: string): string {
  return readFileSync(new URL(`../../../docs/${document}`, import.meta.url), 'utf8');
}

/** The code blocks of a document in one language, in order: of all of it, or below headings. */
export function blocks(document: string, language: string, ...headings: string[]): string[] {
  let part = text(document);
  for (const heading of headings) {
    const [, hashes = '', below = ''] = part.split(new RegExp(`^(#+) ${heading}$`, 'm'));
    [part = ''] = below.split(new RegExp(`^#{1,${hashes.length}} `, 'm'));
  }
  return Array.from(
    part.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm')),
    ([, block = '']) => block,
  );
}

/** What nginx needs around a configuration for `http { }`, to keep to a folder. */
export function aroundNginx(here: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = temporary.map((name) => `${name}_temp_path ${here}/${name};`).join(' ');
  const user = process.getuid?.() === 0 ? 'user root;' : ''; // the folder is for its owner alone
  return `daemon off; ${user} worker_processes 1; pid ${here}/nginx.pid; error_log stderr;
    events {}
    http { access_log off; ${paths}\n${http}\n}`;
}

/** Runs nginx with what belongs into `http { }` until the test is over; it listens at `port` then. */
export async function nginx(t: Test, port: number, http: string): Promise<void> {
  const here = folder(t);
  writeFileSync(join(here, 'nginx.conf'), aroundNginx(here, http));
  await started(t, port, spawn(NGINX, ['-p', here, '-c', join(here, 'nginx.conf')]));
}

/** Runs Caddy with a Caddyfile until the test is over; it listens at `port` then. */
export async function caddy(t: Test, port: number, caddyfile: string): Promise<void> {
  const here = folder(t);
  writeFileSync(join(here, 'Caddyfile'), caddyfile);
  const env = { ...process.env, XDG_DATA_HOME: here, XDG_CONFIG_HOME: here, HOME: here };
  const args = ['run', '--config', join(here, 'Caddyfile'), '--adapter', 'caddyfile'];
  await started(t, port, spawn(CADDY, args, { env }));
}

async function started(t: Test, port: number, child: ChildProcess): Promise<void> {
  let said = '';
  child.stderr?.on('data', (chunk) => (said += chunk));
  t.teardown(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const isOver = () => child.exitCode !== null;
  for (let i = 0; i < 1500 && !isOver() && !(await isListening(port)); i++) await sleep(20);
  t.ok(
    !isOver() && (await isListening(port)),
    `${child.spawnfile} listens${isOver() ? `: ${said}` : ''}`,
  );
}

/** True when somebody listens there. */
export async function isListening(port: number): Promise<boolean> {
  return opens(connect(port, '127.0.0.1'), 'connect');
}

/** Waits for the certificate of a server that makes its own once it listens. */
export async function hasCertificate(port: number, servername: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const socket = connectTls({ port, host: '127.0.0.1', servername, rejectUnauthorized: false });
    if (await opens(socket, 'secureConnect')) return;
    await sleep(20);
  }
  throw new Error(`no certificate for ${servername} within ten seconds`);
}

async function opens(socket: Socket, event: 'connect' | 'secureConnect'): Promise<boolean> {
  const isOpen = await once(socket, event).then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}

/** A key and a certificate for `name`, which nobody vouches for. */
export function selfSigned(here: string, name: string): { key: string; cert: string } {
  const [key, cert] = [join(here, 'key.pem'), join(here, 'cert.pem')];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  spawnSync('openssl', [
    'req',
    '-x509',
    '-nodes',
    ...curve,
    ...subject,
    '-keyout',
    key,
    '-out',
    cert,
  ]);
  return { key, cert };
}

/** What came back. */
export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Asks for a page of `host` over TLS, with a body of `size` bytes if one is given. */
export async function askTls(host: string, options: RequestOptions, size = 0): Promise<Answer> {
  const req = request({
    agent: false,
    host: '127.0.0.1',
    ...options,
    servername: host,
    rejectUnauthorized: false,
    headers: { host, ...(size > 0 && { 'content-length': size }), ...options.headers },
  });
  const answered = once(req, 'response') as Promise<[IncomingMessage]>;
  let isOver = false; // answered, or failed: an early answer ends what is sent
  answered.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  req.on('error', () => {});
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  for (let sent = 0; sent < size && !isOver; sent += chunk.length)
    if (!req.write(chunk.subarray(0, size - sent)))
      await Promise.race([once(req, 'drain'), answered]);
  req.end();
  const [res] = await answered;
  let body = '';
  for await (const part of res) body += part;
  return { status: res.statusCode, headers: res.headers, body };
}
