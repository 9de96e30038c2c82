/** Where middleware keep bytes. The interface only; `@headgate/store` has the stores. */

/** `set` for the key that is being made, unless that was forgotten meanwhile or is made already. */
export type Keep = (value: Buffer, ttl: number) => Promise<void>;

/**
 * A store of bytes. It knows no HTTP and may forget anything at any time. Every method may reject;
 * whoever uses a store takes that as a miss. Times are milliseconds.
 *
 * Keys are readable (`preview GET https://host/path?query`), so that a prefix of them means
 * something. A value that `get` gave must not be changed; the same Buffer may be given again.
 */
export interface CacheStore {
  /** Who has values at hand answers at once: then a preview from memory needs no promise. */
  get(key: string): Promise<Buffer | undefined> | Buffer | undefined;
  /** Keeps `value` for at most `ttl` milliseconds. */
  set(key: string, value: Buffer, ttl: number): Promise<void>;
  delete(key: string): Promise<void>;
  /** Forgets every key that begins with `prefix` (`''`: all) and tells how many there were. */
  purge(prefix: string): Promise<number>;
  /**
   * Runs `make` once for all who ask for `key` while it is under way, and gives its result, or its
   * rejection, to all of them. What is kept already is not looked at. `make` keeps what it made by
   * the `keep` that it is given; when the key is deleted or purged meanwhile, what was made is still
   * answered, but that `keep` keeps nothing, and who asks next starts a new `make`.
   */
  collapse(key: string, make: (keep: Keep) => Promise<Buffer>): Promise<Buffer>;
  /** Lets go of connections and timers. What comes after it may reject. */
  close(): Promise<void>;
}
