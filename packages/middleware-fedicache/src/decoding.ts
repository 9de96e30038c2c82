/** Content codings (RFC 9110 section 8.4.1): what an origin sends coded, read while it streams. */
import { pipeline, Readable, type Transform } from 'node:stream';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';
import { field, type ProxyResponse, withBody, withFields } from '@headgate/core';
import { accepts } from './answer.ts';

const DECODERS: Readonly<Record<string, () => Transform>> = {
  br: createBrotliDecompress,
  deflate: createInflate,
  gzip: createGunzip,
  'x-gzip': createGunzip,
  zstd: createZstdDecompress,
};

/** A stream that decodes `coding`; nothing for one that isn't known, or for several. */
export function decoderOf(coding: string): Transform | undefined {
  const name = coding.trim().toLowerCase();
  return Object.hasOwn(DECODERS, name) ? DECODERS[name]?.() : undefined;
}

/** The response as one can read it who sent this Accept-Encoding: decoded, unless that names the coding. */
export function readable(response: ProxyResponse, accepted: string | undefined): ProxyResponse {
  const { headers, body } = response;
  const coding = field(headers, 'content-encoding') ?? 'identity';
  const decoder = accepts(accepted, coding.trim().toLowerCase()) ? undefined : decoderOf(coding);
  if (!decoder) return response;
  const source = body instanceof Readable ? body : Readable.from([body], { objectMode: false });
  pipeline(source, decoder, () => {}); // an error on one side destroys the other
  const decoded = withBody(response, decoder);
  return { ...decoded, headers: withFields(decoded.headers, { 'content-encoding': undefined }) };
}

/** Decodes a body part by part. */
export interface Decoding {
  /**
   * Resolves with what these bytes complete, at most `limit` bytes of it. When it gave that much, it
   * is over. Rejects when the bytes aren't in the coding.
   */
  decode(chunk: Buffer, limit: number): Promise<readonly Buffer[]>;
  /** What is left at the end. Rejects when the end is missing. */
  end(limit: number): Promise<readonly Buffer[]>;
  /** Lets go of its memory. */
  close(): void;
}

/** Begins to decode by `decoder`. A bomb is never unpacked beyond the limit that each step gives. */
export function decodingBy(decoder: Transform): Decoding {
  let parts: Buffer[] = [];
  let room = 0;
  let stop = () => {};
  decoder.on('data', (part: Buffer) => {
    parts.push(part.subarray(0, room));
    room -= part.length;
    if (room > 0) return;
    decoder.destroy();
    stop();
  });

  const step = (limit: number, run: (done: (error?: Error | null) => void) => void) => {
    parts = [];
    room = limit;
    return new Promise<readonly Buffer[]>((resolve, reject) => {
      stop = () => resolve(parts);
      decoder.once('error', reject);
      run((error) => {
        decoder.off('error', reject);
        if (error) reject(error);
        else resolve(parts);
      });
    });
  };
  decoder.on('error', () => {}); // between two steps nobody waits; the next one rejects
  return {
    decode: (chunk, limit) => step(limit, (done) => decoder.write(chunk, done)),
    end: (limit) => step(limit, (done) => decoder.once('end', done).end()),
    close: () => decoder.destroy(),
  };
}
