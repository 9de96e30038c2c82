/** What is being made at this moment, in this process. */
import { AsyncLocalStorage } from 'node:async_hooks';

/** The makes that are under way, one a key at most that can be joined. */
export interface Flights {
  /** Joins the make of `key` that is under way, or starts one. */
  collapse(key: string, make: () => Promise<Buffer>): Promise<Buffer>;
  /** Lets the make of `key` answer those who wait, but nobody joins it any more. */
  revoke(key: string): void;
  /** `revoke` for every key that begins with `prefix`. */
  revokeAll(prefix: string): void;
  /** Tells whether the caller is a make of `key` that was revoked, or something that it called. */
  isRevoked(key: string): boolean;
}

/**
 * A make. It is what the make's async context holds, and a socket or timer born in there holds on
 * to that context for as long as it lives: so it has room for no Buffer and no other flight.
 */
interface Flight {
  readonly key: string;
  isRevoked: boolean;
}

/** Keeps track of makes. Whose call a call is, it knows by the async context (`AsyncLocalStorage`). */
export function flights(): Flights {
  const current = new AsyncLocalStorage<Flight>();
  const underWay = new Map<string, { flight: Flight; result: Promise<Buffer> }>();

  const revoke = (key: string) => {
    const found = underWay.get(key);
    if (found === undefined) return;
    found.flight.isRevoked = true;
    underWay.delete(key);
  };

  return {
    collapse(key, make) {
      const joined = underWay.get(key);
      if (joined !== undefined) return joined.result;

      const flight: Flight = { key, isRevoked: false };
      const { promise, resolve } = Promise.withResolvers<Buffer>();
      // Before make runs: what it does before its first await may already be a purge.
      underWay.set(key, { flight, result: promise });
      const run = async () => {
        try {
          return await make();
        } finally {
          // Once revoked, the key may be the next make's.
          if (!flight.isRevoked) underWay.delete(key);
        }
      };
      resolve(current.run(flight, run));
      return promise;
    },
    revoke,
    revokeAll(prefix) {
      for (const key of underWay.keys()) if (key.startsWith(prefix)) revoke(key);
    },
    isRevoked(key) {
      const flight = current.getStore();
      return flight?.key === key && flight.isRevoked;
    },
  };
}
