/** What may stand in headgate.yaml: types, checks, JSON Schema and the reference come from here. */
import { z } from 'zod';
import * as values from './values.ts';

const TOKEN = 'must be a text of at least 16 characters, without spaces';

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

const site = z.strictObject({
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
  middleware: z
    .array(layer)
    .prefault(['fedicache'])
    .describe(
      'The layers, the outermost first: a name, a package, a path, or a mapping of `use` and options.',
    ),
});

const trusted = z.union([
  values.proxy,
  z.strictObject({
    file: values.place.describe('A file with one address or CIDR a line; `#` begins a comment.'),
  }),
  z.strictObject({
    secret: z.strictObject({
      header: z
        .string()
        .regex(/^[a-z0-9-]+$/i, { error: 'must be the name of a header field' })
        .describe('The field that only the CDN sends. It never reaches the application.'),
      file: values.place.describe('A file that holds its value.'),
    }),
  }),
]);

const log = z.strictObject({
  format: z
    .enum(['json', 'pretty', 'combined'])
    .optional()
    .describe(
      "`json`, one record a line; `pretty`, for reading; `combined`, for what reads web servers' logs. Default: `pretty` on a terminal, else `json`.",
    ),
  file: values.place
    .optional()
    .describe('Where lines are added; SIGUSR1 opens it anew. Default: standard output.'),
  query: z
    .boolean()
    .default(false)
    .describe('`true` logs queries too, without the values of what may be secret.'),
  client: z
    .enum(['truncated', 'full', 'off'])
    .default('truncated')
    .describe('Addresses of clients: only their network, whole, or none.'),
});

const admin = z.strictObject({
  listen: values.adminPlace.describe(
    'Where it listens: `unix:PATH`, a socket that only the user of the daemon can open, or `HOST:PORT`.',
  ),
  hosts: z
    .array(values.hostName)
    .default([])
    .describe(
      'Names under which it answers at `HOST:PORT`, besides `localhost`, loopback addresses and the `HOST` itself.',
    ),
  token: z
    .string({ error: TOKEN })
    .regex(/^[!-~]{16,}$/, { error: TOKEN })
    .optional()
    .describe(
      'What a request must show that changes something; without it only the Unix socket changes anything.',
    ),
  tokenFile: values.place.optional().describe('A file that holds the token.'),
});

/** The whole file. */
export const schema = z.strictObject({
  listen: z
    .union([values.address, z.array(values.address).min(1)])
    .prefault('127.0.0.1:8080')
    .transform((written) => [written].flat())
    .describe(
      'Where to listen: `127.0.0.1:8080`, `[::1]:80`, `:80` for every address, or several.',
    ),
  trusted: z
    .array(trusted)
    .default([])
    .describe(
      'Proxies in front whose forwarding fields are believed: addresses, CIDRs, `loopback`, `private`, a `file` of them, or a `secret` that they send.',
    ),
  scheme: z
    .enum(['http', 'https'])
    .optional()
    .describe('The scheme that people use, where something in front ends TLS and does not tell.'),
  log: log.prefault({}).describe('What is logged, and where; see [logs](logs.md).'),
  errorPage: values.place
    .optional()
    .describe(
      'An HTML file that people see where Headgate has no answer (5xx), instead of its own.',
    ),
  watch: z.boolean().default(false).describe('Reloads when the file changes. SIGHUP always does.'),
  admin: admin
    .optional()
    .describe('Where Headgate is looked after, see [operating](operating.md). Default: nowhere.'),
  metrics: values.address
    .optional()
    .describe(
      'Where `/metrics`, `/healthz` and `/readyz` are for everybody who can get there: `127.0.0.1:9091`. Default: nowhere.',
    ),
  purge: z
    .strictObject({
      from: z
        .array(values.proxy)
        .min(1)
        .describe('Addresses, CIDRs, `loopback` or `private` from which PURGE is obeyed.'),
    })
    .optional()
    .describe('Who may say with the method PURGE that a page has changed. Default: nobody.'),
  sites: z.array(site).min(1).describe('The sites behind Headgate.'),
});

/** The file as a person writes it. */
export type WrittenConfig = z.input<typeof schema>;

/** The name of a preset. */
export type PresetName = NonNullable<WrittenSite['preset']>;

/** A site as a person writes it. */
export type WrittenSite = z.input<typeof site>;

/** What is in force of the file. */
export type ConfigSettings = z.output<typeof schema>;

/** What is in force for a site. */
export type SiteSettings = z.output<typeof site>;

/** What is in force for a route. */
export type RouteSettings = z.output<typeof route>;

/** What is in force for an upstream. */
export type UpstreamSettings = z.output<typeof upstream>;

/** Checks what is written of the admin server. */
export const adminSchema = admin;

/** What is in force for the admin server. */
export type AdminSettings = z.output<typeof admin>;

/** A layer by its name, and what was written for it. */
export type LayerSettings = z.output<typeof layer>;
