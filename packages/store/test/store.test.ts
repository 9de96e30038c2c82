import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Keep } from '@headgate/core';
import { type MemoryStore, memoryStore, namespaced } from '@headgate/store';
import { storeContract } from '@headgate/store/testing';
import t from 'tap';

const LONG = 60_000;

/** A clock that stands still until it is moved. */
function heldClock(start: number) {
  let time = start;
  return {
    now: () => time,
    advance: (ms: number) => {
      time += ms;
    },
  };
}

t.test('memoryStore keeps the contract', (t) => storeContract(t, () => memoryStore()));

for (const start of [0, -1000, Date.now()]) {
  const { now, advance } = heldClock(start);
  t.test(`memoryStore keeps the contract, by a clock that begins at ${start}`, (t) =>
    storeContract(t, () => memoryStore({ now }), { advance }),
  );
}

t.test('namespaced keeps the contract', async (t) => {
  const { now, advance } = heldClock(0);
  const makeStore = async () => {
    const shared = memoryStore({ now });
    // Neighbours that the contract's keys and prefixes must not reach, nor count.
    await shared.set('preview GET https://site.example/@alice/1', Buffer.from('root'), LONG);
    await namespaced(shared, 'mastodo').set('a', Buffer.from('neighbour'), LONG);
    await namespaced(shared, 'mastodon2').set('a', Buffer.from('neighbour'), LONG);
    return namespaced(shared, 'mastodon');
  };
  await storeContract(t, makeStore, { advance });
});

t.test('memoryStore stays within maxBytes and keeps what is used', async (t) => {
  const maxBytes = 8 * 1024 * 1024;
  const store = memoryStore({ maxBytes });
  const used = Array.from({ length: 10 }, (_, i) => `used ${i}`);
  for (const key of used) await store.set(key, Buffer.alloc(1000), LONG);

  let most = 0;
  for (let i = 0; i < 100_000; i++) {
    await store.set(`key ${i}`, Buffer.alloc(i % 2000), LONG);
    if (i % 100 === 0) for (const key of used) await store.get(key);
    most = Math.max(most, store.bytes);
  }
  t.ok(most <= maxBytes, 'never over it');
  t.ok(store.bytes > maxBytes - 3000, 'and near it');
  for (const key of used) t.equal((await store.get(key))?.length, 1000, `${key} survives`);
  t.equal((await store.get('key 99999'))?.length, 1999, 'the last one is kept');
  t.equal(await store.get('key 0'), undefined, 'the first one had to go');

  let bytes = 0;
  let size = 0;
  for (const key of [...used, ...Array.from({ length: 100_000 }, (_, i) => `key ${i}`)]) {
    const value = await store.get(key);
    if (value === undefined) continue;
    bytes += key.length + value.length;
    size++;
  }
  t.equal(store.size, size);
  t.equal(store.bytes, bytes + 600 * size, 'counts key, value and 600 for each entry');
  t.equal(store.maxBytes, maxBytes);

  const evictions = used.length + 100_000 - size;
  t.equal(store.evictions, evictions, 'counts what had to go');
  await store.set(used[0] as string, Buffer.alloc(1), LONG);
  await store.delete(used[1] as string);
  await store.purge('');
  t.equal(store.evictions, evictions, 'and not what was replaced or forgotten');
});

t.test('memoryStore needs no more memory than it counts', async (t) => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const memory = async () => {
    for (let i = 0; i < 3; i++) {
      gc();
      await new Promise(setImmediate);
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const page = Buffer.alloc(2000, 'x');
  const before = await memory();
  const store = memoryStore({ maxBytes: 1024 * 1024 * 1024 });
  for (let i = 0; i < 30_000; i++) {
    // As they come: a key cut from a longer target, a value cut from a larger chunk.
    const target = `preview GET https://site.example/@alice/${i}?${page.toString('latin1')}`;
    const chunk = Buffer.allocUnsafeSlow(4000);
    await store.set(target.slice(0, target.indexOf('?')), chunk.subarray(0, 100), LONG);
  }
  const grown = (await memory()) - before;
  t.equal(store.size, 30_000);
  t.ok(grown < store.bytes, `${grown} bytes of memory for ${store.bytes} counted`);
  t.ok(grown > store.bytes / 3, 'and does not count several times as much');
});

t.test('memoryStore holds on to no key of what it let go', async (t) => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const store = memoryStore({ maxBytes: 100_000 });
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 10_000; i++) await store.set(`${i} `.padEnd(2_000), Buffer.alloc(1), LONG);
  gc();
  const grown = process.memoryUsage().heapUsed - before;
  t.ok(grown < 5_000_000, `${grown} bytes`);
  t.ok(store.evictions > 9_000);
});

