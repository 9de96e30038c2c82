/** Content codings (RFC 9110 section 8.4.1) by node:zlib. */
import { pipeline, Readable, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliCompress,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  zstdCompress,
} from 'node:zlib';
import type { Body } from '@headgate/core';

/** What node:zlib can do and clients ask for, the one that gives most for its cost first. */
export const CODINGS = ['zstd', 'br', 'gzip'] as const;

/** A content coding of `CODINGS`. */
export type Coding = (typeof CODINGS)[number];

/** One coding: of a body as it comes, and of bytes that are all there. */
interface Encoder {
  /** What is written comes out at once, however little it is: the origin may take its time. */
  readonly stream: () => Transform;
  readonly once: (bytes: Buffer) => Promise<Buffer>;
}

// Levels from which on more time gives hardly less to send.
const GZIP = { level: 4 };
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

const gzipOnce = promisify<Buffer, typeof GZIP, Buffer>(gzip);
const brotliOnce = promisify<Buffer, typeof BROTLI, Buffer>(brotliCompress);
const zstdOnce = promisify<Buffer, typeof ZSTD, Buffer>(zstdCompress);

const ENCODERS: Readonly<Record<Coding, Encoder>> = {
  gzip: {
    stream: () => createGzip({ ...GZIP, flush: constants.Z_SYNC_FLUSH }),
    once: (bytes) => gzipOnce(bytes, GZIP),
  },
  br: {
    stream: () => createBrotliCompress({ ...BROTLI, flush: constants.BROTLI_OPERATION_FLUSH }),
    once: (bytes) => brotliOnce(bytes, BROTLI),
  },
  zstd: {
    stream: () => createZstdCompress({ ...ZSTD, flush: constants.ZSTD_e_flush }),
    once: (bytes) => zstdOnce(bytes, ZSTD),
  },
};

/**
 * The body in a coding. A stream stays one: it breaks off if `body` does, or isn't as long as
 * `length` says, and whoever destroys it destroys `body`.
 */
export async function encode(
  body: Body,
  coding: Coding,
  length: number | undefined,
): Promise<Body> {
  const encoder = ENCODERS[coding];
  if (!(body instanceof Readable)) return encoder.once(body);
  const target = encoder.stream();
  if (length !== undefined) measure(body, length, target);
  pipeline(body, target, () => {});
  return target;
}

/** Destroys `target` if `body` comes to another length: once it is coded nobody else can tell. */
function measure(body: Readable, length: number, target: Transform): void {
  let count = 0;
  body.on('data', (chunk: Buffer) => {
    count += chunk.length;
  });
  body.once('end', () => {
    if (count !== length) target.destroy(new Error(`body ended after ${count} of ${length} bytes`));
  });
}
