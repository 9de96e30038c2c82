/** Reads a page while it streams in, judges whether it may be cut, and cuts it. */
import { isUtf8 } from 'node:buffer';
import { PassThrough, pipeline, Readable } from 'node:stream';
import { type Body, discard, HeadgateError } from '@headgate/core';
import { type Decoding, decoderOf, decodingBy } from './decoding.ts';
import { withNoscripts } from './noscript.ts';
import {
  type Found,
  lateHeadEnd,
  type Rendering,
  renderHead,
  renderMetadata,
} from './rendering.ts';
import { survivors } from './survivors.ts';

/** How a page is cut. Sizes in bytes. */
export interface TrimOptions {
  /** The head byte for byte, or only what fetchers read of it. */
  readonly keep: 'metadata' | 'head';
  /** How much of the page is read, as it comes and once it is decoded. */
  readonly maxScan: number;
  /** How large the result may be. */
  readonly maxPage: number;
  /** The body's Content-Encoding. Default `identity`. */
  readonly coding?: string;
}

/** A page in its small form. */
export interface Cut {
  readonly page: Buffer;
  /** Bytes of the page that were read, decoded. */
  readonly read: number;
  /** What of the page is missing for its size: its end, or survivors that were too much. */
  readonly limit?: 'maxScan' | 'maxPage';
  /** True when the body was cut by a deadline: it serves those who wait, and is not kept. */
  readonly isPartial: boolean;
}

/** A page that isn't cut: the body as it was given, and why. */
export interface Whole {
  readonly whole: Readable;
  readonly reason: string;
}

/**
 * Reads a page to its end or to `maxScan` bytes and cuts it. A page in a coding that isn't known, one
 * that isn't UTF-8, or that the scanner can't vouch for, comes back whole and unread. Rejects when
 * the body breaks off before that is decided, unless it does by `UPSTREAM_TIMEOUT` with its head
 * complete.
 */
export async function trim(body: Body, options: TrimOptions): Promise<Cut | Whole> {
  const { maxScan, coding = 'identity' } = options;
  const source = body instanceof Readable ? body : Readable.from([body], { objectMode: false });
  const isPlain = coding.trim().toLowerCase() === 'identity';
  const decoder = isPlain ? undefined : decoderOf(coding);
  if (!isPlain && !decoder) return { whole: source, reason: 'coding' };

  const found = survivors();
  /** As it came, and as it is read. */
  const received: Buffer[] = [];
  const decoded: Buffer[] = [];
  let held = 0;
  let read = 0;
  // A coding can take a lot to say nothing.
  const isFull = () => read >= maxScan || held >= maxScan;
  const take = (parts: readonly Buffer[]) => {
    for (const part of parts) {
      decoded.push(part);
      read += part.length;
      found.write(part);
    }
  };
  const decoding = decoder ? decodingBy(decoder) : PLAIN;
  let isOverdue = false;
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      received.push(chunk);
      held += chunk.length;
      take(await decoding.decode(chunk, maxScan - read));
      if (isFull() || found.isInDoubt) break;
    }
    if (source.readableEnded && !isFull()) take(await decoding.end(maxScan - read));
  } catch (error) {
    isOverdue = error instanceof HeadgateError && error.code === 'UPSTREAM_TIMEOUT';
    if (!isOverdue || found.headEnd === undefined) {
      discard(source);
      if (error instanceof HeadgateError || !(decoder?.errored || source.errored)) throw error;
      throw new HeadgateError('UPSTREAM_BROKEN', 'the page broke off', error);
    }
  } finally {
    decoding.close();
  }
  const isWhole = source.readableEnded && !isOverdue && !isFull();
  if (isWhole) found.end();

  const bytes = Buffer.concat(decoded, read);
  const pieces = found.isInDoubt ? undefined : withNoscripts(bytes, found.pieces);
  const isText = isCertainlyUtf8(isWhole ? bytes : withoutPartialCharacter(bytes));
  if (!(pieces && isText) && !isOverdue)
    return { whole: again(received, source), reason: pieces ? 'charset' : 'markup' };
  discard(source);
  if (!(pieces && isText)) throw new HeadgateError('UPSTREAM_TIMEOUT', 'the page took too long');
  const { root } = found;
  const headEnd = lateHeadEnd(bytes, { headEnd: found.headEnd, root, pieces });
  const { page, isShortened } = render(bytes, { headEnd, root, pieces }, options, isWhole);
  const limit = isShortened ? 'maxPage' : isFull() ? 'maxScan' : undefined;
  return { page, read, isPartial: isOverdue, ...(limit && { limit }) };
}

const PLAIN: Decoding = {
  decode: async (chunk, limit) => [chunk.subarray(0, limit)],
  end: async () => [],
  close: () => {},
};

function render(
  bytes: Buffer,
  found: Found,
  { keep, maxPage }: TrimOptions,
  isWhole: boolean,
): Rendering {
  const head = keep === 'head' ? renderHead(bytes, found, { isWhole, maxPage }) : undefined;
  return head ?? renderMetadata(bytes, found, maxPage);
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

/** The body as it was before it was looked at. Who drops it drops the origin, even a silent one. */
function again(received: readonly Buffer[], rest: Readable): Readable {
  const whole = new PassThrough();
  for (const chunk of received) whole.write(chunk);
  pipeline(rest, whole, () => {}); // an error on one side destroys the other
  return whole;
}
