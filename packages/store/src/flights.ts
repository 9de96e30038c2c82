/** What is being made at this moment, in this process. */
import type { Keep } from '@headgate/core';

/** The makes that are under way, one a key at most that can be joined. */
export interface Flights {
  /** Joins the make of `key` that is under way, or starts one. */
  collapse(key: string, make: (keep: Keep) => Promise<Buffer>): Promise<Buffer>;
  /** Lets the make of `key` answer those who wait, but nobody joins it and it keeps nothing. */
  revoke(key: string): void;
  /** `revoke` for every key that begins with `prefix`. */
  revokeAll(prefix: string): void;
}

/** A make, and whether what it makes may still be kept. */
interface Flight {
  readonly result: Promise<Buffer>;
  isRevoked: boolean;
}

/** Keeps track of makes; what they make is kept by `set`. */
export function flights(set: (key: string, value: Buffer, ttl: number) => Promise<void>): Flights {
  const underWay = new Map<string, Flight>();

  const revoke = (key: string) => {
    const flight = underWay.get(key);
    if (flight === undefined) return;
    flight.isRevoked = true;
    underWay.delete(key);
  };

  return {
    collapse(key, make) {
      const joined = underWay.get(key);
      if (joined !== undefined) return joined.result;

      const { promise, resolve } = Promise.withResolvers<Buffer>();
      const flight: Flight = { result: promise, isRevoked: false };
      // Before make runs: what it does before its first await may already be a purge.
      underWay.set(key, flight);
      const keep: Keep = async (value, ttl) => {
        if (!flight.isRevoked) await set(key, value, ttl);
      };
      const run = async () => {
        try {
          return await make(keep);
        } finally {
          // Once revoked, the key may be the next make's.
          if (!flight.isRevoked) revoke(key);
        }
      };
      resolve(run());
      return promise;
    },
    revoke,
    revokeAll(prefix) {
      for (const key of underWay.keys()) if (key.startsWith(prefix)) revoke(key);
    },
  };
}
