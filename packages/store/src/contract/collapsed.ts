/** What a store promises about `collapse`: one make for all who ask. */
import { held, KEY, nobody } from './held.ts';
import { LONG, type Promises } from './promises.ts';

/** Tests the promises about `collapse` that have nothing to do with forgetting. */
export async function collapsed(promises: Promises): Promise<void> {
  await sharing(promises);
  await keeping(promises);
}

async function sharing(promises: Promises): Promise<void> {
  await promises('collapse makes once for 1,000 who ask meanwhile', async (t, store) => {
    const { make, finish, begun } = held('made');
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
      store.collapse(key, async (keep) => {
        if (++begun === keys.length) all.resolve();
        await all.promise;
        await keep(Buffer.from(`kept ${key}`), LONG);
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
    const { make, finish, begun } = held('fresh');
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
