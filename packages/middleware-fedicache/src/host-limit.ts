/** A bound for hosts: where none is configured, a client can name any. */

/** Keys of a host that are remembered. With more, all that a store has must be looked through. */
const MAX_KEYS = 16;

/** How a host is forgotten: key by key, or whatever begins with its name, which takes longer. */
export interface Forgetting {
  readonly key: (key: string) => void;
  readonly host: (host: string) => void;
}

/**
 * Remembers at most `limit` hosts. Gives the function that takes each host and key as they are used;
 * the host that was used least recently is forgotten when there are too many. Who names a new host
 * each time costs no more than a key each time.
 */
export function hostLimit(limit: number, forget: Forgetting): (host: string, key: string) => void {
  const used = new Map<string, Set<string>>();
  let newest: string | undefined;
  return (host, key) => {
    const keys = used.get(host) ?? new Set();
    if (host !== newest) {
      used.delete(host);
      used.set(host, keys);
      newest = host;
    }
    if (keys.size <= MAX_KEYS) keys.add(key);
    if (used.size <= limit) return;
    const [[oldest, itsKeys] = [host, keys]] = used;
    used.delete(oldest);
    if (itsKeys.size > MAX_KEYS) forget.host(oldest);
    else for (const each of itsKeys) forget.key(each);
  };
}
