/** What a store promises about a key that is forgotten while it is made: it does not come back. */
import type { CacheStore, Keep } from '@headgate/core';
import { held, KEY, nobody } from './held.ts';
import { LONG, type Promises } from './promises.ts';

/** Ways to forget `KEY` while it is being made. */
const FORGETTING = [
  ['delete', (store: CacheStore) => store.delete(KEY)],
  ['purge', (store: CacheStore) => store.purge('preview ')],
  ["purge('')", (store: CacheStore) => store.purge('')],
] as const;

/** Tests the promises about delete and purge during `collapse`. */
export async function forgottenMeanwhile(promises: Promises): Promise<void> {
  for (const [what, forget] of FORGETTING) {
    await promises(`${what} lets a make answer but not keep`, async (t, store) => {
      await store.set(KEY, Buffer.from('before'), LONG);
      const { make, finish, begun } = held('made');
      const asked = [store.collapse(KEY, make), store.collapse(KEY, nobody)];
      await begun();
      await forget(store);
      finish();
      t.same((await Promise.all(asked)).map(String), ['made', 'made']);
      t.equal(await store.get(KEY), undefined);
      await store.set(KEY, Buffer.from('later'), LONG);
      t.equal(String(await store.get(KEY)), 'later', 'what is set afterwards is kept');
    });

    for (const order of ['old first', 'new first'] as const)
      await promises(`after ${what} a new make runs and keeps, ${order}`, async (t, store) => {
        const before = held('old');
        const after = held('new');
        const old = store.collapse(KEY, before.make);
        await before.begun();
        await forget(store);
        const fresh = [store.collapse(KEY, after.make)];
        t.ok(await after.begun(), 'does not join the old one');

        const ends = [
          async () => {
            before.finish();
            t.equal(String(await old), 'old');
            t.equal(String(await store.get(KEY)), order === 'old first' ? 'undefined' : 'new');
          },
          async () => {
            fresh.push(store.collapse(KEY, nobody));
            after.finish();
            t.same((await Promise.all(fresh)).map(String), ['new', 'new']);
          },
        ];
        for (const end of order === 'old first' ? ends : ends.toReversed()) await end();
        t.equal(String(await store.get(KEY)), 'new');
      });

    await promises(`${what} again stops the new make too`, async (t, store) => {
      const makes = [held('first'), held('second')];
      const asked: Promise<Buffer>[] = [];
      for (const { make, begun } of makes) {
        asked.push(store.collapse(KEY, make));
        await begun();
        await forget(store);
      }
      for (const { finish } of makes) finish();
      t.same((await Promise.all(asked)).map(String), ['first', 'second']);
      t.equal(await store.get(KEY), undefined);
    });

    await promises(`after ${what} what others set is kept`, async (t, store) => {
      const { make, finish, begun } = held('made');
      const asked = store.collapse(KEY, make);
      await begun();
      await forget(store);
      await store.set(KEY, Buffer.from('theirs'), LONG);
      finish();
      await asked;
      t.equal(String(await store.get(KEY)), 'theirs');
    });
  }

  await promises('purge counts what is kept, not what is being made', async (t, store) => {
    const { make, finish, begun } = held('made');
    const asked = store.collapse(KEY, make);
    await begun();
    await store.set('preview kept', Buffer.from('value'), LONG);
    t.equal(await store.purge('preview '), 1);
    finish();
    await asked;
  });

  await promises('a make that is not meant keeps and is joined', async (t, store) => {
    const { make, finish, begun } = held('made');
    const asked = [store.collapse(KEY, make)];
    await begun();
    await store.delete(KEY.slice(0, -1));
    await store.delete(`${KEY}1`);
    await store.purge(`${KEY}1`);
    await store.purge('other ');
    asked.push(store.collapse(KEY, nobody));
    finish();
    t.same((await Promise.all(asked)).map(String), ['made', 'made']);
    t.equal(String(await store.get(KEY)), 'made');
  });

  await promises('a make whose key is purged may still set other keys', async (t, store) => {
    const { make, begun, finish } = held('made');
    const asked = store.collapse(KEY, async (keep) => {
      const value = await make(keep);
      await store.set('other', value, LONG);
      return value;
    });
    await begun();
    await store.purge(KEY);
    finish();
    await asked;
    t.equal(String(await store.get('other')), 'made');
    t.equal(await store.get(KEY), undefined);
  });

  await promises('a make that has answered keeps nothing any more', async (t, store) => {
    let keepLater: Keep | undefined;
    await store.collapse(KEY, async (keep) => {
      keepLater = keep;
      return Buffer.from('made');
    });
    await keepLater?.(Buffer.from('late'), LONG);
    t.equal(await store.get(KEY), undefined, 'a purge meanwhile could not have reached it');
  });
}
