/** What can be set, once and for all: the type, the checks and the operator's errors come from here. */
import { TIME } from '@headgate/core';
import { z } from 'zod';
import { hostOf } from './host.ts';

/** What a path may be made of here: no `%`, which would hide what it means. */
const FOLDER = /^(?:\/[\w.~!$&'()*+,;=:@-]+)+\/$/;
const HOST = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/i;
const FIELD_VALUE = /^[ -~]*$/;

const folder = z.string().regex(FOLDER, 'write a folder between slashes, like /static/');
const fieldValue = z.string().regex(FIELD_VALUE, "write a field's value, or '' for none");
const { error } = TIME;
const time = z
  .union([z.int({ error }), z.string().regex(TIME.pattern, { error })], { error })
  .transform(TIME.parse)
  .pipe(z.int().min(100));

const base = z
  .string()
  .refine(
    isBase,
    'write a URL that ends with /, like https://cdn.example/static/, without ?, # or a password',
  );

const rule = z.strictObject({
  from: z
    .string()
    .refine(
      (text) => FOLDER.test(text) || HOST.test(text),
      'write a folder between slashes, like /static/, or the name of an old media host',
    )
    .describe('What is redirected: a folder of the site, or everything on an old media host.'),
  to: base.describe("Where it is: what follows the folder, or the host's slash, is appended."),
  status: z
    .union([z.literal(301), z.literal(302), z.literal(307), z.literal(308)])
    .default(301)
    .describe('The status of the redirect.'),
  kind: z
    .enum(['media', 'assets'])
    .default('media')
    .describe('`assets`: scripts, styles and fonts too, so that a policy must allow these there.'),
  serve: base
    .optional()
    .describe(
      'Who has the bytes for those who are not redirected, if not the site: a bucket, say.',
    ),
});

const secret = z.strictObject({
  header: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/i, 'write the name of a header field, like X-Origin-Pull')
    .refine((name) => !/^x-forwarded-/i.test(name), 'X-Forwarded- fields never arrive here')
    .describe('The field that the CDN sends.'),
  value: z
    .string()
    .regex(/^[!-~]{16,}$/, 'write at least 16 characters, without spaces, that nobody can guess')
    .describe('What it holds. Let `openssl rand -hex 16` make it.'),
});

const originPull = z.strictObject({
  expected: z
    .boolean()
    .default(true)
    .describe('`false`: no CDN pulls from here; a bucket is asked.'),
  secret: secret.optional().describe('With it, nothing else makes a request one of the CDN.'),
  hosts: z
    .array(z.string().regex(HOST, 'write the name of a host'))
    .default([])
    .describe('Names of this server that only the CDN uses.'),
  addresses: z
    .array(
      z
        .string()
        .refine(isNetwork, 'write an address or a network: 192.0.2.1, 192.0.2.0/24, 2001:db8::/32'),
    )
    .default([])
    .describe("The CDN's own addresses."),
});

const headers = z.strictObject({
  cacheControl: fieldValue
    .default('public, max-age=2419200, immutable')
    .describe('Cache-Control of 200, 206 and 304.'),
  errorCacheControl: fieldValue
    .default('public, max-age=10')
    .describe('Cache-Control of all else.'),
  allowOrigin: fieldValue.default('*').describe('Access-Control-Allow-Origin.'),
  policy: fieldValue
    .default("default-src 'none'; form-action 'none'")
    .describe('Content-Security-Policy: whoever opens an upload as a page runs nothing of it.'),
});

const health = z.strictObject({
  path: z
    .string()
    .regex(/^\/[!-"$-[\]-~]*$/, 'write a path on the CDN, like /static/logo.png')
    .describe('What is fetched from each CDN, like `/static/logo.png`.'),
  interval: time.prefault('30s').describe('The time between two fetches.'),
  timeout: time.prefault('5s').describe('How long an answer may take.'),
  status: z.int().min(200).max(599).default(200).describe('The status of a good answer.'),
  type: z.string().optional().describe('What its Content-Type begins with, like `image/`.'),
});

/** The options of media-redirect, checked. Times become milliseconds. */
export const schema = z
  .strictObject({
    rules: z.array(rule).default([]).describe('The first that fits decides.'),
    exclude: z
      .array(z.string().startsWith('/', 'write a path, or a folder that ends with /'))
      .default(['/sw.js', '/.well-known/', '/api/', '/nodeinfo/'])
      .describe('Paths, and folders that end with `/`, which no rule touches.'),
    pull: z
      .array(folder)
      .default([])
      .describe('Folders that a CDN pulls without a rule: their answers get the same fields.'),
    plume: z
      .enum(['serve', 'redirect'])
      .default('serve')
      .describe('Software that sends the old Host on. `redirect`: the CDN knows that host.'),
    signed: z
      .enum(['serve', 'redirect'])
      .default('serve')
      .describe('Signed requests of software that is not known to follow redirects well.'),
    serveTo: z
      .array(z.string().min(3))
      .default([])
      .describe('How the User-Agent of clients begins that follow no redirects of media.'),
    originPull: originPull.prefault({}).describe('How a request of the CDN is recognised.'),
    headers: headers
      .prefault({})
      .describe("What the CDN's answers get. `''` leaves the site's own."),
    health: health.optional().describe('While the CDN fails this, nobody is redirected to it.'),
  })
  .check(({ value: { rules, pull, originPull }, issues }) => {
    if (rules.length + pull.length === 0)
      issues.push(issue(rules, ['rules'], 'write at least one rule, or a folder in pull'));
    for (const { index, name, url } of rulesTo(ownHosts({ rules, originPull }), rules))
      issues.push(issue(url, ['rules', index, name], OWN_HOST));
  });

/** What is wrong with a rule that leads back here. */
export const OWN_HOST = 'this host is one of the site itself: whoever follows comes back here';

/** What may be written: every option but the rules has a default. */
export type MediaRedirectOptions = Readonly<z.input<typeof schema>>;

/** What is in force. */
export type Settings = Readonly<z.output<typeof schema>>;

/** One rule in force. */
export type Rule = Settings['rules'][number];

/** Hosts of the site that the options name, in the form of `hostOf`. */
export function ownHosts({ rules, originPull }: Pick<Settings, 'rules' | 'originPull'>): string[] {
  const aliases = rules.map(({ from }) => from).filter((from) => !from.startsWith('/'));
  return [...aliases, ...originPull.hosts].map(hostOf);
}

/** The URLs of rules that lead to one of `hosts`. */
export function rulesTo(hosts: readonly string[], rules: readonly Rule[]) {
  return rules.flatMap(({ to, serve }, index) =>
    Object.entries({ to, serve }).flatMap(([name, url]) =>
      url !== undefined && hosts.includes(hostOf(URL.parse(url)?.host ?? ''))
        ? [{ index, name, url }]
        : [],
    ),
  );
}

function issue(input: unknown, path: (string | number)[], message: string) {
  return { code: 'custom' as const, input, path, message };
}

function isBase(text: string): boolean {
  if (!/^https?:\/\//.test(text) || /[?#@]/.test(text) || !URL.canParse(text)) return false;
  return new URL(text).pathname.endsWith('/');
}

function isNetwork(text: string): boolean {
  return [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()].some((kind) => kind.safeParse(text).success);
}
