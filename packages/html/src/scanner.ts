/** Finds tags and the end of the head in HTML that streams in. */
import type { Attribute } from './attribute.ts';
import type { Doubt, ScannerEvents } from './events.ts';
import { scriptData } from './script-data.ts';
import { STATE, tokenizer } from './tokenizer.ts';
import { isHeadEnd, isOfHead, tree } from './tree.ts';

/** Bytes that one tag may have if it is reported, and the name of any tag. */
const MAX_TAG = 65_536;

/** Bytes that are made into a string at once, so that a big buffer doesn't become a big string. */
const SEGMENT = 65_536;

/** More than the longest end tag of an element that holds text, up to its name's end. */
const TAIL = 12;

const NOSCRIPT_END = Buffer.from('</noscript');

/** What a scanner is for. */
export interface ScannerOptions {
  /** Names of the tags to report, in lower case. Default: all. Each costs time and memory. */
  readonly tags?: ReadonlySet<string>;
}

/** A scanner at work on one page. */
export interface Scanner {
  /** Reads the next bytes of the page and calls the events they complete. Keeps none of `chunk`. */
  write(chunk: Buffer): void;
  /** Ends the page. */
  end(): void;
  /** Makes the scanner deaf: no event comes after it, and `write` costs nothing. */
  stop(): void;
  /**
   * Offset of the first byte that a later event may speak of. Bytes before it may be let go. It is
   * at most 64 KiB behind what was written. Moves when `write` returns, not during events.
   */
  readonly pending: number;
}

/**
 * Makes a scanner for one page, in UTF-8 or any other encoding that has ASCII in it (not UTF-16,
 * not ISO-2022-JP). Sees what browsers see, which run scripts: what `noscript` holds is text.
 */
export function scanner(events: ScannerEvents, { tags }: ScannerOptions = {}): Scanner {
  const { onOpenTag, onCloseTag, onHeadEnd, onDoubt } = events;
  const document = tree();
  const page = window();
  const script = scriptData();

  let beginning: string | undefined = '';
  let isOver = false;
  let pending = 0;

  /** The start tag that is being read, or was last; its attributes only if it will be reported. */
  let openName = '';
  let openStart = 0;
  let isForeign = false;
  let attributes: Attribute[] | undefined;
  let attributeName = '';
  let value = '';
  let valueStart = -1;
  let valueEnd = 0;

  /** The end tag whose `>` is still to come. */
  let closing: { readonly name: string; readonly start: number } | undefined;

  /** The element whose text is being read up to its end tag, and where that text begins. */
  let textOf = '';
  let textStart = 0;

  const isReported = (name: string) => tags === undefined || tags.has(name);

  const html = tokenizer(
    {
      ontext(start, end) {
        if (textOf !== '' || !document.isHead || isOver) return;
        // Text is told part by part, except for a `<` that turned out to begin no tag.
        if (start < page.start) return leaveHead(start);
        const from = Math.max(start, textStart);
        const index = page.slice(from, end).search(NOT_SPACE);
        if (index >= 0) leaveHead(from + index);
      },
      onopentagname(start, end) {
        if (isOver) return;
        if (end - start >= MAX_TAG) return doubt('tag-too-long');
        openName = toAsciiLowerCase(page.slice(start, end));
        openStart = start - 1;
        isForeign = document.isForeign;
        if (document.isHead && !isOfHead(openName)) leaveHead(openStart);
        const reason = document.open(openName);
        if (reason !== undefined) return doubt(reason);
        if (onOpenTag !== undefined && isReported(openName) && !isOver) attributes = [];
      },
      onattribname(start, end) {
        if (attributes === undefined) return;
        attributeName = toAsciiLowerCase(page.slice(start, end));
        value = '';
        valueStart = -1;
        valueEnd = end;
      },
      onattribdata(start, end) {
        if (attributes === undefined) return;
        if (valueStart < 0) valueStart = start;
        value += page.slice(start, end);
        valueEnd = end;
      },
      onattribend() {
        if (attributes === undefined) return;
        const start = valueStart < 0 ? valueEnd : valueStart;
        attributes.push({ name: attributeName, value, start, end: valueEnd });
      },
      onopentagend: (end) => endOpenTag(end + 1, false),
      // The tokenizer takes `/ >` for `/>`.
      onselfclosingtag: (end) => endOpenTag(end + 1, page.at(end - 1) === SLASH),
      onclosetag(start, end) {
        if (isOver) return;
        if (end - start >= MAX_TAG) return doubt('tag-too-long');
        const name = textOf === '' ? toAsciiLowerCase(page.slice(start, end)) : textOf;
        const opening = start - 2;
        if (document.isHead && isHeadEnd(name)) leaveHead(opening);
        const reason = textOf === '' ? document.close(name) : endText(opening);
        if (reason !== undefined) return doubt(reason);
        closing = { name, start: opening };
        readEndTag(end);
      },
      oncdata() {
        if (!document.isForeign) doubt('cdata');
      },
    },
    { decodeEntities: false },
  );

  function endOpenTag(end: number, isSelfClosing: boolean): void {
    if (isOver) return;
    if (document.enter(openName, isSelfClosing)) {
      textOf = openName;
      textStart = end;
      if (textOf === 'noscript') {
        html.isSpecial = true;
        html.currentSequence = NOSCRIPT_END;
      }
    }
    if (attributes === undefined) return;
    if (end - openStart > MAX_TAG) return doubt('tag-too-long');
    const tag = { name: openName, start: openStart, end, attributes, isSelfClosing, isForeign };
    attributes = undefined;
    onOpenTag?.(tag);
  }

  /** Ends the text of a script, title and the like before the end tag at `offset`. */
  function endText(offset: number): Doubt | undefined {
    if (textOf === 'script') {
      script.read(page.slice(Math.max(textStart, page.start), offset));
      if (script.end()) return 'escaped-script';
    }
    textOf = '';
    // The tokenizer ignores a bit that tells these two from control characters.
    return page.slice(offset, offset + 2) === '</' ? undefined : 'control-character';
  }

  /** Reads the end tag's rest, which the tokenizer skips without a word, from `offset` on. */
  function readEndTag(offset: number): void {
    if (closing === undefined) return;
    const index = page.at(offset) === GREATER ? offset : page.find('>', offset);
    const rest = page.slice(offset, index < 0 ? page.end : index);
    if (rest.includes('"') || rest.includes("'")) return doubt('end-tag-attribute');
    if (index < 0) return;
    const { name, start } = closing;
    closing = undefined;
    if (onCloseTag === undefined || !isReported(name)) return;
    if (index + 1 - start > MAX_TAG) return doubt('tag-too-long');
    onCloseTag({ name, start, end: index + 1 });
  }
