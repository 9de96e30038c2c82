/** What may stand in headgate.yaml: types, checks, JSON Schema and the reference come from here. */
import { z } from 'zod';
import { site } from './site-schema.ts';
import * as values from './values.ts';

const TOKEN = 'must be a text of at least 16 characters, without spaces';

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

const AGREE =
  "must be true: no certificate without agreeing to the authority's terms (of Let's Encrypt: https://letsencrypt.org/repository/)";

const acme = z.strictObject({
  agree: z
    .literal(true, { error: AGREE })
    .describe('`true` agrees to the terms of the authority. Nothing is ordered without.'),
  email: z
    .email({ error: 'must be an address like me@example.org' })
    .optional()
    .describe('Where the authority writes to, if it writes.'),
  directory: z
    .url({ protocol: /^https$/, error: 'must be an https URL' })
    .default('https://acme-v02.api.letsencrypt.org/directory')
    .describe('The directory of the authority (RFC 8555).'),
  challenge: z
    .enum(['http-01', 'tls-alpn-01'])
    .default('http-01')
    .describe('How it sees that a name leads here: `http-01` at port 80, `tls-alpn-01` at 443.'),
});

const tls = z.strictObject({
  certificates: z
    .array(
      z.strictObject({
        cert: values.place.describe('The certificate and its chain in PEM: `fullchain.pem`.'),
        key: values.place.describe('Its key in PEM: `privkey.pem`.'),
      }),
    )
    .default([])
    .describe(
      'Pairs of PEM files, each a `cert` (with its chain) and its `key`. Names are read from the certificates; the first one is shown where none fits.',
    ),
  acme: acme
    .optional()
    .describe(
      'Has certificates issued and renewed for the names in `hosts` that none of `certificates` is for.',
    ),
  minVersion: z
    .enum(['TLSv1.2', 'TLSv1.3'])
    .default('TLSv1.2')
    .describe('The oldest version that is spoken.'),
  redirect: z
    .boolean()
    .default(true)
    .describe('Sends people who came over http to the same page over https.'),
  challenge: values.challenge
    .default('upstream')
    .describe(
      'Who answers `/.well-known/acme-challenge/`: a folder (the `--webroot` of certbot), the URL of what renews, or `upstream`.',
    ),
});

/** The whole file. */
export const schema = z.strictObject({
  listen: z
    .union([values.door, z.array(values.door).min(1)])
    .optional()
    .transform((written) => written && [written].flat())
    .describe(
      'Where to listen: `127.0.0.1:8080`, `[::1]:80`, `:80` for every address, `https://:443` with TLS, `unix:PATH`, `systemd` or `systemd:NAME` for a socket that it passes, or several. Default: `127.0.0.1:8080`; with `tls`, `:80` and `https://:443`.',
    ),
  tls: tls
    .optional()
    .describe('How TLS is spoken at the `https://` places of `listen`; see [TLS](tls.md).'),
  state: values.place
    .default('headgate-state')
    .describe(
      'The folder of what must survive a restart: the account and certificates of `tls.acme`, statistics. `$STATE_DIRECTORY`, which systemd sets, comes before the default.',
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

/** What is in force of the file. */
export type ConfigSettings = z.output<typeof schema>;

/** Checks what is written of the admin server. */
export const adminSchema = admin;

/** What is in force for the admin server. */
export type AdminSettings = z.output<typeof admin>;
