/** One request to the origin, for all who wait for its page. */
import {
  discard,
  field,
  type Handler,
  type Headers,
  type Keep,
  type ProxyRequest,
  type ProxyResponse,
  toHeadgateError,
  withFields,
} from '@headgate/core';
import pLimit from 'p-limit';
import { canonical } from './canonical.ts';
import { type Deadline, deadlineIn } from './deadline.ts';
import { type Answer, encode, NO_BODY, represent } from './entry.ts';
import { type Filled, publish } from './events.ts';
import type { Settings } from './options.ts';
import type { Target } from './target.ts';
import { trim } from './trim.ts';
import { KEPT, verdictOn } from './verdict.ts';

/** What a fill is for. */
export interface Wanted {
  readonly target: Target;
  /** The request that asks, or one that nobody is behind. */
  readonly request: ProxyRequest;
  /** Asks the origin. */
  readonly ask: Handler;
  /** What is kept, if it may be used when the origin fails. */
  readonly stale?: Answer | undefined;
  /** Takes an answer that isn't cut; false if nobody wants it any more. */
  readonly onWhole: (response: ProxyResponse) => boolean;
}

/** Fetches what is wanted, hands it to `keep`, and resolves with the encoded entry. */
export type Fill = (wanted: Wanted, keep: Keep) => Promise<Buffer>;

/** What fills are made with. */
export interface FillParts {
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** What an answer of the origin becomes. */
type Outcome =
  | {
      readonly outcome: 'page' | 'redirect' | 'gone';
      readonly answer: Answer;
      readonly limit?: 'scan' | 'maxPage';
    }
  | {
      readonly outcome: 'whole';
      readonly reason: string;
      readonly isRefusal: boolean;
      readonly whole: ProxyResponse;
    }
  | { readonly outcome: 'failed'; readonly status: number };

/** The share of `ttl` by which the times of pages differ, so that they don't all end at once. */
const JITTER = 0.1;

/** Fields of a page that say something to a fetcher (Rating: Misskey's summaly reads it). */
const KEPT_FIELDS = ['content-type', 'content-language', 'link', 'rating', 'last-modified'];

/**
 * Makes the function that fills. It rejects with `CLIENT_GONE` only, where an application gives up with its client: everything
 * else that fails is an entry too, so that the origin is spared for some seconds.
 */
export function filler(settings: Settings, { now, random }: FillParts): Fill {
  const inLine = pLimit(settings.maxFills);
  const { ttl, staleWhileRevalidate, staleIfError } = settings;
  const staleTime = Math.max(staleWhileRevalidate, staleIfError);

  const fetched = async (
    { request, target, ask }: Wanted,
    deadline: Deadline,
  ): Promise<Outcome> => {
    const asked = canonical(request, target, settings, deadline.signal);
    const response = await deadline.before(ask(asked));
    const { status, headers } = response;
    const verdict = verdictOn(response, { ...settings, ttl: jittered(ttl, random()) }, now());
    if (verdict.kind === 'whole')
      return { outcome: 'whole', ...verdict, whole: withoutCookies(response) };
    if (verdict.kind === 'failed') {
      discard(response.body);
      return { outcome: 'failed', status };
    }
    const { kind: outcome, fresh, mayBeStale } = verdict;
    const base = { kind: 'answer', status, made: now(), fresh, mayBeStale } as const;
    if (outcome !== 'page') {
      discard(response.body);
      const fields = withFields(
        {},
        {
          location: outcome === 'redirect' ? field(headers, 'location') : undefined,
        },
      );
      return { outcome, answer: { ...base, fields, representations: NO_BODY } };
    }
    deadline.ends(response.body);
    const coding = field(headers, 'content-encoding') ?? 'identity';
    const trimmed = await trim(response.body, { ...settings, coding });
    if ('whole' in trimmed) {
      const whole = withoutCookies({ ...response, body: trimmed.whole });
      return { outcome: 'whole', reason: trimmed.reason, isRefusal: false, whole };
    }
    const { page, read, isPartial, limit } = trimmed;
    const body = await represent(page);
    const answer: Answer = { ...base, fields: keptFields(headers), read, ...body };
    const limited = limit && { limit };
    if (!isPartial) return { outcome, answer, ...limited };
    return { outcome, answer: { ...answer, fresh: 0, mayBeStale: false }, ...limited };
  };

  /** What is answered after a failure, for the time until the origin is asked again. */
  const afterFailure = (status: number, stale: Answer | undefined): Answer => {
    const made = now();
    if (stale && made < stale.made + stale.fresh + staleIfError)
      return { ...stale, retryAt: made + KEPT.failed };
    const fields = withFields({}, { 'retry-after': String(KEPT.failed / 1000) });
    const base = { kind: 'answer', status, fields, made } as const;
    return { ...base, fresh: KEPT.failed, mayBeStale: false, representations: NO_BODY };
  };

  const fill = async (wanted: Wanted, keep: Keep): Promise<Buffer> => {
    const { stale, request } = wanted;
    const began = now();
    const report = (filled: Omit<Filled, 'kind' | 'site' | 'ms'>) =>
      publish({ kind: 'fill', site: request.site, ms: now() - began, ...filled });
    const keeping = async (answer: Answer) => {
      const { made, fresh, mayBeStale } = answer;
      const bytes = encode(answer);
      await keep(bytes, made + fresh + (mayBeStale ? staleTime : 0) - now());
      return bytes;
    };

    const deadline = deadlineIn(settings.fillTimeout);
    try {
      const result = await fetched(wanted, deadline);
      if (result.outcome === 'failed') {
        report({ outcome: 'failed' });
        return await keeping(afterFailure(result.status, stale));
      }
      if (result.outcome !== 'whole') {
        const { outcome, answer, limit } = result;
        report({ outcome, ...(limit && { limit }) });
        return answer.fresh > 0 ? await keeping(answer) : encode(answer);
      }
      const { reason, isRefusal, whole } = result;
      report({ outcome: 'whole', reason });
      if (!wanted.onWhole(whole)) discard(whole.body);
      const bytes = encode({ kind: 'uncacheable', reason });
      if (isRefusal && stale) await keeping({ ...stale, retryAt: now() + KEPT.failed });
      else await keep(bytes, KEPT.uncacheable);
      return bytes;
    } catch (cause) {
      const error = toHeadgateError(cause);
      report({ outcome: 'failed', error });
      if (error.code === 'CLIENT_GONE') throw error;
      return keeping(afterFailure(error.status, stale));
    } finally {
      deadline.clear();
    }
  };
  return (wanted, keep) => inLine(() => fill(wanted, keep));
}

/** The response without the cookies of our anonymous session. */
function withoutCookies(response: ProxyResponse): ProxyResponse {
  return { ...response, headers: withFields(response.headers, { 'set-cookie': undefined }) };
}

function keptFields(headers: Headers): Headers {
  return withFields(
    {},
    Object.fromEntries(KEPT_FIELDS.map((name) => [name, field(headers, name)])),
  );
}

/** `ttl`, up to a tenth more or less. */
function jittered(ttl: number, random: number): number {
  return Math.round(ttl * (1 - JITTER + 2 * JITTER * random));
}
