/** What may stand in headgate.yaml for a site: its application, routes, layers. */
import { z } from 'zod';
import * as values from './values.ts';

const timeouts = z.strictObject({
  connect: values.duration.optional().describe('For a new connection to be made. Default `5s`.'),
  head: values.duration
    .optional()
    .describe("From the last byte of a request to the response's head. Default `60s`."),
  idle: values.duration
    .optional()
    .describe("Between two bytes of a response's body; never for an event stream. Default `60s`."),
  tunnel: values.duration
    .optional()
    .describe('For which a WebSocket may be silent in both directions. Default `1h`.'),
});

const addresses = z.union([values.origin, z.array(values.origin).min(1)]);

const detailedUpstream = z.strictObject({
  to: addresses.describe(
    'Where it is: `http://HOST:PORT`, `https://HOST` or `unix:/PATH`. Of several, the one with the fewest requests under way is asked; one that failed rests for ten seconds.',
  ),
  host: z
    .string()
    .regex(/^[a-z0-9[][a-z0-9._:[\]-]*$/i, { error: 'must be preserve, upstream, or a name' })
    .default('preserve')
    .describe(
      'The `Host` that it gets: `preserve` (the one that was asked for, which signatures need), `upstream` (its own), or a name.',
    ),
  ca: values.place
    .optional()
    .describe('PEM file of the authority that signed its certificate, if no public one did.'),
  verify: z.boolean().default(true).describe('`false` believes any certificate.'),
  servername: z
    .string()
    .min(1)
    .optional()
    .describe('The name that its certificate must prove. Default: the one in the URL.'),
  keepAlive: z
    .int()
    .min(0)
    .default(256)
    .describe('Idle connections that are kept for the next request.'),
  connections: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Requests that it gets at once, WebSockets and event streams not counted; more wait for ten seconds, then get 503. Default: no limit.',
    ),
});

const upstream = z
  .union([values.origin, z.array(values.origin).min(1), detailedUpstream])
  .transform((written) =>
    typeof written === 'string' || Array.isArray(written) ? { to: written } : written,
  )
  .pipe(detailedUpstream)
  .transform((written) => ({ ...written, to: [written.to].flat() }));

const shared = {
  upstream: upstream
    .optional()
    .describe('The application that answers: a URL, a list of URLs, or a mapping.'),
  headers: values.fields
    .default({})
    .describe(
      'Response fields that are set where the application sent none, on 2xx and 3xx. `null` takes away what a preset sets.',
    ),
  timeouts: timeouts.default({}).describe('How long the application is waited for.'),
  bodyLimit: values.size
    .optional()
    .describe('The largest body of a request; a larger one gets 413. Default: no limit.'),
};

const route = z.strictObject({
  path: values.path.describe(
    'What the target begins with, byte for byte, up to the end of a segment: `/a` takes `/a`, `/a/b` and `/a?b`, but not `/ab`.',
  ),
  ...shared,
  files: values.place
    .optional()
    .describe('Serves the files of this folder; what is not there is asked of the site.'),
  redirect: values.location
    .optional()
    .describe('Sends people there; what follows `path` is appended.'),
  status: z.literal([403, 404, 410]).optional().describe('Answers with this status.'),
});

const layer = z
  .union([z.string().min(1), z.looseObject({ use: z.string().min(1) })])
  .transform((written) => {
    if (typeof written === 'string') return { use: written, options: {} };
    const { use, ...options } = written;
    return { use, options };
  });

const statisticsPath = values.path.refine((path) => !path.endsWith('/'), {
  error: 'must not end with a slash: the same path with .json has the same as JSON',
});

const detailedStatistics = z.strictObject({
  path: statisticsPath.describe('Where the page is, like `/statistics`; with `.json`, as JSON.'),
  servers: z
    .boolean()
    .default(false)
    .describe(
      '`true` names the servers that asked most in the last hour. A server is often a person.',
    ),
});

const statistics = z
  .union([statisticsPath, detailedStatistics])
  .transform((written) => (typeof written === 'string' ? { path: written } : written))
  .pipe(detailedStatistics);

/** One of `sites`. */
export const site = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.*-]+$/, { error: 'must be letters, digits, dots and dashes' })
    .optional()
    .describe(
      'In logs, metrics and the store. Default: the first name in `hosts`, else `default`.',
    ),
  hosts: z
    .array(values.hostPattern)
    .min(1)
    .optional()
    .describe(
      'Names under which it is reached: `example.org`, `*.example.org`, `*`; the most exact one counts. Default: every name.',
    ),
  preset: z
    .enum(['mastodon', 'plume', 'gotosocial', 'site'])
    .optional()
    .describe(
      'Settings for an application, see [presets](presets.md). What is written counts more.',
    ),
  streaming: addresses
    .optional()
    .describe("For the preset `mastodon`: where Mastodon's streaming server is."),
  cdn: z
    .url({ protocol: /^https?$/, error: 'must be a URL like https://cdn.example' })
    .optional()
    .describe('Base URL of a CDN: media are redirected there, and policies allow it.'),
  cdnPaths: z
    .array(values.path)
    .optional()
    .describe("Paths that are redirected to `cdn`, besides the preset's."),
  ...shared,
  hsts: z
    .union([z.boolean(), z.string().regex(/^max-age=\d+/, { error: 'must begin with max-age=' })])
    .default(false)
    .describe(
      'Strict-Transport-Security over https: `true` is two years for this name alone; `includeSubDomains` and `preload` must be written out.',
    ),
  routes: z
    .array(route)
    .default([])
    .describe('Paths that are served in another way; the first that fits counts.'),
  compress: z.boolean().default(false).describe('Compresses what the application did not.'),
  statistics: statistics
    .optional()
    .describe(
      'A path with a page that shows everybody what fediverse servers ask of the site, see [statistics](statistics.md). Default: none.',
    ),
  middleware: z
    .array(layer)
    .prefault(['fedicache'])
    .describe(
      'The layers, the outermost first: a name, a package, a path, or a mapping of `use` and options.',
    ),
});

/** The name of a preset. */
export type PresetName = NonNullable<WrittenSite['preset']>;

/** A site as a person writes it. */
export type WrittenSite = z.input<typeof site>;

/** What is in force for a site. */
export type SiteSettings = z.output<typeof site>;

/** What is in force for a route. */
export type RouteSettings = z.output<typeof route>;

/** What is in force for an upstream. */
export type UpstreamSettings = z.output<typeof upstream>;

/** A layer by its name, and what was written for it. */
export type LayerSettings = z.output<typeof layer>;
