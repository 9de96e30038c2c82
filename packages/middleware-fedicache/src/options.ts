/** What can be set, once and for all: the type, the checks and the operator's errors come from here. */
import { type Quantity, SIZE, TIME } from '@headgate/core';
import { classifier, PREVIEW_BOTS } from '@headgate/fedi-agents';
import { z } from 'zod';

const time = quantity(TIME);
const size = quantity(SIZE);
const count = (usual: number) => z.int().min(1).default(usual);
const text = z.string().regex(/^[\x20-\x7e]+$/, 'must be printable ASCII');

/** The options of fedicache, checked. Times become milliseconds, sizes bytes. */
export const schema = z.strictObject({
  ttl: time(1, '5m').describe('How long a page is fresh, give or take a tenth.'),
  staleWhileRevalidate: time(0, '10m').describe(
    'How long after that it is still answered, while a new one is fetched.',
  ),
  staleIfError: time(0, '24h').describe(
    'How long after its `ttl` it is still answered when the origin fails.',
  ),
  keep: z
    .enum(['metadata', 'head'])
    .default('metadata')
    .describe('What stays of a page: what fetchers read, or its whole head.'),
  maxScan: size(1, '1MiB').describe(
    'How much of a page is read, decoded: Mastodon itself reads 1 MiB.',
  ),
  maxPage: size(1024, '256KiB').describe('The largest page that is kept, once it is cut.'),
  waitTimeout: time(0, '8s').describe(
    'How long a fetcher waits for the origin: then it gets a stale page, or 503.',
  ),
  maxWaiting: count(10_000).describe(
    'How many fetchers may wait at once, and how many pages in line to be fetched.',
  ),
  maxFills: count(64).describe('How many pages are fetched from the origin at once.'),
  fillTimeout: time(1, '2m').describe('How long the origin may take for a page, to its last byte.'),
  ignoredQuery: z
    .array(z.string().regex(/^[^&=*#]+\*?$/, 'must be a parameter name, such as fbclid or utm_*'))
    .default(['utm_*', 'fbclid', 'gclid', 'mc_*'])
    .describe(
      'Query parameters that change nothing: left out of what is asked. `*` ends a prefix.',
    ),
  respect: z
    .enum(['no-store', 'strict'])
    .default('no-store')
    .describe(
      'Which of the origin’s cache rules count: `no-store` only, since everybody gets the anonymous page, or all.',
    ),
  userAgent: text
    .refine((line) => !mayBeTrimmed(line), 'must not look like a preview fetcher’s: it would loop')
    .optional()
    .describe(
      'The User-Agent that asks the origin. Default: one that names Headgate and the site.',
    ),
  acceptLanguage: text
    .optional()
    .describe('The Accept-Language that asks the origin, the same for everybody.'),
  previewBots: z
    .boolean()
    .default(false)
    .describe('Serve the preview bots of Bluesky, Discord, Slack and others too.'),
});

/** What may be written: every option has a default. */
export type FedicacheOptions = Readonly<z.input<typeof schema>>;

/** What is in force. */
export type Settings = Readonly<z.output<typeof schema>>;

const classifyAll = classifier(PREVIEW_BOTS);

/** A number that may be written with its unit, at least `min`. */
function quantity({ pattern, error, parse }: Quantity) {
  const written = z.union([z.int({ error }), z.string().regex(pattern, { error })], { error });
  return (min: number, usual: string) =>
    written.transform(parse).pipe(z.int().min(min)).prefault(usual);
}

function mayBeTrimmed(userAgent: string): boolean {
  const headers = { 'user-agent': userAgent, accept: 'text/html' };
  return classifyAll({ method: 'GET', url: '/', headers }).mayTrim;
}
