/** What came most often, of more than anybody can remember. */

/** A name, and how often it came at least. */
export interface Counted {
  readonly name: string;
  readonly count: number;
}

/** Counts names in a place for so many. */
export interface TopList {
  /** Counts a name, and tells how often it came at least. */
  add(name: string): number;
  /** All that are remembered, in no order. */
  all(): Counted[];
}

/** Longer names are cut: strangers choose them. */
const MAX_NAME = 512;

/**
 * Makes a list that remembers `size` names. A new one takes the place of the rarest, and may have come as
 * often before (the Space-Saving algorithm of Metwally, Agrawal and El Abbadi): what comes in more than
 * one of `size` is never lost, and no count is told too high.
 */
export function topList(size: number): TopList {
  const seen = new Map<string, { total: number; doubt: number }>();

  const rarest = () => {
    let found = '';
    let least = Number.POSITIVE_INFINITY;
    for (const [name, { total }] of seen)
      if (total < least) {
        least = total;
        found = name;
      }
    return { name: found, total: least };
  };

  return {
    add: (long) => {
      const name = long.length > MAX_NAME ? cut(long) : long;
      let entry = seen.get(name);
      if (!entry) {
        entry = { total: 0, doubt: 0 };
        if (seen.size >= size) {
          const { name: gone, total } = rarest();
          seen.delete(gone);
          entry = { total, doubt: total };
        }
        seen.set(name, entry);
      }
      entry.total += 1;
      return entry.total - entry.doubt;
    },
    all: () => Array.from(seen, ([name, { total, doubt }]) => ({ name, count: total - doubt })),
  };
}

/** The beginning as a string of its own: what `slice` gives keeps the whole alive, up to 16 KiB. */
function cut(long: string): string {
  return Buffer.from(long.slice(0, MAX_NAME)).toString();
}
