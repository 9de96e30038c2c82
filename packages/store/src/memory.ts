/** A store in this process's memory, bounded in bytes. */
import type { CacheStore } from '@headgate/core';
import { LRUCache } from 'lru-cache';
import { flights } from './flights.ts';

/** How much a `memoryStore` keeps, and by which clock. */
export interface MemoryStoreOptions {
  /**
   * Bytes kept at most, over 600: values, keys, and 600 for each entry. Past it, what was used
   * least recently goes. Default 67 108 864 (64 MiB).
   */
  readonly maxBytes?: number;
  /**
   * Milliseconds on a clock that never goes back; where it starts doesn't matter.
   * Default `performance.now`.
   */
  readonly now?: () => number;
}

/** A `CacheStore` that tells how full it is. */
export interface MemoryStore extends CacheStore {
  /** Entries kept, with those that expired and that nobody has asked for since. */
  readonly size: number;
  /** Bytes that these entries count for; never more than `maxBytes`. */
  readonly bytes: number;
  /** Bytes that they can count for at most. */
  readonly maxBytes: number;
  /** Entries that had to go for others since it was made. */
  readonly evictions: number;
}

/**
 * Bytes that an entry costs beside its value and its key. Measured on Node 24.21 with 100,000
 * entries: 287 to 360 in V8's heap (the Buffer, and its place in lru-cache's arrays and Map, most
 * just after these grew), 200 outside it (malloc, the ArrayBuffer's backing store).
 */
const ENTRY_BYTES = 600;

/**
 * Keeps bytes in this process, the most recently used up to `maxBytes`. Nothing in it fails: a value
 * that is larger than the whole store is just not kept. `get` gives the same Buffer each time, which
 * is the one that `set` was given, unless that was a part of a larger ArrayBuffer.
 */
export function memoryStore({
  maxBytes = 64 * 1024 * 1024,
  now = () => performance.now(),
}: MemoryStoreOptions = {}): MemoryStore {
  if (!Number.isSafeInteger(maxBytes) || maxBytes <= ENTRY_BYTES)
    throw new TypeError(
      `memoryStore: maxBytes must be a whole number of bytes over ${ENTRY_BYTES}, such as 64 * 1024 * 1024, got ${String(maxBytes)}`,
    );
  if (typeof now !== 'function')
    throw new TypeError(
      `memoryStore: now must be a function that gives milliseconds, such as () => performance.now(), got ${String(now)}`,
    );

  // lru-cache takes a start of 0 for "never expires", and an injected clock may well begin there.
  const origin = now() - 1;
  let evictions = 0;
  /** Those in the cache, since its own walk takes half a second for 100,000, and a purge holds up all. */
  const keys = new Set<string>();
  const kept = new LRUCache<string, Buffer>({
    maxSize: maxBytes,
    dispose: (_value, key, reason) => {
      if (reason === 'evict') evictions += 1;
      if (reason !== 'set') keys.delete(key);
    },
    perf: { now: () => now() - origin },
    // Else it remembers the time for a millisecond of the real clock, with a timer for each.
    ttlResolution: 0,
  });
  const set = async (key: string, value: Buffer, ttl: number) => {
    // Written so that NaN keeps nothing; for lru-cache NaN and 0 are "for ever".
    if (!(ttl > 0)) {
      kept.delete(key);
      return;
    }
    const { copy, bytes } = flat(key);
    const size = value.length + bytes + ENTRY_BYTES;
    kept.set(copy, alone(value), { ttl, size });
    if (kept.has(copy)) keys.add(copy);
    else keys.delete(copy); // too large for the whole
  };
  const underWay = flights(set);

  return {
    get size() {
      return kept.size;
    },
    get bytes() {
      return kept.calculatedSize;
    },
    maxBytes,
    get evictions() {
      return evictions;
    },

    get: (key) => kept.get(key),
    set,
    async delete(key) {
      underWay.revoke(key);
      kept.delete(key);
    },
    async purge(prefix) {
      underWay.revokeAll(prefix);
      let count = 0;
      for (const key of keys) {
        if (!key.startsWith(prefix)) continue;
        if (kept.has(key)) count += 1; // else it has expired
        kept.delete(key);
      }
      return count;
    },
    collapse: underWay.collapse,
    /** Empties the store. It can be used further. */
    async close() {
      underWay.revokeAll('');
      kept.clear();
    },
  };
}

/**
 * The key as one string of its own, and the bytes that V8 needs for it. A string that was cut out of
 * another or put together keeps what it came from alive: 20 characters of a target can hold 30 KiB.
 */
function flat(key: string): { copy: string; bytes: number } {
  const encoding = /[\u0100-\uffff]/.test(key) ? 'utf16le' : 'latin1';
  const bytes = Buffer.from(key, encoding);
  return { copy: bytes.toString(encoding), bytes: bytes.length };
}

/** The value, copied if it is a part of a larger ArrayBuffer (the pool's, a chunk's): all of it would live on. */
function alone(value: Buffer): Buffer {
  if (value.buffer.byteLength === value.length) return value;
  // Buffer.from and allocUnsafe would take it from the pool again.
  const copy = Buffer.allocUnsafeSlow(value.length);
  value.copy(copy);
  return copy;
}
