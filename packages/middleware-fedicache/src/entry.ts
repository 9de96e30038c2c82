/** What is kept under a key, as one value of bytes, and back. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, crc32, gzip, zstdCompress } from 'node:zlib';
import { EMPTY, type Headers, withFields } from '@headgate/core';

/** A body in one coding. */
export interface Representation {
  readonly coding: string;
  readonly body: Buffer;
}

/** An answer that is kept: a cut page, a redirect, a 404, or for some seconds a failure. */
export interface Answer {
  readonly kind: 'answer';
  readonly status: number;
  readonly fields: Headers;
  /** When it was made, in milliseconds since the epoch. */
  readonly made: number;
  /** Milliseconds that it was old by then, as caches between us and the origin told. */
  readonly age?: number;
  /** Milliseconds from then on for which it is fresh. */
  readonly fresh: number;
  /** Whether it may be answered once it is stale. */
  readonly mayBeStale: boolean;
  /** The origin failed: it isn't asked again before, in milliseconds since the epoch. */
  readonly retryAt?: number;
  /** Bytes of the page that were read to cut it. */
  readonly read?: number;
  /** Names this body, without its coding. */
  readonly tag?: string;
  /** The smallest first. */
  readonly representations: readonly Representation[];
}

/** What is kept: an answer, or the knowledge that there is none to keep, and why. */
export type Entry = Answer | { readonly kind: 'uncacheable'; readonly reason: string };

/** Decoded once for each buffer, not once for each hit. */
const decoded = new WeakMap<Buffer, Entry>();

/** A window of 64 KiB, since most pages are smaller: a larger one costs four times the CPU. */
const BROTLI = {
  params: {
    [constants.BROTLI_PARAM_LGWIN]: 16,
    [constants.BROTLI_PARAM_QUALITY]: 9,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
  },
};

/** The page in every coding that makes it smaller, the smallest first, and a name for it. */
export async function represent(
  page: Buffer,
): Promise<Required<Pick<Answer, 'tag' | 'representations'>>> {
  const [gzipped, brotli, zstd] = await Promise.all([
    promisify(gzip)(page, { level: 9 }),
    promisify(brotliCompress)(page, BROTLI),
    promisify(zstdCompress)(page, { pledgedSrcSize: page.length }),
  ]);
  const identity = { coding: 'identity', body: page };
  const coded = [
    { coding: 'br', body: brotli },
    { coding: 'gzip', body: gzipped },
    { coding: 'zstd', body: zstd },
  ].filter(({ body }) => body.length < page.length);
  const representations = [identity, ...coded].sort((a, b) => a.body.length - b.body.length);
  const tag = createHash('sha256').update(page).digest('base64url').slice(0, 16);
  return { tag, representations };
}

/** The one representation of what has no body. */
export const NO_BODY: readonly Representation[] = [{ coding: 'identity', body: EMPTY }];

/** Bytes of the checksum. */
const SUM = 4;

/** An entry as bytes: a checksum of what follows, a line of JSON, then the bodies. */
export function encode(entry: Entry): Buffer {
  if (entry.kind === 'uncacheable') return seal([lineOf(entry)]);
  const { representations, ...head } = entry;
  const codings = representations.map(({ coding, body }) => [coding, body.length]);
  return seal([lineOf({ ...head, codings }), ...representations.map(({ body }) => body)]);
}

/** The entry in bytes that `encode` made; nothing if they are no such bytes, all of them and unharmed. */
export function decode(bytes: Buffer): Entry | undefined {
  const known = decoded.get(bytes);
  if (known) return known;
  if (bytes.length < SUM || bytes.readUInt32BE() !== crc32(bytes.subarray(SUM))) return undefined;
  const end = bytes.indexOf(0x0a, SUM) + 1;
  const { codings, ...head } = JSON.parse(bytes.toString('utf8', SUM, end));
  if (head.kind === 'uncacheable') return head;
  let at = end;
  const representations = codings.map(([coding, length]: [string, number]) => {
    at += length;
    return { coding, body: bytes.subarray(at - length, at) };
  });
  const entry: Entry = { ...head, fields: withFields({}, head.fields), representations };
  decoded.set(bytes, entry);
  return entry;
}

function lineOf(head: object): Buffer {
  return Buffer.from(`${JSON.stringify(head)}\n`);
}

function seal(parts: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(SUM), ...parts]);
  bytes.writeUInt32BE(crc32(bytes.subarray(SUM)));
  return bytes;
}
