/** Source expressions (CSP3 section 2.3.1): what is written in a policy, and which URLs it allows. */

/** The origin of the document that has the policy: what `'self'` means. */
export interface Self {
  readonly scheme: 'http' | 'https';
  /** As in the Host field, with the port if there is one. `''` when nobody said. */
  readonly host: string;
}

/** A host-source in its parts, in lower case but for the path. */
interface HostSource {
  readonly scheme?: string | undefined;
  readonly host: string;
  readonly port?: string | undefined;
  /** `''` for all of the host. */
  readonly path: string;
}

const SCHEME_SOURCE = /^[a-z][a-z0-9+.-]*:$/i;
const HOST_SOURCE =
  /^(?:(?<scheme>[a-z][a-z0-9+.-]*):\/\/)?(?<host>\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?<port>\d+|\*))?(?<path>\/.*)?$/i;

const DEFAULT_PORTS: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  ws: '80',
  wss: '443',
};

/**
 * Tells whether every URL that `source` (with a scheme, without wildcards) stands for is allowed by
 * one of `list` already. Where browsers differ, as in `http:` for `wss:`, it isn't.
 */
export function allows(list: readonly string[], source: string, self: Self): boolean {
  const wanted = toHostSource(source);
  if (wanted === undefined) return false;
  return list.some((given) => covers(given, wanted, self));
}

/** Tells whether `given` names the very host of `origin` and allows something there. */
export function namesHost(given: string, origin: string): boolean {
  const [named, wanted] = [toHostSource(given), toHostSource(origin)];
  if (named === undefined || wanted === undefined || named.host !== wanted.host) return false;
  const scheme = wanted.scheme ?? '';
  if (named.scheme !== undefined && !includesScheme(named.scheme, scheme)) return false;
  return named.port === '*' || portOf(named, scheme) === portOf(wanted, scheme);
}

/** The path of a host-source, `''` if it is all of the host. */
export function pathOf(given: string): string {
  return toHostSource(given)?.path ?? '';
}

function covers(given: string, wanted: HostSource, self: Self): boolean {
  const scheme = wanted.scheme ?? '';
  if (given === '*') return true;
  if (SCHEME_SOURCE.test(given)) return includesScheme(given.slice(0, -1).toLowerCase(), scheme);
  if (given.toLowerCase() === "'self'") return isSelf(self, wanted);

  const allowed = toHostSource(given);
  if (allowed === undefined) return false;
  if (!includesScheme(allowed.scheme ?? self.scheme, scheme)) return false;
  if (!includesHost(allowed.host, wanted.host)) return false;
  if (allowed.port !== '*' && portOf(allowed, scheme) !== portOf(wanted, scheme)) return false;
  return (
    allowed.path === '' || (allowed.path.endsWith('/') && wanted.path.startsWith(allowed.path))
  );
}

/** A scheme includes its secure form (CSP3 section 6.7.2.8). */
function includesScheme(allowed: string, scheme: string): boolean {
  return allowed === scheme || `${allowed}s` === scheme;
}

function includesHost(allowed: string, host: string): boolean {
  if (allowed === '*') return true;
  return allowed.startsWith('*.') ? host.endsWith(allowed.slice(1)) : allowed === host;
}

/** The port that is meant where none is written is that of the URL's scheme, not of the policy's. */
function portOf({ port }: HostSource, scheme: string): string | undefined {
  return port ?? DEFAULT_PORTS[scheme];
}

/** The same origin, or its secure form where both have the ports of their schemes. */
function isSelf({ scheme, host }: Self, wanted: HostSource): boolean {
  const self = toHostSource(`${scheme}://${host}`);
  if (self === undefined || self.host !== wanted.host || wanted.scheme === undefined) return false;
  if (self.scheme === wanted.scheme) return portOf(self, scheme) === portOf(wanted, scheme);
  const isSecured = wanted.scheme === 'https';
  return isSecured && isDefaultPort(self) && isDefaultPort(wanted);
}

function isDefaultPort({ scheme = '', port }: HostSource): boolean {
  return port === undefined || port === DEFAULT_PORTS[scheme];
}

function toHostSource(text: string): HostSource | undefined {
  const parts = HOST_SOURCE.exec(text)?.groups;
  if (parts?.host === undefined) return undefined;
  const { scheme, host, port, path = '' } = parts;
  return {
    scheme: scheme?.toLowerCase(),
    host: host.toLowerCase(),
    port,
    path: path === '/' ? '' : path,
  };
}
