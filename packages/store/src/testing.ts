/** What every store promises, as tests: run it on a store of your own to know that it is one. */
import type { CacheStore } from '@headgate/core';
import type { Test } from 'tap';
import { collapsed } from './contract/collapsed.ts';
import { forgotten } from './contract/forgotten.ts';
import { forgottenMeanwhile } from './contract/forgotten-meanwhile.ts';
import { expired, kept } from './contract/kept.ts';
import { LONG, type Promises, soon } from './contract/promises.ts';

/** How the contract treats the store under test. */
export interface StoreContractOptions {
  /**
   * Makes so many milliseconds pass for the store, if its clock can be held. Default: waits for
   * them (300 in all).
   */
  readonly advance?: (ms: number) => void | Promise<void>;
}

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

  await kept(promises);
  await expired(promises, advance);
  await forgotten(promises);
  await collapsed(promises);
  await forgottenMeanwhile(promises);
  await closed(promises);
}

async function closed(promises: Promises): Promise<void> {
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
    t.ok(await soon(Promise.allSettled(after)));
  });
}
