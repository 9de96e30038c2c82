/** A page in its small form, put together from the bytes that survive. */
import type { Piece, Survivors } from './survivors.ts';

/**
 * Makes the charset plain: Mastodon believes byte statistics before any declaration, and four
 * characters beyond ASCII are what its detector needs to be certain of UTF-8.
 */
const CHARSET_SIGN = '<!--\u2691\u2691\u2691\u2691-->';
const HEAD = Buffer.from('<head>');
const BODY = Buffer.from(`</head><body>${CHARSET_SIGN}`);
const END = Buffer.from('</body></html>\n');
const NOSCRIPT = Buffer.from('<noscript>');
const NOSCRIPT_END = Buffer.from('</noscript>');

/** Bytes in which a doctype is looked for. */
const BEGINNING = 1024;

/**
 * A doctype, behind a byte order mark, space and comments at most. As latin1. A comment can end in one
 * place only: were there a choice, many of them would take for ever.
 */
const DOCTYPE = /^(\xef\xbb\xbf)?(?:[\t\n\f\r ]|<!--(?:(?!-->)[\s\S])*-->)*(<!doctype[^>]*>)/i;

/** What of a page is known when it is put together. */
export type Found = Pick<Survivors, 'headEnd' | 'root' | 'pieces'>;

/** The small form of a page, and whether something that survives was left out as too much. */
export interface Rendering {
  readonly page: Buffer;
  readonly isShortened: boolean;
}

/**
 * The page's head byte for byte, and what survives behind it. A page that is all head stays as it
 * is. Nothing if the head's end wasn't found, or if it becomes more than `maxPage` bytes.
 */
export function renderHead(
  bytes: Buffer,
  { headEnd, root, pieces }: Found,
  { isWhole, maxPage }: { readonly isWhole: boolean; readonly maxPage: number },
): Rendering | undefined {
  if (headEnd === undefined && !isWhole) return undefined;
  const all = root ? [root, ...pieces] : pieces; // a root's tag in the body counts too
  const behind = headEnd === undefined ? [] : all.filter(({ start }) => start >= headEnd);
  const page =
    headEnd === undefined
      ? bytes
      : Buffer.concat([bytes.subarray(0, headEnd), BODY, ...behind.map(bytesOf(bytes)), END]);
  return page.length > maxPage ? undefined : { page, isShortened: false };
}

/**
 * The page's doctype, its root's tag, and what survives, in the order of the page. Pieces with which
 * it would become more than `maxPage` bytes are left out.
 */
export function renderMetadata(
  bytes: Buffer,
  { headEnd = Number.POSITIVE_INFINITY, root, pieces }: Found,
  maxPage: number,
): Rendering {
  const [, mark = '', doctype = ''] = DOCTYPE.exec(bytes.toString('latin1', 0, BEGINNING)) ?? [];
  const top = Buffer.from(mark + doctype, 'latin1');
  const head = [top, bytes.subarray(root?.start ?? 0, root?.end ?? 0), HEAD];
  const body = [BODY];
  let size = [...head, BODY, END].reduce((sum, { length }) => sum + length, 0);
  let isShortened = false;
  for (const piece of pieces) {
    const part = bytesOf(bytes)(piece);
    if (size + part.length > maxPage) {
      isShortened = true;
      continue;
    }
    size += part.length;
    (piece.start < headEnd ? head : body).push(part);
  }
  return { page: Buffer.concat([...head, ...body, END]), isShortened };
}

/** What of a head may come behind its end tag. */
const LATE = /^<(?:base|link|meta|script|title)[\t\n\f\r />]/i;
const HEAD_END_TAG = /^<\/head[\t\n\f\r ]*>/i;

/**
 * Where the head ends that a browser makes of the page: what of a head comes right behind `</head>` is
 * put into it as well (HTML section 13.2.6.4.6).
 */
export function lateHeadEnd(bytes: Buffer, { headEnd, pieces }: Found): number | undefined {
  if (headEnd === undefined) return undefined;
  const [tag] = HEAD_END_TAG.exec(bytes.toString('latin1', headEnd, headEnd + BEGINNING)) ?? [];
  if (tag === undefined) return headEnd;
  let end = headEnd;
  let next = headEnd + tag.length;
  for (const piece of pieces) {
    if (piece.start < headEnd) continue;
    const isNext = /^[\t\n\f\r ]*$/.test(bytes.toString('latin1', next, piece.start));
    if (!isNext || !LATE.test(bytes.toString('latin1', piece.start, piece.start + 8))) break;
    end = piece.end;
    next = end;
  }
  return end;
}

/** The bytes of a piece. A noscript stays one, for those who take it for text. */
function bytesOf(bytes: Buffer): (piece: Piece) => Buffer {
  const bytesOfOne = ({ start, end, closing = '', inside }: Piece): Buffer => {
    if (inside) return Buffer.concat([NOSCRIPT, ...inside.map(bytesOfOne), NOSCRIPT_END]);
    const piece = bytes.subarray(start, end);
    return closing === '' ? piece : Buffer.concat([piece, Buffer.from(closing)]);
  };
  return bytesOfOne;
}
