/** A bound for hosts: where none is configured, a client can name any. */

/**
 * Remembers at most `limit` hosts. Gives the function that takes each host as it is used; the one
 * that was used least recently is handed to `forget` when there are too many.
 */
export function hostLimit(limit: number, forget: (host: string) => void): (host: string) => void {
  const used = new Set<string>();
  return (host) => {
    used.delete(host);
    used.add(host);
    if (used.size <= limit) return;
    const [oldest = ''] = used;
    used.delete(oldest);
    forget(oldest);
  };
}
