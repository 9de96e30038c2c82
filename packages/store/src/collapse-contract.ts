/** What a store promises about `collapse`. */
import { setTimeout as wait } from 'node:timers/promises';
import type { CacheStore } from '@headgate/core';
import type { Promises } from './testing.ts';

const KEY = 'preview GET https://site.example/@alice/1';
const LONG = 60_000;

/** Ways to forget `KEY` while it is being made. */
const FORGETTING = [
  ['delete', (store: CacheStore) => store.delete(KEY)],
  ['purge', (store: CacheStore) => store.purge('preview ')],
  ["purge('')", (store: CacheStore) => store.purge('')],
] as const;

/** A make of `key` that keeps `text` and answers it, once it is let. */
function held(store: CacheStore, key: string, text: string) {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const value = Buffer.from(text);
  const make = async () => {
    begun.resolve();
    await gate.promise;
    await store.set(key, value, LONG);
    return value;
  };
  return {
    make,
    finish: gate.resolve,
    /** Resolves when it has begun, and in any case soon: to wrongly join another must not hang. */
    begun: () => Promise.race([begun.promise.then(() => true), wait(1000, false, { ref: false })]),
  };
}

const nobody = async (): Promise<Buffer> => {
  throw new Error('this make must not run');
};

/** Tests the promises about `collapse`: one make for all, and no forgotten thing comes back. */
export async function collapseContract(promises: Promises): Promise<void> {
  await sharing(promises);
  await keeping(promises);
  await forgottenMeanwhile(promises);
}

async function sharing(promises: Promises): Promise<void> {
  await promises('collapse makes once for 1,000 who ask meanwhile', async (t, store) => {
    const { make, finish, begun } = held(store, KEY, 'made');
    const asked = [store.collapse(KEY, make)];
    await begun();
    for (let i = 1; i < 1000; i++) asked.push(store.collapse(KEY, nobody));
    finish();
    t.ok((await Promise.all(asked)).every((got) => String(got) === 'made'));
  });

  await promises('collapse makes 1,000 different keys at once', async (t, store) => {
    const keys = Array.from({ length: 1000 }, (_, i) => `${KEY}?${i}`);
    const all = Promise.withResolvers<void>();
    let begun = 0;
    const asked = keys.map((key) =>
      store.collapse(key, async () => {
        if (++begun === keys.length) all.resolve();
        await all.promise;
        await store.set(key, Buffer.from(`kept ${key}`), LONG);
        return Buffer.from(`made ${key}`);
      }),
    );
    const made = (await Promise.all(asked)).map(String);
    t.same(
      made,
      keys.map((key) => `made ${key}`),
    );
    const kept = (await Promise.all(keys.map((key) => store.get(key)))).map(String);
    t.same(
      kept,
      keys.map((key) => `kept ${key}`),
    );
  });

  await promises('collapse gives a rejection to all who asked', async (t, store) => {
    const gate = Promise.withResolvers<Buffer>();
    const error = new Error('make failed');
    const asked = [store.collapse(KEY, () => gate.promise), store.collapse(KEY, nobody)];
    gate.reject(error);
    for (const outcome of await Promise.allSettled(asked))
      t.equal(outcome.status === 'rejected' && outcome.reason, error);
  });

  await promises('collapse rejects when make throws at once', async (t, store) => {
    const error = new Error('make threw');
    let asked: Promise<Buffer> | undefined;
    t.doesNotThrow(() => {
      asked = store.collapse(KEY, () => {
        throw error;
      });
    });
    const [outcome] = await Promise.allSettled([asked]);
    t.equal(outcome.status === 'rejected' && outcome.reason, error);
    const again = await store.collapse(KEY, async () => Buffer.from('made'));
    t.equal(String(again), 'made', 'and the next ask makes again');
  });

  await promises('collapse makes again once the last make is settled', async (t, store) => {
    const make = (text: string) => async () => Buffer.from(text);
    t.equal(String(await store.collapse(KEY, make('first'))), 'first');
    t.equal(String(await store.collapse(KEY, make('second'))), 'second');
    await t.rejects(store.collapse(KEY, nobody));
    t.equal(String(await store.collapse(KEY, make('third'))), 'third');
  });
}

async function keeping(promises: Promises): Promise<void> {
  await promises('collapse makes although something is kept', async (t, store) => {
    await store.set(KEY, Buffer.from('stale'), LONG);
    const { make, finish, begun } = held(store, KEY, 'fresh');
    const asked = store.collapse(KEY, make);
    t.ok(await begun());
    t.equal(String(await store.get(KEY)), 'stale', 'given until then');
    finish();
    t.equal(String(await asked), 'fresh');
    t.equal(String(await store.get(KEY)), 'fresh');
  });

  await promises('collapse itself keeps nothing', async (t, store) => {
    await store.collapse(KEY, async () => Buffer.from('made'));
    t.equal(await store.get(KEY), undefined);
  });

  await promises('what is set by others meanwhile is kept', async (t, store) => {
    const gate = Promise.withResolvers<Buffer>();
    const asked = store.collapse(KEY, () => gate.promise);
    await store.set(KEY, Buffer.from('theirs'), LONG);
    gate.resolve(Buffer.from('made'));
    await asked;
    t.equal(String(await store.get(KEY)), 'theirs');
  });
}

async function forgottenMeanwhile(promises: Promises): Promise<void> {
  for (const [what, forget] of FORGETTING) {
    await promises(`${what} lets a make answer but not keep`, async (t, store) => {
      await store.set(KEY, Buffer.from('before'), LONG);
      const { make, finish, begun } = held(store, KEY, 'made');
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
        const before = held(store, KEY, 'old');
        const after = held(store, KEY, 'new');
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
      const makes = [held(store, KEY, 'first'), held(store, KEY, 'second')];
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
      const { make, finish, begun } = held(store, KEY, 'made');
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
    const { make, finish, begun } = held(store, KEY, 'made');
    const asked = store.collapse(KEY, make);
    await begun();
    await store.set('preview kept', Buffer.from('value'), LONG);
    t.equal(await store.purge('preview '), 1);
    finish();
    await asked;
  });

  await promises('a make that is not meant keeps and is joined', async (t, store) => {
    const { make, finish, begun } = held(store, KEY, 'made');
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

  await promises('a make whose key is purged still keeps other keys', async (t, store) => {
    const { make, begun, finish } = held(store, 'other', 'made');
    const asked = store.collapse(KEY, make);
    await begun();
    await store.purge(KEY);
    finish();
    await asked;
    t.equal(String(await store.get('other')), 'made');
  });
}
