/** Notices when many ask for a preview of the same page at once. */
import { z } from 'zod';
import { type TopList, topList } from './top-list.ts';

const count = z.int().min(0);

/** A stampede. It doesn't say of which page: that may be nobody's business. */
export const stampedeSchema = z.strictObject({
  /** The minute in which it began, in milliseconds since the epoch. */
  at: count,
  previews: count,
  /** The most in a minute. */
  peak: count,
});

/** What is remembered of a stampede. */
export type Stampede = z.output<typeof stampedeSchema>;

/** Those of the last day. */
export interface Stampedes {
  /** Counts a preview of a page. */
  add(page: string, now: number): void;
  /** The oldest first. */
  all(now: number): readonly Stampede[];
}

/** Previews of one page in a minute of the clock that make a stampede. */
export const STAMPEDE = 100;

/** Stampedes that are remembered: more than anybody lives through in a day. */
export const MAX_STAMPEDES = 100;

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Pages that are counted in a minute; of more, those with the most previews. */
const PAGES = 64;

/** Makes what notices them, going on from those that are known. */
export function stampedes(kept: readonly Stampede[] = []): Stampedes {
  let known: Stampede[] = kept.map((stampede) => ({ ...stampede }));
  let minute = 0;
  let pages: TopList = topList(PAGES);
  const underWay = new Map<string, Stampede>();

  const forget = (now: number) => {
    known = known.filter(({ at }) => at <= now && at > now - DAY).slice(-MAX_STAMPEDES);
  };
  const begin = (next: number) => {
    const isNext = next === minute + MINUTE;
    const crowded = new Set(pages.all().flatMap((p) => (p.count >= STAMPEDE ? [p.name] : [])));
    for (const page of underWay.keys()) if (!isNext || !crowded.has(page)) underWay.delete(page);
    minute = next;
    pages = topList(PAGES);
    forget(next);
  };

  return {
    add: (page, now) => {
      const at = Math.floor(now / MINUTE) * MINUTE;
      if (at !== minute) begin(at);
      const previews = pages.add(page);
      const stampede = underWay.get(page);
      if (stampede) {
        stampede.previews += 1;
        stampede.peak = Math.max(stampede.peak, previews);
      } else if (previews === STAMPEDE) {
        const begun = { at, previews, peak: previews };
        underWay.set(page, begun);
        known.push(begun);
        forget(now);
      }
    },
    all: (now) => {
      forget(now);
      return known;
    },
  };
}
