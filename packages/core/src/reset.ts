/** Ending a connection so that nobody takes its end for a clean one. */

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Resets a connection: its client can't take the end for the end of an answer, and what the kernel
 * holds for it is freed. Below TLS too, whose socket can't; a Unix socket is closed.
 */
export function reset(socket: Duplex): void {
  const below = 'encrypted' in socket ? Reflect.get(socket, '_parent') : socket;
  if (below instanceof Socket && below.remoteFamily !== undefined) below.resetAndDestroy();
  socket.destroy();
}
