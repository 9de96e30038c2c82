/** What an answer of the origin becomes. */
import { discard, field, type Headers, type ProxyResponse, withFields } from '@headgate/core';
import { ageOf } from './cache-control.ts';
import type { Deadline } from './deadline.ts';
import { type Answer, NO_BODY, represent } from './entry.ts';
import type { Settings } from './options.ts';
import { trim } from './trim.ts';
import { verdictOn } from './verdict.ts';

/** What an answer of the origin becomes. Of `whole`, the body is still to be sent or discarded. */
export type Outcome =
  | {
      readonly kind: 'page' | 'redirect' | 'gone';
      readonly answer: Answer;
      readonly limit?: 'maxScan' | 'maxPage';
    }
  | {
      readonly kind: 'whole';
      readonly reason: string;
      /** A 4xx that says nothing about the page, such as 429. */
      readonly isRefusal: boolean;
      readonly response: ProxyResponse;
    }
  | { readonly kind: 'failed'; readonly status: number };

/** Fields of a page that say something to a fetcher (Rating: Misskey's summaly reads it). */
const KEPT_FIELDS = ['content-type', 'content-language', 'link', 'rating', 'last-modified'];

/**
 * Judges, and cuts if it is a page, an answer that came at `now`, milliseconds since the epoch.
 * Rejects when a page breaks off. One that the deadline cut is an answer that isn't fresh at all.
 */
export async function outcomeOf(
  response: ProxyResponse,
  settings: Settings,
  { now, deadline }: { readonly now: number; readonly deadline: Deadline },
): Promise<Outcome> {
  const { status, headers, body } = response;
  const verdict = verdictOn(response, settings, now);
  if (verdict.kind === 'whole') return { ...verdict, response: withoutCookies(response) };
  if (verdict.kind !== 'page') discard(body);
  if (verdict.kind === 'failed') return verdict;

  const { kind, fresh, mayBeStale } = verdict;
  const base = {
    kind: 'answer',
    status,
    made: now,
    age: ageOf(headers),
    fresh,
    mayBeStale,
  } as const;
  if (kind === 'gone')
    return { kind, answer: { ...base, fields: withFields({}, {}), representations: NO_BODY } };
  if (kind === 'redirect') {
    const fields = withFields({}, { location: field(headers, 'location') });
    return { kind, answer: { ...base, fields, representations: NO_BODY } };
  }

  deadline.ends(body);
  const coding = field(headers, 'content-encoding') ?? 'identity';
  const trimmed = await trim(body, { ...settings, coding });
  if ('whole' in trimmed) {
    const { whole, reason } = trimmed;
    const uncut = withoutCookies({ ...response, body: whole });
    return { kind: 'whole', reason, isRefusal: false, response: uncut };
  }
  const { page, read, isPartial, limit } = trimmed;
  const time = isPartial ? { fresh: 0, mayBeStale: false } : {};
  const fields = keptFields(headers);
  const answer: Answer = { ...base, ...time, fields, read, ...(await represent(page)) };
  return { kind, answer, ...(limit && { limit }) };
}

/** The response without the cookies of our anonymous session. */
function withoutCookies(response: ProxyResponse): ProxyResponse {
  return { ...response, headers: withFields(response.headers, { 'set-cookie': undefined }) };
}

function keptFields(headers: Headers): Headers {
  const kept = KEPT_FIELDS.map((name) => [name, field(headers, name)] as const);
  return withFields({}, Object.fromEntries(kept));
}
