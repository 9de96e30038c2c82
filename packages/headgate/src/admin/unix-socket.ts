/** Listening at a Unix socket that nobody else may open. */
import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';

/** Takes every right from group and others. */
const OWNER_ALONE = 0o177;

/**
 * Starts to listen at `path`, in place of a daemon that was killed and left its socket there. Rejects
 * with Node's error when it can't, `EADDRINUSE` when somebody listens there.
 */
export async function listenAtSocket(server: Server, path: string): Promise<void> {
  try {
    await listen(server, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isLeftOver(path)))
      throw error;
    unlinkSync(path);
    await listen(server, path);
  }
}

async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(OWNER_ALONE); // chmod would come after somebody else could connect
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
