/** Pebble, Let's Encrypt's small authority for tests, and the DNS that it believes. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Why tests with it are left out, if they must be. */
export const skip = !isThere() && 'needs pebble (Debian package pebble)';

/** The certificate of Pebble's own server, which whoever asks it must trust. */
export const CA_FILE = new URL('../../core/test/fixtures/localhost.pem', import.meta.url).pathname;
const KEY_FILE = CA_FILE.replace('.pem', '-key.pem');

/** Where Pebble looks for challenges. */
export interface Ports {
  readonly httpPort: number;
  readonly tlsPort: number;
}

/** An authority for which every name leads to 127.0.0.1. It refuses a nonce in five. */
export async function pebble(t: Test, { httpPort, tlsPort }: Ports) {
  const [port = 0, managementPort = 0, dnsPort = 0, dnsManagementPort = 0] = await freePorts(4);
  const folder = mkdtempSync(join(tmpdir(), 'pebble-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'pebble.json');
  const written = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    certificate: CA_FILE,
    privateKey: KEY_FILE,
    httpPort,
    tlsPort,
  };
  writeFileSync(config, JSON.stringify({ pebble: written }));
  const dns = [
    ...['-dns01', `127.0.0.1:${dnsPort}`, '-management', `127.0.0.1:${dnsManagementPort}`],
    ...['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''],
  ];
  await started(t, 'pebble-challtestsrv', dns, /Starting management server/);

  /** Starts it. It can remember for good that a name leads here, or forget at once. */
  const open = async ({ remembers = false } = {}) => {
    const args = ['-config', config, '-strict', '-dnsserver', `127.0.0.1:${dnsPort}`];
    const { child, said } = await started(t, 'pebble', args, /ACME directory available/, {
      PEBBLE_VA_NOSLEEP: '1',
      PEBBLE_WFE_NONCEREJECT: '20',
      PEBBLE_AUTHZREUSE: remembers ? '100' : '0',
    });
    return {
      /** How many orders were made. */
      orders: () => said().match(/There are now \d+ orders/g)?.length ?? 0,
      stop: async () => {
        child.kill('SIGKILL');
        await once(child, 'close');
      },
    };
  };
  return {
    open,
    directory: `https://127.0.0.1:${port}/dir`,
    /** The certificate of the authority, which changes with each start. */
    root: () => get(`https://127.0.0.1:${managementPort}/roots/0`),
  };
}

async function started(
  t: Test,
  command: string,
  args: readonly string[],
  isUp: RegExp,
  env: Record<string, string> = {},
) {
  const child = spawn(command, args, { env: { ...process.env, ...env } });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  const hear = (chunk: Buffer) => {
    text += chunk;
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  while (!isUp.test(text)) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${text}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  return { child, said: () => text };
}

async function get(url: string): Promise<string> {
  const req = request(url, { ca: readFileSync(CA_FILE) }).end();
  const [res] = await once(req, 'response');
  let text = '';
  for await (const chunk of res) text += chunk;
  return text;
}

/** Ports that are free now: Pebble takes no 0. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function isThere(): boolean {
  try {
    for (const command of ['pebble', 'pebble-challtestsrv']) execFileSync('which', [command]);
    return true;
  } catch {
    return false;
  }
}
