/** One store for many: each sees its own keys only. */
import type { CacheStore } from '@headgate/core';

/** Ends the name in a key, as it ends every part of Headgate's keys. */
const SEPARATOR = ' ';

/**
 * The part of `store` whose keys begin with `name` and a space, seen as a store of its own:
 * `purge('')` purges that part and no more. `close()` does nothing, since others use the store too;
 * whoever made the store closes it. Throws a `TypeError` when `name` is empty or contains a space.
 */
export function namespaced(store: CacheStore, name: string): CacheStore {
  if (typeof name !== 'string' || name === '' || name.includes(SEPARATOR))
    throw new TypeError(
      `namespaced: name must be a string of at least one character and no space (a space ends it in the keys), such as "example.social", got ${JSON.stringify(name)}`,
    );
  const prefix = name + SEPARATOR;

  return {
    get: (key) => store.get(prefix + key),
    set: (key, value, ttl) => store.set(prefix + key, value, ttl),
    delete: (key) => store.delete(prefix + key),
    purge: (part) => store.purge(prefix + part),
    collapse: (key, make) => store.collapse(prefix + key, make),
    close: async () => {},
  };
}
