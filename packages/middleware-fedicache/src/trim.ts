/** What of a page survives: its head byte for byte, and behind it what fetchers look for in a body. */
import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { type Body, discard } from '@headgate/core';
import { attribute, type CloseTag, type OpenTag, scanner } from '@headgate/html';

/** How much is read, and how large the result may be. Bytes. */
export interface TrimLimits {
  readonly scan: number;
  readonly maxPage: number;
}

/** A page cut to what a preview needs, or, if it can't be, the whole body as it was given. */
export type Trimmed = { readonly page: Buffer } | { readonly whole: Readable };

/** The tags that say something to a fetcher wherever they stand. */
const TAGS = new Set(['a', 'area', 'link', 'meta', 'script', 'title']);

/**
 * Makes the charset plain: Mastodon believes byte statistics before any declaration, and four
 * characters beyond ASCII are what its detector needs to be certain of UTF-8.
 */
const CHARSET_SIGN = '<!--\u2691\u2691\u2691\u2691-->';

/**
 * Reads a page to its end or to `scan` bytes and cuts it. A page that isn't UTF-8, whose head has no
 * end within `scan`, that the scanner can't vouch for, or that stays larger than `maxPage`, comes
 * back whole and unread. Rejects when the body breaks off before it is judged.
 */
export async function trim(body: Body, { scan, maxPage }: TrimLimits): Promise<Trimmed> {
  const source = body instanceof Readable ? body : Readable.from([body], { objectMode: false });
  const survivors = collector();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of source.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    size += chunk.length;
    survivors.write(chunk);
    if (size >= scan || survivors.isInDoubt()) break;
  }
  if (source.readableEnded) survivors.end();

  const held = Buffer.concat(chunks, size);
  const page = survivors.isInDoubt() ? undefined : cut(held, survivors, source.readableEnded);
  if (page === undefined || page.length > maxPage) return { whole: again(held, source) };
  discard(source);
  return { page };
}

/** The places of what survives, found while the page streams by. */
function collector() {
  const ranges: (readonly [start: number, end: number] | string)[] = [];
  let headEnd: number | undefined;
  let isInDoubt = false;
  let open: OpenTag | undefined;

  const onOpenTag = (tag: OpenTag) => {
    if (headEnd === undefined || tag.isForeign) return;
    if (tag.name === 'meta' || tag.name === 'link') ranges.push([tag.start, tag.end]);
    else if (tag.name === 'title' || isLinkedData(tag)) open = tag;
    else if (isMe(tag)) ranges.push([tag.start, tag.end], tag.name === 'a' ? '</a>' : '');
  };
  const onCloseTag = ({ name, end }: CloseTag) => {
    if (open?.name !== name) return;
    ranges.push([open.start, end]);
    open = undefined;
  };
  const html = scanner(
    {
      onOpenTag,
      onCloseTag,
      onHeadEnd: (offset) => {
        headEnd = offset;
      },
      onDoubt: () => {
        isInDoubt = true;
      },
    },
    { tags: TAGS },
  );
  return {
    write: (chunk: Buffer) => html.write(chunk),
    end: () => html.end(),
    isInDoubt: () => isInDoubt,
    headEnd: () => headEnd,
    ranges,
  };
}

/** The page in its new form; nothing if it has none. */
function cut(
  held: Buffer,
  { headEnd, ranges }: ReturnType<typeof collector>,
  isWhole: boolean,
): Buffer | undefined {
  const end = headEnd();
  if (!isCertainlyUtf8(isWhole ? held : withoutPartialCharacter(held))) return undefined;
  if (end === undefined) return isWhole ? held : undefined;
  return Buffer.concat([
    held.subarray(0, end),
    Buffer.from(`</head><body>${CHARSET_SIGN}`),
    ...ranges.map((range) =>
      typeof range === 'string' ? Buffer.from(range) : held.subarray(...range),
    ),
    Buffer.from('</body></html>\n'),
  ]);
}

/**
 * True for UTF-8, ASCII too. UTF-16 and ISO-2022-JP can look like ASCII, but for the NULs of the one
 * and the escape characters of the other, which no page in UTF-8 has a use for.
 */
function isCertainlyUtf8(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0x00) && !bytes.includes(0x1b);
}

/** Drops the last bytes where the cut may have gone through a character (at most three). */
function withoutPartialCharacter(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes.length - end < 3 && ((bytes[end - 1] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, Math.max(0, end - 1));
}

/** The body as it was before it was looked at. */
function again(held: Buffer, rest: Readable): Readable {
  async function* all() {
    yield held;
    yield* rest;
  }
  const whole = Readable.from(all(), { objectMode: false });
  return whole.once('close', () => discard(rest));
}

function isLinkedData(tag: OpenTag): boolean {
  return tag.name === 'script' && attribute(tag, 'type') === 'application/ld+json';
}

/** True for a link that says "this is me": `me` among the tokens of rel, whatever their case. */
function isMe(tag: OpenTag): boolean {
  const rel = attribute(tag, 'rel')?.toLowerCase() ?? '';
  return rel.split(/[\t\n\f\r ]+/).includes('me');
}
