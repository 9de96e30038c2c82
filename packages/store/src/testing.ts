/** What every store promises, as tests: run it on a store of your own to know that it is one. */
import { setTimeout as wait } from 'node:timers/promises';
import type { CacheStore } from '@headgate/core';
import type { Test } from 'tap';
import { collapseContract } from './collapse-contract.ts';

/** How the contract treats the store under test. */
export interface StoreContractOptions {
  /**
   * Makes so many milliseconds pass for the store, if its clock can be held. Default: really waits
   * (about half a second in all).
   */
  readonly advance?: (ms: number) => void | Promise<void>;
}

/** Tests one promise of the contract on a store of its own. */
export type Promises = (
  what: string,
  test: (t: Test, store: CacheStore) => Promise<void>,
) => Promise<unknown>;

const TTL = 200;
const LONG = 60_000;

const KEYS = [
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

const VALUES = [
  ['no bytes', Buffer.alloc(0)],
  ['every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ['what is no UTF-8', Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0x00, 0x80])],
  ['line ends', Buffer.from('\r\n\0\n\r')],
  ['a part of a larger buffer', Buffer.from('before, middle, after').subarray(8, 14)],
  ['a mebibyte', Buffer.alloc(1024 * 1024, 'headgate')],
] as const;

/** Prefixes with a meaning in globs, regular expressions or LIKE, and a key that this would match. */
const SPECIAL = [
  ['a*', 'abc'],
  ['*', 'any'],
  ['a?', 'ab'],
  ['[ab]', 'a'],
  ['[^x]', 'a'],
  ['{a,b}', 'a'],
  ['a.*', 'abc'],
  ['a|b', 'b'],
  ['^a', 'ab'],
  ['a\\', 'a'],
  ['\\*', '*'],
  ['%', 'any'],
  ['a_', 'ab'],
] as const;

/**
 * Tests that what `makeStore` makes keeps every promise of `CacheStore`. `t` is tap's. Each promise
 * gets a store of its own: it must be empty, and must have room for 3 MiB and 2,500 entries, since
 * a store that forgets can't be told from one that never kept. The contract closes what it used.
 */
export async function storeContract(
  t: Test,
  makeStore: () => CacheStore | Promise<CacheStore>,
  { advance }: StoreContractOptions = {},
): Promise<void> {
  const promises: Promises = (what, test) =>
    t.test(what, async (t) => {
      const store = await makeStore();
      // That close works is a promise of its own, below; after it, a second one may reject.
      t.teardown(() => store.close().catch(() => {}));
      await test(t, store);
    });

  await bytes(promises);
  await expiry(promises, advance);
  await forgetting(promises);
  await collapseContract(promises);
  await closing(promises);
}

async function bytes(promises: Promises): Promise<void> {
  await promises('a store gives nothing for a key that was never set', async (t, store) => {
    for (const key of KEYS) t.equal(await store.get(key), undefined);
  });

  await promises('a store keeps every key apart', async (t, store) => {
    for (const [i, key] of KEYS.entries()) await store.set(key, Buffer.from(`value ${i}`), LONG);
    for (const [i, key] of KEYS.entries())
      t.equal(String(await store.get(key)), `value ${i}`, JSON.stringify(key.slice(0, 60)));
  });

  await promises('a store gives back the bytes that it got', async (t, store) => {
    for (const [what, value] of VALUES) await store.set(what, value, LONG);
    for (const [what, value] of VALUES) {
      const got = await store.get(what);
      t.ok(Buffer.isBuffer(got) && got.equals(value), what);
    }
  });

  await promises('a store keeps the last value that was set', async (t, store) => {
    await store.set('key', Buffer.from('a first, longer value'), LONG);
    await store.set('key', Buffer.from('second'), LONG);
    t.equal(String(await store.get('key')), 'second');
  });
}

async function expiry(promises: Promises, advance: StoreContractOptions['advance']): Promise<void> {
  await promises('a store keeps a value for its ttl and not longer', async (t, store) => {
    const value = Buffer.from('value');
    const start = performance.now();
    for (const key of ['short', 'read', 'renewed']) await store.set(key, value, TTL);
    await store.set('fraction', value, TTL + 0.5);
    await store.set('shortened', value, LONG);
    await store.set('shortened', value, TTL);
    await store.set('long', value, LONG);

    await (advance ?? wait)(TTL / 2);
    const early = await Promise.all(['short', 'read', 'fraction'].map((key) => store.get(key)));
    // A machine that dozed off just then proves nothing.
    if (advance !== undefined || performance.now() - start < TTL)
      for (const got of early) t.equal(String(got), 'value', 'kept before');
    await store.set('renewed', value, LONG);

    await (advance ?? wait)(TTL);
    for (const key of ['short', 'read', 'fraction', 'shortened'])
      t.equal(await store.get(key), undefined, `${key}: gone after`);
    for (const key of ['long', 'renewed']) t.equal(String(await store.get(key)), 'value', key);
  });

  await promises('a store keeps nothing for a ttl of 0 or less', async (t, store) => {
    for (const ttl of [0, -1, -LONG]) {
      await store.set('new', Buffer.from('value'), ttl);
      t.equal(await store.get('new'), undefined, `ttl ${ttl}`);
      await store.set('old', Buffer.from('old'), LONG);
      await store.set('old', Buffer.from('value'), ttl);
      t.equal(await store.get('old'), undefined, `ttl ${ttl}, instead of an older value`);
    }
  });
}

async function forgetting(promises: Promises): Promise<void> {
  const fill = async (store: CacheStore, keys: readonly string[]) => {
    await Promise.all(keys.map((key) => store.set(key, Buffer.from(key), LONG)));
  };
  const left = async (store: CacheStore, keys: readonly string[]) => {
    const got = await Promise.all(keys.map((key) => store.get(key)));
    return keys.filter((_, i) => got[i] !== undefined);
  };

  await promises('delete forgets the key and no other', async (t, store) => {
    await fill(store, ['a', 'ab', 'A']);
    await store.delete('a');
    t.same(await left(store, ['a', 'ab', 'A']), ['ab', 'A']);
    await t.resolves(store.delete('a'), 'a key that is not there is no error');
  });

  await promises('purge forgets what begins with the prefix and counts it', async (t, store) => {
    const keys = ['p GET /a', 'p GET /a/1', 'p GET /a?b', 'p GET /A', 'p GET /b', 'q p GET /a'];
    await fill(store, keys);
    t.equal(await store.purge('p GET /a'), 3);
    t.same(await left(store, keys), ['p GET /A', 'p GET /b', 'q p GET /a']);
    t.equal(await store.purge('p GET /a'), 0);
  });

  await promises("purge('') forgets everything", async (t, store) => {
    await fill(store, KEYS);
    t.equal(await store.purge(''), KEYS.length);
    t.same(await left(store, KEYS), []);
    t.equal(await store.purge(''), 0);
    await fill(store, KEYS);
    t.same(await left(store, KEYS), KEYS, 'what is set afterwards is kept');
  });

  await promises('purge takes every character of the prefix as itself', async (t, store) => {
    for (const [prefix, other] of SPECIAL) {
      await fill(store, [prefix, `${prefix}/more`, other]);
      t.equal(await store.purge(prefix), 2, prefix);
      t.same(await left(store, [prefix, `${prefix}/more`, other]), [other], prefix);
      await store.delete(other);
    }
    await fill(store, KEYS);
    for (const key of KEYS.toSorted((a, b) => b.length - a.length))
      t.equal(await store.purge(key), 1, JSON.stringify(key.slice(0, 60)));
  });

  await promises('purge counts many', async (t, store) => {
    const keys = Array.from({ length: 2500 }, (_, i) => `${i % 5 === 0 ? 'some' : 'others'} ${i}`);
    await fill(store, keys);
    t.equal(await store.purge('some '), 500);
    t.equal((await left(store, keys)).length, 2000);
  });
}

async function closing(promises: Promises): Promise<void> {
  await promises('close ends, and nothing hangs after it', async (t, store) => {
    await store.set('key', Buffer.from('value'), LONG);
    const gate = Promise.withResolvers<Buffer>();
    const made = store.collapse('under way', () => gate.promise).catch(() => {});
    await store.close();
    gate.resolve(Buffer.from('made'));

    const value = Buffer.from('value');
    const after = [
      made,
      store.get('key'),
      store.set('key', value, LONG),
      store.delete('key'),
      store.purge(''),
      store.collapse('key', async () => value),
    ];
    const late = new AbortController();
    const hangs = wait(5000, 'hangs', { signal: late.signal }).catch(() => {});
    t.not(await Promise.race([Promise.allSettled(after), hangs]), 'hangs');
    late.abort();
  });
}
