/** What can be set, once and for all: the type, the checks and the operator's errors come from here. */
import { z } from 'zod';
import { LOADING, policyDoubt } from './policy.ts';

/** `https://cdn.example`, with a port and a path that ends with a slash if need be. */
const SOURCE =
  /^(?:https?|wss?):\/\/[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::\d{1,5})?(?:\/(?:[a-z0-9._~%@+=-]+\/)*)?$/i;
/** The same without a path. */
const ORIGIN = /^(?:https?|wss?):\/\/[a-z0-9_-]+(?:\.[a-z0-9_-]+)*(?::\d{1,5})?$/i;

const source = z.string().regex(SOURCE, {
  error: ({ input }) =>
    `must be one host with its scheme, like https://cdn.example, and with a slash at the end if there is a path, got "${input}"`,
});
const origin = z.string().regex(ORIGIN, {
  error: ({ input }) =>
    `must be one host with its scheme and no path, like https://cdn.example, got "${input}"`,
});

/** What is said of a key that may not be, where zod would say only that. */
const forKey = (what: string) => ({
  error: ({ code, keys = [] }: { code?: string; keys?: readonly string[] }) =>
    code === 'unrecognized_keys' || code === 'invalid_key'
      ? [what, keys.join(', ')].filter((part) => part !== '').join(', got ')
      : undefined,
});

/** The options of csp, checked. */
export const schema = z.strictObject({
  media: z
    .array(source)
    .default([])
    .describe(
      'Hosts that images, video and sound come from: `img-src`, `media-src`, `connect-src`.',
    ),
  assets: z
    .array(source)
    .default([])
    .describe(
      'Hosts that the application itself comes from: those of `media`, and `script-src`, `style-src`, `font-src`, `manifest-src`, `worker-src`, `child-src`.',
    ),
  allow: z
    .partialRecord(z.enum(LOADING), z.array(source), forKey(`must be of ${LOADING.join(', ')}`))
    .default({})
    .describe('Hosts for each directive: `img-src: [https://cdn.example]`.'),
  remove: z
    .array(origin)
    .default([])
    .describe('Hosts that no directive names any more, such as that of the old CDN.'),
  replace: z
    .record(
      origin,
      origin,
      forKey('must be one host with its scheme and no path, like https://cdn.example'),
    )
    .default({})
    .describe('Hosts that others take the place of: `https://old.example: https://new.example`.'),
  set: z
    .strictObject({
      policy: z
        .string()
        .min(1)
        .refine((text) => policyDoubt(text) === undefined && !text.includes(','), {
          error: 'must be one policy in plain characters, without commas',
        })
        .describe('The whole policy.'),
      override: z
        .boolean()
        .default(false)
        .describe("Whether it takes the place of the application's own."),
    })
    .optional()
    .describe('A policy for pages that the application sends none with.'),
  meta: z
    .boolean()
    .default(false)
    .describe('Whether policies that stand in pages, in `<meta>`, are edited too.'),
  report: z
    .boolean()
    .default(false)
    .describe('Whether browsers are to report what policies block, and reports are collected.'),
});

/** What may be written: every option has a default. */
export type CspOptions = Readonly<z.input<typeof schema>>;

/** What is in force. */
export type Settings = Readonly<z.output<typeof schema>>;
