/** What can be set, once and for all: the type, the checks and the operator's errors come from here. */
import { SIZE } from '@headgate/core';
import { z } from 'zod';
import { CODINGS } from './encoder.ts';

const { error } = SIZE;

/** The options of compress, checked. */
export const schema = z.strictObject({
  codings: z
    .array(z.enum(CODINGS))
    .min(1)
    .default([...CODINGS])
    .describe('What may be used, the first before the next among those a client likes equally.'),
  minSize: z
    .union([z.int({ error }), z.string().regex(SIZE.pattern, { error })], { error })
    .transform(SIZE.parse)
    .pipe(z.int().min(0))
    .prefault('256B')
    .describe('The shortest body that is compressed, where its length is known.'),
});

/** What may be written: every option has a default. */
export type CompressOptions = Readonly<z.input<typeof schema>>;

/** What is in force. */
export type Settings = Readonly<z.output<typeof schema>>;
