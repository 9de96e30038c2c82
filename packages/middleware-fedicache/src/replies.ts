/** Answers fetchers, and tells of it. */
import type { Handler, ProxyRequest, ProxyResponse } from '@headgate/core';
import { busy, passed, secondsLeft, toResponse } from './answer.ts';
import type { Answer } from './entry.ts';
import { type Answered, publish } from './events.ts';

/** A request for a preview, and the software that it is from. */
export interface Asking {
  readonly request: ProxyRequest;
  readonly family: string;
}

/** What an answer was waited for. */
export interface Wait {
  /** Milliseconds. */
  readonly waited: number;
  /** True when there was a stale page meanwhile. */
  readonly hadStale: boolean;
}

/** The ways to answer. */
export interface Replies {
  /** With what is kept, or was just fetched: then there was a `wait`. */
  give(asking: Asking, outcome: GivenAs, answer: Answer, wait?: Wait): ProxyResponse;
  /** With the origin's own answer, for which `ask` asks. */
  pass(asking: Asking, ask: Handler, reason: string): Promise<ProxyResponse>;
  /** With a 503. `waited`: milliseconds. */
  refuse(asking: Asking, waited: number): ProxyResponse;
}

/** How what is given was come by. */
export type GivenAs = Extract<Answered['outcome'], 'hit' | 'stale' | 'fill' | 'collapsed'>;

/** Makes the ways to answer. `retryAfter`: seconds after which one who was refused may come again. */
export function replies(now: () => number, retryAfter: number): Replies {
  return {
    give(asking, outcome, answer, wait) {
      const { request } = asking;
      const time = now();
      const response = toResponse(answer, request, saidOf(outcome, answer, time, wait), time);
      const { status, body } = response;
      const bytes = request.method === 'HEAD' ? 0 : (body as Buffer).length;
      const pageBytes = answer.read === undefined ? {} : { pageBytes: answer.read };
      publish({
        kind: 'answer',
        ...asking,
        outcome,
        status,
        bytes,
        ...pageBytes,
        ...(wait && { waited: wait.waited }),
      });
      return response;
    },
    async pass(asking, ask, reason) {
      const response = await ask(asking.request);
      publish({ kind: 'answer', ...asking, outcome: 'whole', status: response.status });
      return passed(response, reason);
    },
    refuse(asking, waited) {
      publish({ kind: 'answer', ...asking, outcome: 'busy', status: 503, bytes: 0, waited });
      return busy(retryAfter);
    },
  };
}

/** What Cache-Status says (RFC 9211 section 2). */
function saidOf(outcome: GivenAs, answer: Answer, now: number, wait?: Wait): string {
  if (outcome === 'hit') return `hit; ttl=${secondsLeft(answer, now)}`;
  if (outcome === 'stale') return `hit; ttl=${secondsLeft(answer, now)}; detail=stale`;
  const why = wait?.hadStale ? 'stale' : 'miss';
  if (outcome === 'collapsed') return `fwd=${why}; collapsed`;
  return `fwd=${why}; fwd-status=${answer.status}${answer.fresh > 0 ? '; stored' : ''}`;
}
