/** Finds tags and the end of the head in HTML that streams in. */
import type { ScannerEvents } from './events.ts';
import { reader } from './reader.ts';

/** Bytes that become a string at once, so that a big buffer doesn't become a big string. */
const PART = 65_536;

const BYTE_ORDER_MARK = '\xef\xbb\xbf';
const UTF_16_MARKS = ['\xfe\xff', '\xff\xfe'];

/** What a scanner is for. */
export interface ScannerOptions {
  /** Names of the tags to report, in lower case. Default: all. */
  readonly tags?: ReadonlySet<string>;
}

/** A scanner at work on one page. */
export interface Scanner {
  /** Reads the page's next bytes, and calls the events that they complete. The chunk stays yours. */
  write(chunk: Buffer): void;
  /** Ends the page. */
  end(): void;
  /** Makes the scanner deaf: no event comes any more, and `write` costs nothing. */
  stop(): void;
  /**
   * Offset of the first byte that a later event may speak of; bytes before it may be let go. Never
   * more than 64 KiB behind what was written. During an event it is still at what `write` found.
   */
  readonly pending: number;
}

/**
 * Makes a scanner for one page, in UTF-8 or another encoding that ASCII is part of (so not UTF-16,
 * not ISO-2022-JP). It sees what a browser sees, where scripts run and `noscript` holds but text.
 */
export function scanner(events: ScannerEvents, { tags }: ScannerOptions = {}): Scanner {
  const page = reader(events, (name) => tags === undefined || tags.has(name));
  let written = 0;
  /** The page's first bytes, until there are enough to know a byte order mark. */
  let beginning: string | undefined = '';

  function begin(bytes: string) {
    beginning = undefined;
    if (UTF_16_MARKS.some((mark) => bytes.startsWith(mark))) page.doubt('utf-16');
    else if (!bytes.startsWith(BYTE_ORDER_MARK)) page.read(bytes);
    // It belongs to no text. Space does as little to a page that begins with it.
    else page.read(bytes.replace(BYTE_ORDER_MARK, '   '));
  }

  return {
    write(chunk) {
      written += chunk.length;
      for (let from = 0; from < chunk.length && !page.isOver; from += PART) {
        const part = chunk.toString('latin1', from, from + PART);
        if (beginning === undefined) page.read(part);
        else if (beginning.length + part.length < BYTE_ORDER_MARK.length) beginning += part;
        else begin(beginning + part);
      }
    },
    end() {
      if (beginning !== undefined && !page.isOver) begin(beginning);
      page.end();
    },
    stop: page.stop,
    get pending() {
      return page.isOver ? written : page.pending;
    },
  };
}
