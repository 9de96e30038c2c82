/** What the parts of the contract have in common. */
import { setTimeout as wait } from 'node:timers/promises';
import type { CacheStore } from '@headgate/core';
import type { Test } from 'tap';

/** Tests one promise, on a store of its own. */
export type Promises = (
  what: string,
  test: (t: Test, store: CacheStore) => Promise<void>,
) => Promise<unknown>;

/** A ttl that outlives every test. Milliseconds. */
export const LONG = 60_000;

/** Keys that a store must keep apart. */
export const KEYS: readonly string[] = [
  'plain',
  'Plain',
  'plain ',
  'preview GET https://site.example/@alice/1?page=2&q=a%20b#c',
  'preview GET https://site.example/@alice/1?page=2&q=a b#c',
  '__proto__',
  'constructor',
  'a\0b',
  'a\r\nb',
  'caf\u00e9',
  'cafe\u0301',
  'https://例え.example/こんにちは',
  '🦣',
  `${'long/'.repeat(2000)}1`,
  `${'long/'.repeat(2000)}2`,
];

/** Tells whether `promise` is settled within two seconds, so that what hangs fails instead. */
export async function soon(promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const isSettled = promise.then(
    () => true,
    () => true,
  );
  const isLate = wait(2000, false, { signal: timer.signal });
  try {
    return await Promise.race([isSettled, isLate]);
  } finally {
    timer.abort();
  }
}
