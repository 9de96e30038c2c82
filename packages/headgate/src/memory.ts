/** What V8 is told about memory. */
import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 free what streams through while it is young, by many short collections of the new space. Left
 * alone, Node 24 waits until 64 MB of the 64 KiB buffers in which Node reads have gathered, and frees them
 * by marking the whole heap: with 1 GiB passing through, 197 MB resident instead of 160. Node 26 has no such
 * setting and takes the 197.
 */
export function collectYoungBuffers(): void {
  if (process.versions.node.startsWith('24.'))
    setFlagsFromString('--scavenger-max-new-space-capacity-mb=8');
}
