/** The fields of every answer under a rule: of a redirect, of a CDN's pull, of what is served. */
import { EMPTY, field, type ProxyResponse, withFields } from '@headgate/core';
import type { Settings } from './options.ts';

/** What answers are made of. */
export interface Answers {
  /** A redirect. `vary` is added to what it always depends on. */
  readonly redirect: (status: number, location: string, vary: readonly string[]) => ProxyResponse;
  /** An answer for the CDN: long to keep if it is good, and for everybody alike. */
  readonly pulled: (response: ProxyResponse) => ProxyResponse;
  /** An answer from elsewhere under the site's own name: nothing in it may run or set a cookie. */
  readonly foreign: (response: ProxyResponse) => ProxyResponse;
  /** An answer that another client might have been redirected for. */
  readonly chosen: (response: ProxyResponse, vary: readonly string[]) => ProxyResponse;
}

/** Seconds that a redirect is kept: by the client alone, or by any cache. */
const PRIVATE = 'private, max-age=3600';
const PUBLIC = 'public, max-age=86400';

/** Statuses that carry the file itself, or say that it is still the same. */
const GOOD = new Set([200, 206, 304]);

/** Makes the answers. `isAlike` says that whoever asks is redirected, so that any cache may know. */
export function answers(
  { headers: set }: Settings,
  isAlike: boolean,
  dependsOn: readonly string[],
): Answers {
  const { cacheControl, errorCacheControl, allowOrigin, policy } = set;
  const safe = (response: ProxyResponse) =>
    changed(response, {
      'set-cookie': undefined,
      'x-content-type-options': 'nosniff',
      ...(policy && { 'content-security-policy': policy }),
    });
  const shared = {
    // A cache answers everybody with it, so it can't be for one origin with credentials.
    ...(allowOrigin && {
      'access-control-allow-origin': allowOrigin,
      'access-control-allow-credentials': undefined,
    }),
  };

  return {
    redirect: (status, location, vary) => {
      const response = { status, headers: withFields({}, { location, ...shared }), body: EMPTY };
      const cached = isAlike
        ? { 'cache-control': PUBLIC }
        : { 'cache-control': PRIVATE, 'cdn-cache-control': 'no-store' };
      return withVary(changed(response, cached), [...dependsOn, ...vary]);
    },
    pulled: (response) => {
      const control = GOOD.has(response.status) ? cacheControl : errorCacheControl;
      const kept = control && { 'cache-control': control, expires: undefined, pragma: undefined };
      return changed(safe(response), { ...shared, ...(kept || {}) });
    },
    foreign: safe,
    chosen: (response, vary) => withVary(response, [...dependsOn, ...vary]),
  };
}

function changed(
  response: ProxyResponse,
  changes: Parameters<typeof withFields>[1],
): ProxyResponse {
  return { ...response, headers: withFields(response.headers, changes) };
}

function withVary(response: ProxyResponse, names: readonly string[]): ProxyResponse {
  const before = (field(response.headers, 'vary') ?? '').split(/[\s,]+/).filter(Boolean);
  const known = new Set(before.map((name) => name.toLowerCase()));
  const added = names.filter((name) => !known.has(name.toLowerCase()));
  if (added.length === 0 || known.has('*')) return response;
  return changed(response, { vary: [...before, ...added].join(', ') });
}
