/** Writes docs/configuration.md from the schema: `./dev reference`. A test checks that it is current. */
import { writeFileSync } from 'node:fs';
import { CONFIG_VARIABLE, VARIABLES } from '../packages/headgate/src/config/environment.ts';
import { type JsonSchema, toJsonSchema } from '../packages/headgate/src/config/json-schema.ts';
import { cell, fallback, kind, table } from './schema-table.ts';

/** A part of the file with settings of its own. */
interface Section {
  readonly title: string;
  readonly text: string;
  readonly schema: JsonSchema | undefined;
}

/** The whole document. */
export function reference(): string {
  const whole = toJsonSchema();
  const site = whole.properties?.sites?.items;
  const route = site?.properties?.routes?.items;
  const upstream = site?.properties?.upstream?.anyOf?.find(({ properties }) => properties);
  const sections: Section[] = [
    { title: 'The file', text: 'At the top of the file:', schema: whole },
    { title: 'A site', text: 'Each of `sites`:', schema: site },
    {
      title: 'A route',
      text: 'Each of `routes`. What it leaves out is as the site has it. It has one of `upstream`, `files`, `redirect` and `status`, or none: then the site’s own upstream answers. A target with dot segments or encoded slashes takes no route. A path is compared as it was sent, so a `status: 403` keeps nobody out who writes it with `%`: what must be closed must be closed in the application.',
      schema: route,
    },
    {
      title: 'An upstream',
      text: 'An upstream is a URL, a list of URLs, or a mapping. Names are looked up for each new connection, and all their addresses are tried. One that isn’t there yet is a 502 until it is:',
      schema: upstream,
    },
    {
      title: 'Timeouts',
      text: 'In `timeouts` of a site or a route:',
      schema: site?.properties?.timeouts,
    },
    {
      title: 'The admin server',
      text: 'In `admin`. It keeps to itself: a Unix socket is for the user of the daemon alone; at `HOST:PORT` it is read-only without a token, and refuses browsers that are sent by another site. [Operating](operating.md) tells what it answers.',
      schema: whole.properties?.admin,
    },
    {
      title: 'TLS',
      text: 'In `tls`. [TLS](tls.md) tells how certificates are renewed, and what is agreed upon:',
      schema: whole.properties?.tls,
    },
    {
      title: 'Certificates from an authority',
      text: 'In `tls.acme`. `HEADGATE_ACME` with an e-mail address is the same as `agree: true` with that `email`.',
      schema: whole.properties?.tls?.properties?.acme,
    },
    { title: 'PURGE', text: 'In `purge`:', schema: whole.properties?.purge },
  ];
  return `${[HEAD, ...sections.map(toText), environment(), TAIL].join('\n\n')}\n`;
}

const HEAD = `# Configuration

<!-- Written by ./dev reference from the schema in packages/headgate/src/config. Don't edit it here. -->

\`headgate init mastodon\` (or \`plume\`, \`gotosocial\`, \`site\`) writes a commented \`headgate.yaml\`.
\`headgate check\` says everything that is wrong with it, each with its line. \`headgate check --expand\`
prints what it stands for. \`headgate schema\` prints its JSON Schema, for editors.

\`\`\`yaml
listen: 127.0.0.1:8080
trusted: [loopback]
sites:
  - hosts: [social.example]
    upstream: http://127.0.0.1:3000
    bodyLimit: 99MiB
    routes:
      - path: /api/v1/streaming
        upstream: http://127.0.0.1:4000
      - path: /system/
        headers: { Cache-Control: "public, max-age=2419200, immutable" }
    middleware:
      - use: fedicache
        ttl: 10m
\`\`\`

The command line counts more than the environment, that more than the file, that more than a preset.
Times are \`500ms\`, \`60s\`, \`5m\`, \`1h\`, or a number of milliseconds; sizes are \`64KiB\`, \`99MiB\`, \`1GB\`, or a
number of bytes. Paths of files are seen from the folder of the configuration. Options of a middleware
stand in its package's README: [fedicache](../packages/middleware-fedicache/README.md#options),
[media-redirect](../packages/middleware-media-redirect/README.md#options),
[csp](../packages/middleware-csp/README.md#options), [compress](../packages/middleware-compress/README.md#options).`;

const TAIL = `## Reload

SIGHUP loads the file again, and so does a change of it if \`watch\` is true. It is checked whole first;
if anything is wrong, everything stays as it was and the log says what. Requests and WebSockets under
way go on as they began. Kept previews stay. Another \`listen\`, \`tls.minVersion\`,
\`admin.listen\` or \`metrics\` needs a restart.`;

function toText({ title, text, schema }: Section): string {
  const rows = Object.entries(schema?.properties ?? {}).map(([name, setting]) => {
    const usual = fallback(setting);
    const text = [setting.description, usual && `Default ${usual}.`].filter(Boolean).join(' ');
    return [`\`${name}\``, cell(kind(setting)), cell(text)];
  });
  return `## ${title}\n\n${cell(text)}\n\n${table(['key', 'value', 'what it does'], rows)}`;
}

function environment(): string {
  const rows = [
    [
      `\`${CONFIG_VARIABLE}\``,
      'The file. Default: `headgate.yaml` in the working folder, if it is there.',
      'the file itself',
    ],
    ...VARIABLES.map(({ name, describes, path }) => [
      `\`${name}\``,
      cell(describes),
      `\`${path.filter((step) => typeof step === 'string').join('.')}\``,
    ]),
  ];
  const text =
    'The common case needs no file: `HEADGATE_UPSTREAM=http://app:3000 headgate run`. Settings of a site are for a configuration with one site. Names that are not known are an error.';
  return `## Environment\n\n${text}\n\n${table(['variable', 'what it is', 'in the file'], rows)}`;
}

if (import.meta.main)
  writeFileSync(new URL('../docs/configuration.md', import.meta.url), reference());
