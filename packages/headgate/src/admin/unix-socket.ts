/** Listening at a Unix socket, which nobody else may open unless that is wanted. */
import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';

/** Takes every right from group and others. */
const OWNER_ALONE = 0o177;

/** Takes nobody's right to connect, as at an address: the folder decides who gets there. */
export const EVERYBODY = 0o111;

/**
 * Starts to listen at `path`, in place of a daemon that was killed and left its socket there. Rejects
 * with Node's error when it can't, `EADDRINUSE` when somebody listens there.
 */
export async function listenAtSocket(
  server: Server,
  path: string,
  mask = OWNER_ALONE,
): Promise<void> {
  try {
    await listen(server, path, mask);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isLeftOver(path)))
      throw error;
    unlinkSync(path);
    await listen(server, path, mask);
  }
}

async function listen(server: Server, path: string, mask: number): Promise<void> {
  const before = process.umask(mask); // chmod would come after somebody else could connect
  try {
    server.listen({ path });
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
}

async function isLeftOver(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
