/** A TCP proxy that does to connections what networks do, as a seeded schedule has it. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from './mutate.ts';

/** What is done to bytes, in both directions, while it lasts. */
export type Toxic =
  | 'none'
  | 'latency'
  | 'slices'
  | 'reset'
  | 'black hole'
  | 'half close'
  | 'refusal';

/** All of them. */
export const TOXICS: readonly Toxic[] = [
  'none',
  'latency',
  'slices',
  'reset',
  'black hole',
  'half close',
  'refusal',
];

/** A proxy to a port of this machine, and the way to change what it does. */
export interface ChaosProxy {
  readonly server: Server;
  /** From now on, for old connections and new ones. */
  set(toxic: Toxic): void;
}

/** Makes one. */
export function chaosProxy(port: number, random: Random): ChaosProxy {
  let toxic: Toxic = 'none';

  const carry = (from: Socket, to: Socket) => {
    let last = Promise.resolve();
    let isLost = false; // what follows a hole must not arrive: TCP doesn't do that
    const pass = async (chunk: Buffer) => {
      const now = toxic; // the weather may change meanwhile
      if (isLost) return;
      if (now === 'black hole') isLost = true;
      else if (now === 'half close') {
        isLost = true;
        to.end(chunk.subarray(0, random(chunk.length + 1)));
      } else if (now === 'reset' && random(2) === 0) {
        isLost = true;
        to.write(chunk.subarray(0, random(chunk.length)));
        from.resetAndDestroy();
        to.resetAndDestroy();
      } else if (now === 'slices') {
        for (const [i, byte] of chunk.subarray(0, 300).entries()) {
          to.write(Buffer.of(byte));
          if (i % 10 === 0) await new Promise(setImmediate);
        }
        to.write(chunk.subarray(300));
      } else {
        if (now === 'latency') await new Promise((done) => setTimeout(done, random(80)));
        to.write(chunk);
      }
    };
    from.on('data', (chunk) => {
      last = last.then(() => pass(chunk));
    });
    from.on('end', () => last.then(() => to.end()));
    from.on('error', () => {});
    from.on('close', () => last.then(() => to.destroy()));
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    if (toxic === 'refusal') return void socket.resetAndDestroy();
    const inner = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    carry(socket, inner);
    carry(inner, socket);
  });
  return {
    server,
    set: (next) => {
      toxic = next;
    },
  };
}
