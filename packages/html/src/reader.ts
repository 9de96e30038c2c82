/** Reads a page part by part: what the tokenizer sees, as far as a browser would see it too. */
import { toAsciiLowerCase } from './ascii.ts';
import { attributeList } from './attribute-list.ts';
import type { Doubt, ScannerEvents } from './events.ts';
import { excerpt } from './excerpt.ts';
import { scriptData } from './script-data.ts';
import {
  beginNoscript,
  danglingBracket,
  isInCdata,
  tokenizer,
  unfinishedAttributeName,
  unnamedTag,
} from './tokenizer.ts';
import { isHeadEnd, isOfHead, tree } from './tree.ts';

/** Bytes that a tag may have if it is reported, and the name of any tag. */
const MAX_TAG = 65_536;

/** More than the longest end tag that can end a text (`</noscript`, before what follows the name). */
const TAIL = 12;

const NOT_SPACE = /[^\t\n\f\r ]/;
const SLASH = 0x2f;
const GREATER_THAN = 0x3e;

/** A page that is being read. Offsets count bytes from its beginning. */
export interface Reader {
  /** True after `end`, `stop` or a doubt: no event comes any more. */
  readonly isOver: boolean;
  /** Offset of the first byte that a later event may speak of. */
  readonly pending: number;
  /** Reads the next part, in latin1. */
  read(part: string): void;
  /** Takes what was read for the whole page. */
  end(): void;
  stop(): void;
  /** Stops and tells why. */
  doubt(reason: Doubt): void;
}

/** Begins to read a page, of whose tags those with a name that `isReported` likes are reported. */
export function reader(events: ScannerEvents, isReported: (name: string) => boolean): Reader {
  const { onOpenTag, onCloseTag, onHeadEnd, onDoubt } = events;
  const page = excerpt();
  const document = tree();
  const attributes = attributeList(page);
  const script = scriptData();
  let isOver = false;
  let pending = 0;
  let keepFrom = 0;

  /** The start tag that is being read, or was last. */
  let name = '';
  let start = 0;
  let isForeign = false;

  /** The element whose text is being read, up to its end tag, and where that text begins. */
  let textOf = '';
  let textStart = 0;

  /** The end tag whose `>` is still to come. */
  let closing: { readonly name: string; readonly start: number } | undefined;

  const html = tokenizer({
    ontext(from, to) {
      if (textOf !== '' || !document.isHead || isOver) return;
      const index = page.slice(from, to).search(NOT_SPACE);
      if (index >= 0) leaveHead(from + index);
    },
    onopentagname(from, to) {
      if (isOver) return;
      start = from - '<'.length;
      if (to - start > MAX_TAG) return doubt('tag-too-long');
      name = toAsciiLowerCase(page.slice(from, to));
      isForeign = document.isForeign;
      if (document.isHead && !isOfHead(name)) leaveHead(start);
      const reason = document.open(name);
      if (reason !== undefined) doubt(reason);
      else if (onOpenTag !== undefined && isReported(name)) attributes.begin();
    },
    onattribname: attributes.onName,
    onattribdata: attributes.onValue,
    onattribend: attributes.onEnd,
    onopentagend: (at) => endOpenTag(at + 1, false),
    // The tokenizer takes `/ >` for `/>`.
    onselfclosingtag: (at) => endOpenTag(at + 1, page.at(at - 1) === SLASH),
    onclosetag(from, to) {
      if (isOver) return;
      const bracket = from - '</'.length;
      if (to - bracket > MAX_TAG) return doubt('tag-too-long');
      closing = { name: textOf || toAsciiLowerCase(page.slice(from, to)), start: bracket };
      if (document.isHead && isHeadEnd(closing.name)) leaveHead(bracket);
      const reason = textOf === '' ? document.close(closing.name) : endText(bracket);
      if (reason !== undefined) doubt(reason);
      else endCloseTag(to);
    },
    oncdata() {
      if (!document.hasCdata) doubt('cdata');
    },
    isInForeignContext: () => document.isForeign,
  });

  function endOpenTag(end: number, isSelfClosing: boolean) {
    if (isOver) return;
    if (document.enter(name, isSelfClosing)) {
      textOf = name;
      textStart = end;
      if (name === 'noscript') beginNoscript(html);
    }
    if (!attributes.isOpen) return;
    const tag = { name, start, end, attributes: attributes.take(), isSelfClosing, isForeign };
    if (end - start > MAX_TAG) doubt('tag-too-long');
    else onOpenTag?.(tag);
  }

  function endText(end: number): Doubt | undefined {
    if (textOf === 'script') readScript(end);
    textOf = '';
    return script.isTextAtEnd() ? 'escaped-script' : undefined;
  }

  function readScript(end: number) {
    const from = Math.max(textStart, page.start);
    if (from < end) script.read(page.slice(from, end));
  }

  /** Reads what is left of an end tag, of which the tokenizer says nothing. */
  function endCloseTag(from: number) {
    if (closing === undefined || isOver) return;
    const end = page.at(from) === GREATER_THAN ? from : page.find('>', from);
    const rest = page.slice(from, end < 0 ? page.end : end);
    if (rest.includes('"') || rest.includes("'")) return doubt('end-tag-attribute');
    if (end < 0) return;
    const tag = { name: closing.name, start: closing.start, end: end + 1 };
    closing = undefined;
    if (onCloseTag === undefined || !isReported(tag.name)) return;
    if (tag.end - tag.start > MAX_TAG) doubt('tag-too-long');
    else onCloseTag(tag);
  }

  /** After each part: finds out what of it is still needed, by later events and by ourselves. */
  function settle() {
    const { end } = page;
    if (textOf === 'script') readScript(end);
    if (isInCdata(html) && !document.hasCdata) return doubt('cdata');
    keepFrom = end - 1;
    pending = end;
    if (closing !== undefined) {
      if (isReported(closing.name)) pending = closing.start;
    } else if (attributes.isOpen) {
      pending = start;
      keepFrom = unfinishedAttributeName(html) ?? keepFrom;
    } else if (textOf !== '') {
      pending = Math.max(textStart, end - TAIL);
    } else {
      pending = unnamedTag(html) ?? end;
      keepFrom = Math.min(pending, keepFrom);
    }
    if (end - pending > MAX_TAG) doubt('tag-too-long');
  }

  function leaveHead(offset: number) {
    document.leaveHead();
    onHeadEnd?.(offset);
  }

  function doubt(reason: Doubt) {
    if (isOver) return;
    stop();
    onDoubt?.(reason);
  }

  function stop() {
    isOver = true;
    attributes.take();
    html.pause();
  }

  return {
    get isOver() {
      return isOver;
    },
    get pending() {
      return pending;
    },
    read(part) {
      page.turn(part, keepFrom);
      endCloseTag(page.start);
      // The tokenizer takes U+001C for `<` and U+000F for `/` where it looks for the end of a text.
      if (!isOver) html.write(part.replaceAll('\x1c', '\x01').replaceAll('\x0f', '\x01'));
      if (!isOver) settle();
    },
    end() {
      const bracket = danglingBracket(html);
      if (bracket !== undefined && document.isHead && !isOver) leaveHead(bracket);
      stop();
    },
    stop,
    doubt,
  };
}
