/** One request to the origin, for all who wait for its page. */
import {
  discard,
  type Handler,
  HeadgateError,
  type Keep,
  type ProxyRequest,
  type ProxyResponse,
  toHeadgateError,
  withFields,
} from '@headgate/core';
import pLimit from 'p-limit';
import { canonical } from './canonical.ts';
import { deadlineIn } from './deadline.ts';
import { type Answer, encode, NO_BODY } from './entry.ts';
import { type Filled, publish } from './events.ts';
import type { Settings } from './options.ts';
import { outcomeOf } from './outcome.ts';
import type { Target } from './target.ts';
import { KEPT } from './verdict.ts';

/** What a fill is for. */
export interface Wanted {
  readonly target: Target;
  /** The request that asks, or one that nobody is behind. */
  readonly request: ProxyRequest;
  /** Asks the origin. */
  readonly ask: Handler;
  /** True when asking is the exchange of the request's client, who may leave. */
  readonly isBorrowed: boolean;
  /** What is kept, if it may be used when the origin fails. */
  readonly stale?: Answer;
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

/** The share of `ttl` by which the times of pages differ, so that they don't all end at once. */
const JITTER = 0.1;

/**
 * Makes the function that fills. It rejects with `CLIENT_GONE`, where an application gives up with its
 * client, and with `OVERLOADED`, when `maxWaiting` pages are in line already: everything else that
 * fails is an entry, so that the origin is spared for a while.
 */
export function filler(settings: Settings, { now, random }: FillParts): Fill {
  const inLine = pLimit(settings.maxFills);
  const { staleWhileRevalidate, staleIfError } = settings;
  const staleTime = Math.max(staleWhileRevalidate, staleIfError);

  const ttl = () => Math.round(settings.ttl * (1 - JITTER + 2 * JITTER * random()));

  /** What is answered after a failure, for the time until the origin is asked again. */
  const afterFailure = (status: number, stale: Answer | undefined): Answer => {
    const made = now();
    if (stale && made < stale.made + stale.fresh + staleIfError)
      return { ...stale, retryAt: made + KEPT.failed };
    const fields = withFields({}, { 'retry-after': String(KEPT.failed / 1000) });
    const base = { kind: 'answer', status, fields, made } as const;
    return { ...base, fresh: KEPT.failed, mayBeStale: false, representations: NO_BODY };
  };

  const fill: Fill = async ({ request, target, ask, isBorrowed, stale, onWhole }, keep) => {
    const began = now();
    const report = (filled: Omit<Filled, 'kind' | 'site' | 'ms'>) =>
      publish({ kind: 'fill', site: request.site, ms: now() - began, ...filled });
    const keeping = async (answer: Answer) => {
      const { made, fresh, mayBeStale } = answer;
      const bytes = encode(answer);
      if (fresh > 0) await keep(bytes, made + fresh + (mayBeStale ? staleTime : 0) - now());
      return bytes;
    };

    const deadline = deadlineIn(settings.fillTimeout);
    if (isBorrowed) deadline.follow(request.signal(), settings.waitTimeout / 2);
    try {
      const asked = ask(canonical(request, target, settings, deadline.signal));
      const response = await deadline.before(asked);
      const outcome = await outcomeOf(
        response,
        { ...settings, ttl: ttl() },
        { now: now(), deadline },
      );
      if (outcome.kind === 'failed') {
        report({ outcome: 'failed' });
        return await keeping(afterFailure(outcome.status, stale));
      }
      if (outcome.kind !== 'whole') {
        const { kind, answer, limit } = outcome;
        report({ outcome: kind, ...(limit && { limit }) });
        return await keeping(answer);
      }
      const { reason, isRefusal } = outcome;
      report({ outcome: 'whole', reason });
      if (isRefusal && stale) {
        discard(outcome.response.body);
        return await keeping({ ...stale, retryAt: now() + KEPT.failed });
      }
      if (!onWhole(outcome.response)) discard(outcome.response.body);
      const bytes = encode({ kind: 'uncacheable', reason });
      await keep(bytes, KEPT.uncacheable);
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
  return async (wanted, keep) => {
    // Who waited for them may be gone by now, but they are still in line.
    if (inLine.pendingCount >= settings.maxWaiting)
      throw new HeadgateError('OVERLOADED', 'too many pages wait to be fetched');
    return inLine(() => fill(wanted, keep));
  };
}
