/** What came most often in the last hour. */
import { type Counted, type TopList, topList } from './top-list.ts';

/** A list that forgets what is older than an hour. */
export interface LastHour {
  add(name: string, now: number): void;
  /** The most frequent, that one first. */
  top(now: number): Counted[];
}

/** Milliseconds of one part of the hour, which is forgotten as a whole. */
const PART = 600_000;
const PARTS = 6;

/** Names that are remembered of each part, and those that are told. */
const REMEMBERED = 100;
const TOLD = 20;

/** Makes such a list. It tells of fifty to sixty minutes. */
export function lastHour(): LastHour {
  const parts = new Map<number, TopList>();
  const forget = (part: number) => {
    for (const each of parts.keys()) if (each > part || each <= part - PARTS) parts.delete(each);
  };

  return {
    add: (name, now) => {
      const part = Math.floor(now / PART);
      let list = parts.get(part);
      if (!list) {
        forget(part);
        list = topList(REMEMBERED);
        parts.set(part, list);
      }
      list.add(name);
    },
    top: (now) => {
      forget(Math.floor(now / PART));
      const sums = new Map<string, number>();
      for (const list of parts.values())
        for (const { name, count } of list.all()) sums.set(name, (sums.get(name) ?? 0) + count);
      return Array.from(sums, ([name, count]) => ({ name, count }))
        .sort((one, other) => other.count - one.count || (one.name < other.name ? -1 : 1))
        .slice(0, TOLD);
    },
  };
}
