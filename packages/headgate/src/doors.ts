/** Opening the places where people come in: addresses, Unix sockets, and what systemd has opened. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Door, toUrl } from './address.ts';
import { EVERYBODY, listenAtSocket } from './admin/unix-socket.ts';
import { type Listener, listen, stopOf } from './listeners.ts';

/** A place that is open. */
export interface OpenDoor extends Pick<Listener, 'stop'> {
  readonly server: Server;
  /** Where it is, for people. */
  readonly url: string;
}

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_FD = 3;

/** Who comes through a Unix socket is on this machine, and is called so. */
const THIS_MACHINE = '127.0.0.1';

/**
 * Opens all doors; `serverOf` makes the server of each. Rejects with Node's error when it can't listen,
 * with a `TypeError` when systemd has passed nothing of that name.
 */
export async function openDoors(
  doors: readonly Door[],
  serverOf: (isTls: boolean) => Server,
  environment: NodeJS.ProcessEnv,
): Promise<OpenDoor[]> {
  const opened: OpenDoor[] = [];
  for (const { at, isTls } of doors) {
    const scheme = isTls ? 'https' : 'http';
    if ('systemd' in at) {
      for (const fd of descriptors(at.systemd, environment)) {
        const server = serverOf(isTls);
        opened.push(await openInherited(server, fd, scheme));
      }
      continue;
    }
    const server = serverOf(isTls);
    if ('path' in at) {
      const stop = stopOf(server);
      callAllLocal(server);
      await listenAtSocket(server, at.path, EVERYBODY);
      opened.push({ server, stop, url: `unix:${at.path}` });
    } else {
      const { address, stop } = await listen(server, at);
      opened.push({ server, stop, url: toUrl(address, scheme) });
    }
  }
  return opened;
}

async function openInherited(
  server: Server,
  fd: number,
  scheme: 'http' | 'https',
): Promise<OpenDoor> {
  const stop = stopOf(server);
  server.listen({ fd });
  await once(server, 'listening');
  const address = server.address() as AddressInfo | null; // none for a Unix socket that has come so
  if (!address) callAllLocal(server);
  const url = address ? toUrl({ host: address.address, port: address.port }, scheme) : `fd ${fd}`;
  return { server, stop, url };
}

/** The descriptors that systemd has passed to this process under a name, or all of them. */
function descriptors(name: string | undefined, environment: NodeJS.ProcessEnv): number[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment;
  const count = Number(LISTEN_PID) === process.pid ? Number(LISTEN_FDS) : 0;
  const names = LISTEN_FDNAMES.split(':');
  const all = Array.from({ length: count }, (_, index) => index);
  const found = all.filter((index) => name === undefined || names[index] === name);
  if (found.length === 0)
    throw new TypeError(
      name === undefined || count === 0
        ? 'listen says systemd, which has passed no socket to this process: start it from a unit that has a .socket beside it'
        : `listen says systemd:${name}, and systemd has passed ${names.join(', ')}: write FileDescriptorName=${name} in the .socket`,
    );
  return found.map((index) => FIRST_FD + index);
}

function callAllLocal(server: Server): void {
  server.prependListener('connection', callLocal);
  server.prependListener('secureConnection', callLocal); // the socket above TLS knows no better
}

function callLocal(socket: Socket): void {
  Object.defineProperty(socket, 'remoteAddress', { value: THIS_MACHINE });
}
