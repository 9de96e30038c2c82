/** The part of a page that is at hand while it streams by. */

/** The latest bytes of a page as latin1, under their offsets in the page. */
export interface Window {
  /** Offset of the first byte of the latest part. */
  readonly start: number;
  /** Offset after the last byte. */
  readonly end: number;
  /** Bytes from `start` to `end`. What is before the latest part must have been kept. */
  slice(start: number, end: number): string;
  /** The byte at an offset, under the same condition; NaN at `end`. */
  at(offset: number): number;
  /** Offset of the first byte like `character` from `offset` on, which is in the latest part, or -1. */
  find(character: string, offset: number): number;
  /** Keeps what is at hand from an offset on, and forgets all before. Then `slide` may follow. */
  keep(offset: number): void;
  /** Takes the part that follows as the latest. */
  slide(part: string): void;
}

/** Makes a window that stands before the page's first byte. */
export function window(): Window {
  let part = '';
  let start = 0;
  let kept = '';

  const slice = (from: number, to: number) =>
    from >= start
      ? part.slice(from - start, to - start)
      : (kept + part).slice(from - start + kept.length, to - start + kept.length);

  return {
    get start() {
      return start;
    },
    get end() {
      return start + part.length;
    },
    slice,
    at: (offset) =>
      offset >= start ? part.charCodeAt(offset - start) : kept.charCodeAt(offset - start + kept.length),
    find(character, offset) {
      const index = part.indexOf(character, offset - start);
      return index < 0 ? -1 : index + start;
    },
    keep(offset) {
      kept = slice(offset, start + part.length);
      start += part.length;
      part = '';
    },
    slide(next) {
      part = next;
    },
  };
}
