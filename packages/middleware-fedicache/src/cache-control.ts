/** What an origin says about keeping its answers (RFC 9111). */
import { field, type Headers, type ProxyResponse } from '@headgate/core';

/** How long an answer may be used, under the rules that are respected. */
export interface Permission {
  /** Milliseconds for which it is fresh from now on; 0 if it may not be kept. */
  readonly fresh: number;
  /** False when it may not be used once it is stale (RFC 9111 section 4.2.4). */
  readonly mayBeStale: boolean;
}

/** A directive with its argument, or with another one of those a list can have. */
type Directives = ReadonlyMap<string, string>;

const DIRECTIVE = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,]+))?/g;

/** Fields that each request of ours has: an answer may vary by them, and is the same for everybody. */
const CANONICAL = ['host', 'user-agent', 'accept', 'accept-encoding'];

/** Statuses that may be kept though nothing says for how long (RFC 9110 section 15.1). */
const HEURISTIC = new Set([200, 301, 308, 404, 410]);

/** What decides beside the answer. */
export interface Circumstances {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds for which an answer is fresh at most, and if it doesn't say. */
  readonly ttl: number;
  /** The Accept-Language of the request, if it had one. */
  readonly acceptLanguage?: string | undefined;
}

/** True for an answer that forbids to be kept, or that depends on what can't be seen (`Vary: *`). */
export function isForbidden(headers: Headers): boolean {
  return directivesOf(headers).has('no-store') || variesBy(headers).includes('*');
}

/**
 * What all rules for shared caches say about an answer that came just now: s-maxage, max-age, Expires,
 * in that order (section 4.2.1), less its Age; without any of them `ttl`, which is the most too, if the
 * status allows that. `private` and `no-cache` keep nothing, whatever fields they name. Vary may name
 * only what every fetch of ours has alike.
 */
export function permissionOf(
  { status, headers }: ProxyResponse,
  { now, ttl, acceptLanguage }: Circumstances,
): Permission {
  const said = directivesOf(headers);
  const canonical = acceptLanguage === undefined ? CANONICAL : [...CANONICAL, 'accept-language'];
  const isKept =
    !isForbidden(headers) &&
    !said.has('private') &&
    !said.has('no-cache') &&
    variesBy(headers).every((name) => canonical.includes(name));
  const lifetime = lifetimeOf(headers, said, now);
  const unsaid = HEURISTIC.has(status) || said.has('public') ? ttl : 0;
  const fresh =
    lifetime === undefined ? unsaid : Math.min(ttl, Math.max(0, lifetime - ageOf(headers)));
  const mayBeStale = !['must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) =>
    said.has(name),
  );
  return { fresh: isKept ? fresh : 0, mayBeStale };
}

/** Milliseconds since the answer was made, as far as it tells: of several the first (section 5.1). */
export function ageOf(headers: Headers): number {
  const [first = ''] = (field(headers, 'age') ?? '').split(',');
  return /^\s*\d+\s*$/.test(first) ? Number(first) * 1000 : 0;
}

/** Milliseconds that the origin grants, if it says; what can't be read grants none. */
function lifetimeOf(headers: Headers, said: Directives, now: number): number | undefined {
  for (const name of ['s-maxage', 'max-age']) {
    const seconds = said.get(name);
    if (seconds !== undefined) return /^\d+$/.test(seconds) ? Number(seconds) * 1000 : 0;
  }
  const expires = field(headers, 'expires');
  if (expires === undefined) return undefined;
  const until = Date.parse(expires);
  const date = Date.parse(field(headers, 'date') ?? '');
  return Number.isNaN(until) ? 0 : until - (Number.isNaN(date) ? now : date);
}

/** The directives of Cache-Control. Of one that came twice the last counts, and the lower number. */
function directivesOf(headers: Headers): Directives {
  const said = new Map<string, string>();
  for (const [, name = '', quoted = ''] of (field(headers, 'cache-control') ?? '').matchAll(
    DIRECTIVE,
  )) {
    const argument = quoted.startsWith('"') ? quoted.slice(1, -1) : quoted;
    const before = said.get(name.toLowerCase());
    const isLower = before === undefined || !(Number(argument) > Number(before));
    if (isLower) said.set(name.toLowerCase(), argument);
  }
  return said;
}

function variesBy(headers: Headers): string[] {
  return (field(headers, 'vary') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter(Boolean);
}
