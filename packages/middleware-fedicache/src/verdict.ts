/** What becomes of an origin's answer. */
import { field, type ProxyResponse } from '@headgate/core';
import { isForbidden, permissionOf } from './cache-control.ts';
import type { Settings } from './options.ts';

/** How long the answers are kept that aren't pages. Milliseconds. */
export const KEPT = { gone: 60_000, failed: 5_000, uncacheable: 120_000 } as const;

/** What becomes of it. `fresh` in milliseconds. */
export type Verdict =
  /** A page to cut. */
  | { readonly kind: 'page'; readonly fresh: number; readonly mayBeStale: boolean }
  /** Kept without its body. */
  | { readonly kind: 'redirect'; readonly fresh: number; readonly mayBeStale: boolean }
  | { readonly kind: 'gone'; readonly fresh: number; readonly mayBeStale: false }
  /** The origin failed. `status`: what is answered. */
  | { readonly kind: 'failed'; readonly status: number }
  /** Passed on whole. `isRefusal`: a 4xx that says nothing about the page, such as 429. */
  | { readonly kind: 'whole'; readonly reason: string; readonly isRefusal: boolean };

const REDIRECTS = new Set([301, 302, 307, 308]);

/** Statuses that say something about the page, so that what is kept of it is over. */
const TELLING = new Set([401, 403, 404, 410]);

/** Judges an answer that came just now to a canonical request. */
export function verdictOn(
  response: ProxyResponse,
  { respect, ttl, acceptLanguage }: Pick<Settings, 'respect' | 'ttl' | 'acceptLanguage'>,
  now: number,
): Verdict {
  const { status, headers } = response;
  if (status >= 500) return { kind: 'failed', status };
  if (status === 304) return { kind: 'failed', status: 502 }; // nothing is asked with a condition
  const whole = (reason: string): Verdict => {
    const isRefusal = status >= 400 && !TELLING.has(status);
    return { kind: 'whole', reason, isRefusal };
  };
  const isStrict = respect === 'strict';
  const { fresh, mayBeStale } = isStrict
    ? permissionOf(response, { now, ttl, acceptLanguage })
    : { fresh: isForbidden(headers) ? 0 : ttl, mayBeStale: true };
  if (fresh === 0) return whole('origin-forbids');
  if (status === 404 || status === 410)
    return { kind: 'gone', fresh: Math.min(fresh, KEPT.gone), mayBeStale: false };
  if (REDIRECTS.has(status) && field(headers, 'location') !== undefined)
    return { kind: 'redirect', fresh, mayBeStale };
  if (status !== 200) return whole('status');
  // XHTML is left alone: fetchers treat it in another way.
  if (!/^text\/html\s*(?:;|$)/i.test(field(headers, 'content-type') ?? '')) return whole('type');
  if (/^attachment\b/i.test(field(headers, 'content-disposition') ?? '')) return whole('download');
  return { kind: 'page', fresh, mayBeStale };
}
