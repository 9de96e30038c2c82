/** Whether the applications behind are there. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { toOrigin } from '@headgate/core/upstream';
import type { Config } from '../config/configure.ts';
import type { UpstreamSettings } from '../config/site-schema.ts';

/** An upstream, and each of its addresses. */
export interface Reach {
  readonly site: string;
  readonly addresses: readonly { readonly url: string; readonly isReachable: boolean }[];
}

/** Milliseconds in which a connection must be made. */
const PATIENCE = 2_000;

/** Connects to every address of every upstream once; nothing is sent. */
export function reach({ sites }: Config): Promise<Reach[]> {
  const groups = sites.flatMap(({ name, upstream, routes }) => {
    const all = [upstream, ...routes.map((route) => route.upstream)];
    const distinct = new Map(all.flatMap((group) => (group ? [[keyOf(group), group]] : [])));
    return [...distinct.values()].map(({ to }) => ({ name, to }));
  });
  return Promise.all(
    groups.map(async ({ name: site, to }) => {
      const look = async (url: string) => ({ url, isReachable: await isReachable(url) });
      return { site, addresses: await Promise.all(to.map(look)) };
    }),
  );
}

/** True when every upstream can be reached at one of its addresses at least. */
export function isReady(reaches: readonly Reach[]): boolean {
  return reaches.every(({ addresses }) => addresses.some(({ isReachable }) => isReachable));
}

function keyOf({ to }: UpstreamSettings): string {
  return to.join(' ');
}

async function isReachable(url: string): Promise<boolean> {
  const { host, port, socketPath } = toOrigin(url);
  const socket = connect(socketPath === undefined ? { host, port } : { path: socketPath });
  socket.setTimeout(PATIENCE, () => socket.destroy(new Error('it takes too long')));
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