t.test('memoryStore knows its keys, however they came and went', async (t) => {
  const { now, advance } = heldClock(0);
  const store = memoryStore({ maxBytes: 10_000, now });
  await store.set('a', Buffer.alloc(10), 100);
  await store.set('a', Buffer.alloc(20), 100);
  t.equal(await store.purge('a'), 1, 'replaced: once');
  t.equal(await store.purge('a'), 0, 'purged');
  await store.set('a', Buffer.alloc(10), 100);
  await store.set('a', Buffer.alloc(20_000), 100);
  t.equal(await store.purge('a'), 0, 'too large in the end');
  await store.set('a', Buffer.alloc(10), 100);
  advance(200);
  t.equal(await store.get('a'), undefined);
  await store.set('a', Buffer.alloc(10), 100);
  t.equal(await store.purge('a'), 1, 'expired, and there again');
  await store.set('a', Buffer.alloc(10), 100);
  for (let i = 0; i < 50; i++) await store.set(`b ${i}`, Buffer.alloc(1_000), 100);
  t.equal(await store.purge('a'), 0, 'gone for others');
  t.equal(await store.purge('b'), 6);
  t.equal(store.size, 0);
});

t.test('memoryStore counts two bytes a character for keys beyond latin1', async (t) => {
  for (const [key, bytes] of [
    ['caf\u00e9', 4],
    ['例え', 4],
    ['a🦣', 6],
    ['\ud800', 2],
  ] as const) {
    const store = memoryStore();
    await store.set(key, Buffer.alloc(10), LONG);
    t.equal(store.bytes, 600 + 10 + bytes, key);
    t.ok(await store.get(key), key);
    t.equal(await store.get('\ufffd'), undefined);
  }
});

t.test('memoryStore gives the same Buffer each time', async (t) => {
  const store = memoryStore();
  const own = Buffer.allocUnsafeSlow(100);
  await store.set('own', own, LONG);
  t.equal(await store.get('own'), own, 'the one that was set');
  await store.set('part', own.subarray(10, 20), LONG);
  t.equal(await store.get('part'), await store.get('part'));
});

t.test('memoryStore holds on to no larger ArrayBuffer', async (t) => {
  const store = memoryStore();
  const large = Buffer.allocUnsafeSlow(1024 * 1024).fill('large');
  for (const [what, value] of [
    ['the pool', Buffer.from('small')],
    ['the beginning of a chunk', large.subarray(0, 5)],
    ['the end of a chunk', large.subarray(-5)],
    ['nothing of a chunk', large.subarray(3, 3)],
  ] as const) {
    await store.set(what, value, LONG);
    const got = await store.get(what);
    t.ok(got?.equals(value), `${what}: the same bytes`);
    t.equal(got?.buffer.byteLength, value.length, `${what}: and no more of them`);
  }
});

t.test('memoryStore does not keep what is larger than itself', async (t) => {
  const store = memoryStore({ maxBytes: 2000 });
  await store.set('small', Buffer.alloc(100), LONG);
  await store.set('key', Buffer.alloc(100), LONG);
  await store.set('key', Buffer.alloc(2001 - 600 - 3), LONG);
  t.equal(await store.get('key'), undefined, 'nor what it should have replaced');
  t.ok(await store.get('small'), 'and drops nothing else for it');
  await store.set('key', Buffer.alloc(2000 - 600 - 3), LONG);
  t.ok(await store.get('key'), 'but what just fits');
  t.equal(store.bytes, 2000);
});

t.test('memoryStore keeps nothing for a ttl that is no number, all for Infinity', async (t) => {
  const { now, advance } = heldClock(0);
  const store = memoryStore({ now });
  await store.set('key', Buffer.from('value'), Number.NaN);
  t.equal(await store.get('key'), undefined);
  await store.set('key', Buffer.from('value'), Number.POSITIVE_INFINITY);
  advance(1e12);
  t.ok(await store.get('key'));
});

t.test('memoryStore keeps to the last millisecond of the ttl', async (t) => {
  const { now, advance } = heldClock(0);
  const store = memoryStore({ now });
  await store.set('key', Buffer.from('value'), 1000);
  advance(1000);
  t.ok(await store.get('key'));
  advance(1);
  t.equal(await store.get('key'), undefined);
});

