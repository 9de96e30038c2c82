/** Entries as bytes, and a store that forgets, lies or hangs: the page is fetched once all the same. */
import { mock } from 'node:test';
import type { CacheStore, Keep } from '@headgate/core';
import { memoryStore } from '@headgate/store';
import t, { type Test } from 'tap';
import { type Answer, decode, encode, NO_BODY, represent } from '../src/entry.ts';
import { patient, type StoreFault } from '../src/patient-store.ts';

type Collapse = CacheStore['collapse'];
const never = () => new Promise<never>(() => {});
const unkept: Keep = async () => {};
const settle = () => new Promise((done) => setImmediate(done));

/** A patient store over one whose `collapse` is as given, call by call; the last for all that follow. */
function over(t: Test, ...ways: Collapse[]) {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const faults: StoreFault[] = [];
  let calls = 0;
  const collapse: Collapse = (key, make) => {
    const way = ways[Math.min(calls, ways.length - 1)] as Collapse;
    calls += 1;
    return way(key, make);
  };
  const store = patient({ ...memoryStore(), collapse }, (fault) => faults.push(fault));
  const makes: PromiseWithResolvers<Buffer>[] = [];
  const make = () => {
    const one = Promise.withResolvers<Buffer>();
    makes.push(one);
    return one.promise;
  };
  return { faults, makes, ask: () => store.collapse('key', make) };
}

t.test('a store that rejects or hangs is a miss, and is told of', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  const rejects = () => Promise.reject(new Error('no store'));
  for (const fails of [rejects, never]) {
    const faults: StoreFault[] = [];
    const broken = { ...memoryStore(), get: fails, delete: fails, purge: fails };
    const store = patient(broken, (fault) => faults.push(fault));
    const all = Promise.all([store.get('key'), store.delete('key'), store.purge('')]);
    mock.timers.tick(100);
    t.same(await all, [undefined, undefined, 0]);
    t.same(faults.map(({ operation }) => operation).sort(), ['delete', 'get', 'purge']);
  }
});

t.test('a store that answers at once is not waited for', async (t) => {
  const faults: StoreFault[] = [];
  const kept = Buffer.from('kept');
  const values: Record<string, () => Buffer | undefined> = {
    kept: () => kept,
    missing: () => undefined,
    broken: () => {
      throw new Error('no store');
    },
  };
  const get = (key: string) => values[key]?.();
  const store = patient({ ...memoryStore(), get }, (fault) => faults.push(fault));
  t.equal(store.get('kept'), kept);
  t.equal(store.get('missing'), undefined);
  t.equal(store.get('broken'), undefined);
  t.match(faults, [{ operation: 'get', error: { message: 'no store' } }]);
});

t.test('a store that loses what was made for it', async (t) => {
  const { ask, makes, faults } = over(t, async (_key, make) => {
    await make(unkept);
    throw new Error('lost');
  });
  const asked = ask();
  makes[0]?.resolve(Buffer.from('made'));
  t.equal(String(await asked), 'made');
  t.equal(makes.length, 1);
  t.match(faults, [{ operation: 'collapse', error: { message: 'lost' } }]);
});

t.test('a store that makes twice', async (t) => {
  const { ask, makes } = over(t, (_key, make) => {
    void make(unkept);
    return make(unkept);
  });
  const asked = ask();
  makes[0]?.resolve(Buffer.from('made'));
  t.equal(String(await asked), 'made');
  t.equal(makes.length, 1);
});

t.test('a store that hangs while the page is made here already', async (t) => {
  const { ask, makes, faults } = over(t, (_key, make) => make(unkept), never);
  const first = ask();
  const second = ask();
  mock.timers.tick(1_000);
  makes[0]?.resolve(Buffer.from('made'));
  t.same((await Promise.all([first, second])).map(String), ['made', 'made']);
  t.equal(makes.length, 1);
  t.same(faults, [], 'which is no fault of its');
});

t.test('an older make that ends says nothing of the newer', async (t) => {
  const { ask, makes } = over(
    t,
    (_key, make) => make(unkept),
    (_key, make) => make(unkept),
    never,
  );
  const [older, newer, hung] = [ask(), ask(), ask()];
  makes[0]?.resolve(Buffer.from('older'));
  t.equal(String(await older), 'older');
  await settle();
  mock.timers.tick(1_000);
  makes[1]?.resolve(Buffer.from('newer'));
  t.same((await Promise.all([newer, hung])).map(String), ['newer', 'newer']);
  t.equal(makes.length, 2);
});

t.test('a page has the codings that make it smaller', async (t) => {
  const codings = async (page: string) =>
    (await represent(Buffer.from(page))).representations.map(({ coding }) => coding);
  t.same(await codings('a'), ['identity']);
  t.same((await codings('a'.repeat(5_000))).toSorted(), ['br', 'gzip', 'identity', 'zstd']);
});

t.test('an entry is decoded once, and not at all when a byte of it has changed', async (t) => {
  const representations = [{ coding: 'identity', body: Buffer.from('page') }];
  const base = { kind: 'answer', status: 200, fields: {}, made: 1, fresh: 2 } as const;
  for (const answer of [
    { ...base, mayBeStale: true, representations },
    { ...base, mayBeStale: false, representations: NO_BODY },
  ] satisfies Answer[]) {
    const bytes = encode(answer);
    t.match(decode(bytes), answer);
    t.equal(decode(bytes), decode(bytes));
    for (let i = 0; i < bytes.length; i++) {
      const harmed = Buffer.from(bytes);
      harmed[i] = (harmed[i] ?? 0) ^ 1;
      t.equal(decode(harmed), undefined, `byte ${i}`);
      t.equal(decode(bytes.subarray(0, i)), undefined, `${i} bytes`);
    }
  }
});
