/** The part of a page that is at hand while the page streams by. */

/** The latest bytes of a page, as latin1, under their offsets in the page. */
export interface Excerpt {
  /** Offset of the latest part. */
  readonly start: number;
  /** Offset after it. */
  readonly end: number;
  /** Takes the next part as the latest. Of what was at hand, keeps the bytes from `keepFrom` on. */
  turn(part: string, keepFrom: number): void;
  /** Bytes from `from` to `to`. Those before the latest part must have been kept. */
  slice(from: number, to: number): string;
  /** The byte at an offset, under the same condition. NaN at `end`. */
  at(offset: number): number;
  /** Offset of the first such byte from `from` on, which is in the latest part. -1 if there is none. */
  find(character: string, from: number): number;
}

/** Makes an excerpt that has nothing yet. */
export function excerpt(): Excerpt {
  let kept = '';
  let part = '';
  let start = 0;

  function slice(from: number, to: number): string {
    if (from >= start) return part.slice(from - start, to - start);
    const keptFrom = start - kept.length;
    return (kept + part).slice(from - keptFrom, to - keptFrom);
  }

  return {
    get start() {
      return start;
    },
    get end() {
      return start + part.length;
    },
    turn(next, keepFrom) {
      const end = start + part.length;
      kept = slice(keepFrom, end);
      part = next;
      start = end;
    },
    slice,
    at: (offset) =>
      offset >= start
        ? part.charCodeAt(offset - start)
        : kept.charCodeAt(offset - start + kept.length),
    find(character, from) {
      const index = part.indexOf(character, from - start);
      return index < 0 ? -1 : index + start;
    },
  };
}
