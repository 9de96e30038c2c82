/** A kept answer as one value of bytes, and back. */
import { field, type Headers, type ProxyResponse, withFields } from '@headgate/core';

/** What is kept of a page: a cut page, or the knowledge that there is none to keep. */
export type Entry =
  | {
      readonly kind: 'page';
      readonly made: number;
      readonly fields: Headers;
      readonly body: Buffer;
    }
  | { readonly kind: 'uncacheable' };

/** The fields of a page that say something to a fetcher (Rating: Misskey's summaly reads it). */
const KEPT_FIELDS = ['content-type', 'content-language', 'link', 'rating', 'last-modified'];

/** Decoded once for each buffer, not once for each hit. */
const decoded = new WeakMap<Buffer, Entry>();

/** The entry for a page that was cut to `body` at the time `made`, milliseconds since the epoch. */
export function pageEntry({ headers }: ProxyResponse, body: Buffer, made: number): Entry {
  const kept = KEPT_FIELDS.map((name) => [name, field(headers, name)] as const);
  return { kind: 'page', made, fields: withFields({}, Object.fromEntries(kept)), body };
}

/** An entry as bytes: a line of JSON, then the body. */
export function encode(entry: Entry): Buffer {
  if (entry.kind === 'uncacheable') return Buffer.from(`${JSON.stringify(entry)}\n`);
  const { body, ...head } = entry;
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

/** The entry in bytes that `encode` made; nothing if they are no such bytes. */
export function decode(bytes: Buffer): Entry | undefined {
  const known = decoded.get(bytes);
  if (known) return known;
  const end = bytes.indexOf(0x0a);
  try {
    const head = JSON.parse(bytes.toString('utf8', 0, end));
    const entry: Entry =
      head.kind === 'page'
        ? { ...head, fields: withFields({}, head.fields), body: bytes.subarray(end + 1) }
        : { kind: 'uncacheable' };
    decoded.set(bytes, entry);
    return entry;
  } catch {
    return undefined;
  }
}