t.test('memoryStore counts and purges no key that expired', async (t) => {
  const { now, advance } = heldClock(0);
  const store = memoryStore({ now });
  for (const key of ['a 1', 'a 2', 'b 1']) await store.set(key, Buffer.alloc(1), 1000);
  advance(1001);
  await store.set('a 3', Buffer.alloc(1), 1000);
  t.equal(store.size, 4);
  t.equal(await store.purge('a '), 1);
  await store.set('a 4', Buffer.alloc(1), 1000);
  t.equal(await store.purge(''), 1);
  t.equal(store.size, 0, "purge('') drops what expired too");
});

t.test('memoryStore knows a make that forgets its own key at once', async (t) => {
  const store = memoryStore();
  const value = Buffer.from('value');
  let inner: Promise<Buffer> | undefined;
  const outer = store.collapse('key', (keep) => {
    void store.purge('');
    inner = store.collapse('key', async () => Buffer.from('inner'));
    return keep(value, LONG).then(() => value);
  });
  t.equal(String(await outer), 'value');
  t.equal(String(await inner), 'inner', 'a make of its own');
  t.equal(await store.get('key'), undefined);
});

t.test('close empties a memoryStore and stops what is being made for it', async (t) => {
  const store: MemoryStore = memoryStore();
  await store.set('key', Buffer.from('value'), LONG);
  const gate = Promise.withResolvers<void>();
  const asked = store.collapse('made', async (keep) => {
    await gate.promise;
    await keep(Buffer.from('made'), LONG);
    return Buffer.from('made');
  });
  await store.close();
  gate.resolve();
  t.equal(String(await asked), 'made');
  t.equal(store.size, 0);
  t.equal(store.bytes, 0);
});

t.test('memoryStore throws on wrong options', async (t) => {
  for (const maxBytes of [0, -1, 600, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '64mb'])
    t.throws(() => memoryStore({ maxBytes: maxBytes as number }), {
      name: 'TypeError',
      message: `memoryStore: maxBytes must be a whole number of bytes over 600, such as 64 * 1024 * 1024, got ${maxBytes}`,
    });
  t.throws(() => memoryStore({ now: 5 as unknown as () => number }), {
    name: 'TypeError',
    message:
      'memoryStore: now must be a function that gives milliseconds, such as () => performance.now(), got 5',
  });
  t.equal(memoryStore().maxBytes, 67_108_864);
  t.equal(memoryStore({ maxBytes: 601 }).maxBytes, 601);
});

t.test('namespaced keeps names apart in one store', async (t) => {
  const shared = memoryStore();
  const [a, ab, inner] = [
    namespaced(shared, 'a'),
    namespaced(shared, 'ab'),
    namespaced(namespaced(shared, 'a'), 'b'),
  ];
  for (const [name, store] of Object.entries({ shared, a, ab, inner }))
    await store.set('key', Buffer.from(name), LONG);

  t.equal(String(await shared.get('a key')), 'a', 'under readable keys');
  t.equal(String(await shared.get('a b key')), 'inner');
  t.equal(await inner.purge(''), 1);
  t.equal(await a.purge(''), 1);
  t.equal(String(await ab.get('key')), 'ab');
  t.equal(String(await shared.get('key')), 'shared');
});

t.test('namespaced collapses and purges in its own name only', async (t) => {
  const shared = memoryStore();
  const [a, b] = [namespaced(shared, 'a'), namespaced(shared, 'b')];
  const gate = Promise.withResolvers<void>();
  const make = (text: string) => async (keep: Keep) => {
    await gate.promise;
    await keep(Buffer.from(text), LONG);
    return Buffer.from(text);
  };
  const asked = [a.collapse('key', make('a')), b.collapse('key', make('b'))];
  await a.purge('');
  gate.resolve();
  t.same((await Promise.all(asked)).map(String), ['a', 'b']);
  t.equal(await a.get('key'), undefined);
  t.equal(String(await b.get('key')), 'b');
});

t.test('close of a namespace leaves the shared store as it is', async (t) => {
  const shared = memoryStore();
  const store = namespaced(shared, 'a');
  await store.set('key', Buffer.from('value'), LONG);
  await store.close();
  t.equal(String(await store.get('key')), 'value');
});

t.test('namespaced throws on a name that would not stay apart', async (t) => {
  for (const name of ['', ' ', 'a b', 'a ', undefined])
    t.throws(() => namespaced(memoryStore(), name as string), {
      name: 'TypeError',
      message: `namespaced: name must be a string of at least one character and no space (a space ends it in the keys), such as "example.social", got ${JSON.stringify(name)}`,
    });
});
