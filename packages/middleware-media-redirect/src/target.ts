/** From a request's target to a place on the CDN: which rule, and what is appended. */
import { field, type ProxyRequest } from '@headgate/core';
import { hostOf } from './host.ts';
import type { Rule, Settings } from './options.ts';

/** A rule that fits a request, and what of its target the rule hands on, byte for byte. */
export interface Match {
  readonly rule: Rule;
  /** Path and query behind the rule's folder, or behind the slash of an old media host. */
  readonly rest: string;
  /** Where the CDN has it; absent when readers could take it for another place. */
  readonly location: string | undefined;
  /** The CDN's host, in the form of `hostOf`. */
  readonly cdnHost: string;
}

/** Where the bytes behind a target come from. */
export interface Route {
  /** Absent when there is no rule for the target. */
  readonly match?: Match;
  /** True for what a CDN pulls without a rule. */
  readonly isPulled: boolean;
}

const NOWHERE: Route = { isPulled: false };

/** Makes the function that finds the first rule for a request. */
export function router({ rules, exclude, pull }: Settings): (request: ProxyRequest) => Route {
  const compiled = rules.map((rule) => {
    const isFolder = rule.from.startsWith('/');
    const { href, host } = new URL(rule.to);
    return {
      rule,
      href,
      cdnHost: hostOf(host),
      prefix: isFolder ? rule.from : '/',
      ownHost: isFolder ? undefined : hostOf(rule.from),
    };
  });

  return ({ url, headers }) => {
    const path = pathOf(url);
    if (exclude.some((e) => (e.endsWith('/') ? path.startsWith(e) : path === e))) return NOWHERE;
    const host = hostOf(field(headers, 'host') ?? '');
    const found = compiled.find(
      ({ ownHost, prefix }) =>
        (ownHost === undefined || ownHost === host) && path.startsWith(prefix),
    );
    if (!found) return { isPulled: pull.some((folder) => path.startsWith(folder)) };
    const { rule, href, cdnHost, prefix } = found;
    const rest = url.slice(prefix.length);
    const location = isPlain(rest) ? href + rest : undefined;
    return { match: { rule, rest, location, cdnHost }, isPulled: false };
  };
}

/**
 * True for what means the same to every reader, wherever it is appended: printable, with no segment
 * that a browser takes away (`..`, also as `%2e%2e` or `..;`), and no slash that isn't one (`\`, `%2f`)
 * or that could begin a host (`//`). CR and LF stay out of a header even where they are encoded.
 */
function isPlain(rest: string): boolean {
  const path = pathOf(rest);
  return (
    /^[!$-[\]-~"]*$/.test(rest) &&
    !/%(?:[01][0-9a-f]|7f)/i.test(rest) &&
    !/%(?:2e|2f|5c)/i.test(path) &&
    !/(?:^|\/)(?:\/|\.{1,2}(?:[/;]|$))/.test(path)
  );
}

function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}
