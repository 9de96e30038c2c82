/** What a browser does with a policy, written from CSP3 alone and apart from what it is to judge. */

/** What is loaded, by the directive that is first asked about it. */
export const KINDS = [
  'connect-src',
  'font-src',
  'frame-src',
  'img-src',
  'manifest-src',
  'media-src',
  'object-src',
  'script-src-elem',
  'script-src',
  'style-src-elem',
  'style-src',
  'worker-src',
] as const;

/** One of `KINDS`. */
export type Kind = (typeof KINDS)[number];

const CHAINS: Readonly<Partial<Record<Kind, string>>> = {
  'frame-src': 'frame-src child-src default-src',
  'script-src-elem': 'script-src-elem script-src default-src',
  'script-src': 'script-src default-src',
  'style-src-elem': 'style-src-elem style-src default-src',
  'worker-src': 'worker-src child-src script-src default-src',
};

interface Place {
  readonly scheme: string;
  readonly host: string;
}

/** Whether something may be loaded. `isByParser`: a tag asks for it, not a script. */
export type Evaluator = (kind: Kind, url: URL, isByParser: boolean) => boolean;

/** What one policy lets a page at `self` load. */
export function evaluator(policy: string, self: Place): Evaluator {
  const origin = new URL(`${self.scheme}://${self.host}`);
  const directives = new Map<string, string[]>();
  for (const part of policy.split(';')) {
    const tokens = part.match(/[^\t\n\f\r ]+/g) ?? [];
    const name = tokens[0]?.toLowerCase();
    if (name !== undefined && !directives.has(name)) directives.set(name, tokens.slice(1));
  }
  return (kind, url, isByParser) => {
    const chain = (CHAINS[kind] ?? `${kind} default-src`).split(' ');
    const name = chain.find((candidate) => directives.has(candidate));
    if (name === undefined) return true;
    const sources = directives.get(name) ?? [];
    const isScript = kind.startsWith('script') || (kind === 'worker-src' && name === 'script-src');
    if (isScript && sources.some((source) => /^'strict-dynamic'$/i.test(source)))
      return !isByParser;
    return sources.some((source) => matches(source, url, origin));
  };
}

const PORTS: Readonly<Record<string, string>> = {
  'http:': '80',
  'https:': '443',
  'ws:': '80',
  'wss:': '443',
};
const port = (url: URL) => url.port || PORTS[url.protocol];

/** CSP3 section 6.7.2.7. */
function matches(source: string, url: URL, origin: URL): boolean {
  if (source === '*') return url.protocol in PORTS;
  if (/^'self'$/i.test(source)) {
    if (origin.host === url.host && origin.protocol === url.protocol) return true;
    const arePlain = origin.port === '' && url.port === '';
    const isSecure = /^(https|wss):$/.test(url.protocol);
    const isUpgrade = isSecure || origin.protocol === 'http:';
    return (
      origin.hostname === url.hostname && (arePlain || port(origin) === port(url)) && isUpgrade
    );
  }
  if (source.startsWith("'")) return false;
  if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return isScheme(source.toLowerCase(), url.protocol);

  const [front, rest = ''] = source.includes('://') ? source.split('://') : ['', source];
  const slash = rest.includes('/') ? rest.indexOf('/') : rest.length;
  const [host = '', portPart] = rest.slice(0, slash).toLowerCase().split(':');
  const path = rest.slice(slash);
  if (!isScheme(front ? `${front.toLowerCase()}:` : origin.protocol, url.protocol)) return false;
  const isHost = host.startsWith('*')
    ? url.hostname.endsWith(host.slice(1))
    : host === url.hostname;
  if (!isHost) return false;
  if (portPart !== '*' && (portPart ?? PORTS[url.protocol]) !== port(url)) return false;
  if (path === '' || path === '/') return true;
  return path.endsWith('/') ? url.pathname.startsWith(path) : url.pathname === path;
}

/** CSP3 section 6.7.2.8. */
function isScheme(allowed: string, scheme: string): boolean {
  if (allowed === scheme) return true;
  if (allowed === 'http:') return scheme === 'https:';
  if (allowed === 'ws:') return /^(wss|http|https):$/.test(scheme);
  return allowed === 'wss:' && scheme === 'https:';
}
