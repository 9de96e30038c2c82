/** What can be set, once and for all: the type, the checks and the operator's errors come from here. */
import { z } from 'zod';

/** The options of fedicache, checked. Times in milliseconds, sizes in bytes. */
export const schema = z.strictObject({
  ttl: z.int().min(1).default(300_000).describe('How long a page is kept. Milliseconds.'),
  scan: z
    .int()
    .min(1)
    .default(1024 * 1024)
    .describe('How much of a page is read: Mastodon itself reads 1 MiB. Bytes.'),
  maxPage: z
    .int()
    .min(1)
    .default(256 * 1024)
    .describe('The largest page that is kept, once it is cut. Bytes.'),
});

/** What may be written: every option has a default. */
export type FedicacheOptions = Readonly<z.input<typeof schema>>;

/** What is in force. */
export type Settings = Readonly<z.output<typeof schema>>;
