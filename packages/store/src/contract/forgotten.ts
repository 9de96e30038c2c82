/** What a store promises to forget. */
import type { CacheStore } from '@headgate/core';
import { KEYS, LONG, type Promises } from './promises.ts';

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

/** Tests the promises about delete and purge. */
export async function forgotten(promises: Promises): Promise<void> {
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
