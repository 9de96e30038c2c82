/** Settings from the environment and the command line, which count more than those of the file. */
import type { Path } from './faults.ts';
import { suggest } from './suggest.ts';

/** A setting that stands outside the file. */
export interface Setting {
  /** What people call its place: `HEADGATE_LISTEN`, `--listen`. */
  readonly label: string;
  readonly path: Path;
  readonly value: unknown;
  /** True when it is one more item of the list at `path`. */
  readonly isItem?: boolean;
}

/** A variable of the environment, and the setting that it is. */
export interface Variable {
  readonly name: string;
  /** Where the setting stands in the file. */
  readonly path: Path;
  readonly describes: string;
  readonly read: (text: string) => unknown;
  /** True when it is one more item of the list there. */
  readonly isItem?: boolean;
}

/** A proxy in front that shows a secret does so in this field, unless the file says otherwise. */
const SECRET_FIELD = 'x-headgate-secret';

const asIs = (text: string) => text;
const list = (text: string) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
const oneOrMore = (text: string) => {
  const [first, ...more] = list(text);
  return more.length > 0 ? [first, ...more] : (first ?? '');
};
const flag = (text: string) => ({ true: true, 1: true, false: false, 0: false })[text] ?? text;

/** All variables. Those of `sites[0]` are for a configuration with one site. */
export const VARIABLES: readonly Variable[] = [
  {
    name: 'HEADGATE_UPSTREAM',
    path: ['sites', 0, 'upstream'],
    describes: 'Where the application is; several, separated by commas, share the load.',
    read: oneOrMore,
  },
  {
    name: 'HEADGATE_HOST',
    path: ['sites', 0, 'hosts'],
    describes: 'Names of the site, separated by commas.',
    read: list,
  },
  {
    name: 'HEADGATE_PRESET',
    path: ['sites', 0, 'preset'],
    describes: '`mastodon`, `plume`, `gotosocial` or `site`.',
    read: asIs,
  },
  {
    name: 'HEADGATE_STREAMING',
    path: ['sites', 0, 'streaming'],
    describes: "Where Mastodon's streaming server is.",
    read: oneOrMore,
  },
  {
    name: 'HEADGATE_CDN',
    path: ['sites', 0, 'cdn'],
    describes: 'Base URL of the CDN that media are redirected to.',
    read: asIs,
  },
  {
    name: 'HEADGATE_CDN_PATHS',
    path: ['sites', 0, 'cdnPaths'],
    describes: "Paths that are redirected to it besides the preset's, separated by commas.",
    read: list,
  },
  {
    name: 'HEADGATE_HSTS',
    path: ['sites', 0, 'hsts'],
    describes: '`true`, or the whole value of Strict-Transport-Security.',
    read: flag,
  },
  {
    name: 'HEADGATE_STATISTICS',
    path: ['sites', 0, 'statistics'],
    describes: 'A path of the site with a page of its statistics.',
    read: asIs,
  },
  {
    name: 'HEADGATE_LISTEN',
    path: ['listen'],
    describes:
      'Where to listen, `HOST:PORT` or `https://HOST:PORT`; several are separated by commas.',
    read: oneOrMore,
  },
  {
    name: 'HEADGATE_TLS_CERT',
    path: ['tls', 'certificates', 0, 'cert'],
    describes: 'A PEM file with the certificate and its chain, for HTTPS.',
    read: asIs,
  },
  {
    name: 'HEADGATE_TLS_KEY',
    path: ['tls', 'certificates', 0, 'key'],
    describes: 'The PEM file with its key.',
    read: asIs,
  },
  {
    name: 'HEADGATE_ACME',
    path: ['tls', 'acme'],
    describes:
      "An e-mail address, or `true`: has certificates issued, and agrees to the terms of the authority (Let's Encrypt).",
    read: (text) => ({ agree: true, ...(flag(text) !== true && { email: text }) }),
  },
  {
    name: 'HEADGATE_ACME_DIRECTORY',
    path: ['tls', 'acme', 'directory'],
    describes: 'The directory of another authority.',
    read: asIs,
  },
  {
    name: 'HEADGATE_STATE',
    path: ['state'],
    describes: 'The folder of what must survive a restart.',
    read: asIs,
  },
  {
    name: 'HEADGATE_TRUSTED',
    path: ['trusted'],
    describes: 'Proxies in front: addresses, CIDRs, `loopback`, `private`, separated by commas.',
    read: list,
  },
  {
    name: 'HEADGATE_CDN_SECRET_FILE',
    path: ['trusted'],
    describes: `A file with the value of \`${SECRET_FIELD}\` by which the CDN in front shows itself; it is trusted besides those of \`trusted\`.`,
    read: (file) => ({ secret: { header: SECRET_FIELD, file } }),
    isItem: true,
  },
  {
    name: 'HEADGATE_SCHEME',
    path: ['scheme'],
    describes: '`https` where something in front ends TLS and does not tell.',
    read: asIs,
  },
  {
    name: 'HEADGATE_LOG_FORMAT',
    path: ['log', 'format'],
    describes: '`json`, `pretty` or `combined`.',
    read: asIs,
  },
  {
    name: 'HEADGATE_LOG_FILE',
    path: ['log', 'file'],
    describes: 'The file that lines are added to, in place of standard output.',
    read: asIs,
  },
  {
    name: 'HEADGATE_LOG_QUERY',
    path: ['log', 'query'],
    describes: '`true` logs queries too.',
    read: flag,
  },
  {
    name: 'HEADGATE_LOG_CLIENT',
    path: ['log', 'client'],
    describes: 'Addresses of clients: `truncated`, `full` or `off`.',
    read: asIs,
  },
  {
    name: 'HEADGATE_ADMIN',
    path: ['admin', 'listen'],
    describes: 'Where the admin server listens: `unix:PATH` or `HOST:PORT`.',
    read: asIs,
  },
  {
    name: 'HEADGATE_ADMIN_HOSTS',
    path: ['admin', 'hosts'],
    describes: 'Names under which it answers besides those of this machine, separated by commas.',
    read: list,
  },
  {
    name: 'HEADGATE_ADMIN_TOKEN_FILE',
    path: ['admin', 'tokenFile'],
    describes: 'A file that holds its token.',
    read: asIs,
  },
  {
    name: 'HEADGATE_METRICS',
    path: ['metrics'],
    describes: 'Where `/metrics`, `/healthz` and `/readyz` are, `HOST:PORT`.',
    read: asIs,
  },
  {
    name: 'HEADGATE_WATCH',
    path: ['watch'],
    describes: '`true` reloads when the file changes.',
    read: flag,
  },
];

/** The variable that names the file itself. */
export const CONFIG_VARIABLE = 'HEADGATE_CONFIG';

/** The settings in an environment, and those of its variables that look like ours but are not. */
export function fromEnvironment(environment: NodeJS.ProcessEnv): {
  settings: Setting[];
  unknown: { name: string; message: string }[];
} {
  const settings = VARIABLES.flatMap(({ name, path, read, isItem = false }): Setting[] => {
    const text = environment[name];
    return text ? [{ label: name, path, value: read(text), isItem }] : [];
  });
  const known = [CONFIG_VARIABLE, ...VARIABLES.map(({ name }) => name)];
  const unknown = Object.keys(environment)
    .filter((name) => name.startsWith('HEADGATE_') && !known.includes(name))
    .filter((name) => !/^HEADGATE_(?:SERVICE|PORT)(?:_|$)/.test(name)) // Kubernetes sets those
    .map((name) => {
      const meant = suggest(name, known);
      return { name, message: `is not known${meant ? `; did you mean ${meant}?` : ''}` };
    });
  return { settings, unknown };
}
