/** What a store promises about what it keeps, and for how long. */
import { setTimeout as wait } from 'node:timers/promises';
import { KEYS, LONG, type Promises } from './promises.ts';

const TTL = 200;

const VALUES = [
  ['no bytes', Buffer.alloc(0)],
  ['every byte', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ['what is no UTF-8', Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0x00, 0x80])],
  ['line ends', Buffer.from('\r\n\0\n\r')],
  ['a part of a larger buffer', Buffer.from('before, middle, after').subarray(8, 14)],
  ['a mebibyte', Buffer.alloc(1024 * 1024, 'headgate')],
] as const;

/** Tests the promises about keys and bytes. */
export async function kept(promises: Promises): Promise<void> {
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

/** Tests the promises about ttl; `advance` makes so many milliseconds pass. */
export async function expired(
  promises: Promises,
  advance: ((ms: number) => void | Promise<void>) | undefined,
): Promise<void> {
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
