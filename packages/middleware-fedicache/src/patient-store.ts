/** A store whose faults are misses: it may reject or hang, and nobody waits for it. */
import { type CacheStore, HeadgateError, type Keep } from '@headgate/core';

/** Milliseconds that a store may take to find a value. */
const PATIENCE = 100;

/** Milliseconds after which nobody waits to hear whether another machine makes what is missing. */
const PATIENCE_TO_MAKE = 1_000;

/** Milliseconds that a store may take to purge, for one who must know whether it has. */
const PATIENCE_TO_PURGE = 10_000;

/** What a store was asked when it failed. */
export type StoreFault = { readonly operation: string; readonly error: unknown };

/**
 * `store` for one who can't wait. `get`, `delete` and `purge` never reject and take at most
 * 100 ms. `collapse` rejects with what `make` does only; where the store doesn't even begin within a
 * second, what is missing is made in this process, once for all in it, and not kept.
 */
export function patient(
  store: CacheStore,
  onFault: (fault: StoreFault) => void,
): Omit<CacheStore, 'close' | 'set'> {
  /** What is being made in this process. */
  const making = new Map<string, Promise<Buffer>>();

  const soon = async <T>(operation: string, work: Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await within(PATIENCE, work);
    } catch (error) {
      onFault({ operation, error });
      return otherwise;
    }
  };

  const begin = (key: string, make: (keep: Keep) => Promise<Buffer>, keep: Keep) => {
    const made = make((value, ttl) => soon('set', keep(value, ttl), undefined));
    making.set(key, made);
    const forget = () => making.get(key) === made && making.delete(key);
    made.then(forget, forget);
    return made;
  };

  return {
    get(key) {
      try {
        const found = store.get(key);
        const isThere = found === undefined || Buffer.isBuffer(found);
        return isThere ? found : soon('get', found, undefined);
      } catch (error) {
        onFault({ operation: 'get', error });
        return undefined;
      }
    },
    delete: (key) => soon('delete', store.delete(key), undefined),
    purge: (prefix) => soon('purge', store.purge(prefix), 0),
    collapse(key, make) {
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
      let here: Promise<Buffer> | undefined;
      const goOn = (error: unknown) => {
        onFault({ operation: 'collapse', error });
        here ??= making.get(key) ?? begin(key, make, async () => {});
        resolve(here);
      };
      const timer = setTimeout(() => {
        const underWay = making.get(key);
        if (underWay) resolve(underWay);
        else goOn(new Error(`no answer within ${PATIENCE_TO_MAKE} ms`));
      }, PATIENCE_TO_MAKE);
      store
        .collapse(key, (keep) => {
          here ??= begin(key, make, keep);
          return here;
        })
        .then(resolve, (error) => (error instanceof HeadgateError ? reject(error) : goOn(error)))
        .finally(() => clearTimeout(timer));
      return promise;
    },
  };
}

/**
 * The part of `store` that purges, for one who must know whether it was done: it rejects with what the
 * store rejects with, and when that takes longer than ten seconds.
 */
export function certain(store: CacheStore): Pick<CacheStore, 'get' | 'delete' | 'purge'> {
  return {
    get: (key) => within(PATIENCE_TO_PURGE, Promise.resolve(store.get(key))),
    delete: (key) => within(PATIENCE_TO_PURGE, store.delete(key)),
    purge: (prefix) => within(PATIENCE_TO_PURGE, store.purge(prefix)),
  };
}

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`the store gave no answer within ${ms} ms`));
    const timer = setTimeout(late, ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
