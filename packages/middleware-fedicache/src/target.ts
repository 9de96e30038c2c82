/** What a preview is of: the URL that a key names and that the origin is asked for. */
import { field, fields, type ProxyRequest, type ProxyResponse } from '@headgate/core';

/** A URL in three parts, in the form in which all who mean the same page are one. */
export interface Target {
  readonly scheme: 'http' | 'https';
  /** In lower case, without the scheme's own port. */
  readonly host: string;
  /** Path and query, byte for byte but for the parameters that are left out. */
  readonly url: string;
}

/** Tells whether a query parameter changes nothing about a page. */
export type IsIgnored = (name: string) => boolean;

/** Makes an `IsIgnored` of names; one that ends with `*` is a prefix. Names are compared as bytes. */
export function ignoring(names: readonly string[]): IsIgnored {
  const exact = new Set(names.filter((name) => !name.endsWith('*')));
  const prefixes = names.filter((name) => name.endsWith('*')).map((name) => name.slice(0, -1));
  return (name) => exact.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/** What may stand in a host. With `/` or `?` in it, one URL would have the text of another's. */
const HOST = /^[\w.:[\]-]+$/;

/** The target of a request. Nothing if its Host is none: an application lets any by. */
export function targetOf(
  { scheme, headers, url }: ProxyRequest,
  isIgnored: IsIgnored,
): Target | undefined {
  const host = normalHost(scheme, field(headers, 'host') ?? '');
  if (!HOST.test(host)) return undefined;
  return { scheme, host, url: url.includes('?') ? withoutIgnored(url, isIgnored) : url };
}

/** The target that an absolute URL names. Throws a `TypeError` for what is none. */
export function parseTarget(text: string, isIgnored: IsIgnored): Target {
  const [, scheme, host, url] = /^(https?):\/\/([^/?#\\\s]+)(\/[^#\\\s]*)?$/i.exec(text) ?? [];
  if (scheme === undefined || host === undefined)
    throw new TypeError(
      `fedicache: a URL must be like https://site.example/path?query, got "${text}"`,
    );
  const known = scheme.toLowerCase() === 'http' ? 'http' : 'https';
  return {
    scheme: known,
    host: normalHost(known, host),
    url: withoutIgnored(url ?? '/', isIgnored),
  };
}

/** A prefix of absolute URLs with its host, as far as it has one, in the form that targets have. */
export function normalPrefix(prefix: string): string {
  const [, scheme, host, rest] = /^(https?):\/\/([^/?#]*)(\/.*)?$/is.exec(prefix) ?? [];
  if (scheme === undefined || host === undefined) return prefix;
  const known = scheme.toLowerCase() === 'http' ? 'http' : 'https';
  // Without a path it may be half a name: `:80` can go on to `:8080`.
  if (rest === undefined) return `${known}://${host.toLowerCase()}`;
  return `${known}://${normalHost(known, host)}${rest}`;
}

/**
 * The targets that a successful unsafe request may have changed: its own, and what its answer names on
 * the same origin, such as the edited article that it leads back to (RFC 9111 section 4.4).
 */
export function changedBy(
  request: ProxyRequest,
  { headers }: ProxyResponse,
  isIgnored: IsIgnored,
): readonly Target[] {
  const own = targetOf(request, isIgnored);
  if (!own) return [];
  const base = toText(own);
  const named = [...fields(headers, 'location'), ...fields(headers, 'content-location')];
  const others = named.flatMap((reference) => {
    const url = URL.parse(reference, base);
    if (url === null || url.origin !== URL.parse(base)?.origin) return [];
    return { ...own, url: withoutIgnored(url.pathname + url.search, isIgnored) };
  });
  return [own, ...others];
}

/** A target as text, as keys have it. */
export function toText({ scheme, host, url }: Target): string {
  return `${scheme}://${host}${url}`;
}

function normalHost(scheme: string, host: string): string {
  const lower = host.toLowerCase();
  return lower.endsWith(scheme === 'http' ? ':80' : ':443')
    ? lower.slice(0, lower.lastIndexOf(':'))
    : lower;
}

/** The URL without the parameters that change nothing, otherwise byte for byte. */
function withoutIgnored(url: string, isIgnored: IsIgnored): string {
  const mark = url.indexOf('?');
  if (mark < 0) return url;
  const all = url.slice(mark + 1).split('&');
  const kept = all.filter((parameter) => !isIgnored(parameter.split('=', 1)[0] as string));
  if (kept.length === all.length) return url;
  return kept.length === 0 ? url.slice(0, mark) : `${url.slice(0, mark)}?${kept.join('&')}`;
}
