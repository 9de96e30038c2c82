/** What fedicache tells of itself, on the channel `headgate:fedicache`. */
import { channel } from 'node:diagnostics_channel';
import type { HeadgateError, ProxyRequest } from '@headgate/core';
import type { StoreFault } from './patient-store.ts';

/** What a fetcher was answered. */
export interface Answered {
  readonly kind: 'answer';
  readonly request: ProxyRequest;
  /** The software that asked, see `@headgate/fedi-agents`. */
  readonly family: string;
  /**
   * `hit`: kept and fresh. `stale`: kept and no longer fresh. `fill`: fetched now. `collapsed`:
   * fetched for another meanwhile. `whole`: the origin's own answer. `busy`: a 503, since it took too
   * long or too many wait.
   */
  readonly outcome: 'hit' | 'stale' | 'fill' | 'collapsed' | 'whole' | 'busy';
  readonly status: number;
  /** Bytes of the body that was sent; unknown of `whole`. */
  readonly bytes?: number;
  /** Bytes of the page that it stands for, or as much of it as was read; unknown without a page. */
  readonly pageBytes?: number;
  /** Milliseconds that it waited for a fill. */
  readonly waited?: number;
}

/** What came of a request to the origin. */
export interface Filled {
  readonly kind: 'fill';
  readonly site: string;
  /** `whole`: an answer that isn't cut. `failed`: none, a broken one, or a 5xx. */
  readonly outcome: 'page' | 'redirect' | 'gone' | 'whole' | 'failed';
  /** Milliseconds that it took, once it was its turn. */
  readonly ms: number;
  /** Why it is whole: `origin-forbids`, `status`, `type`, `download`, `coding`, `charset`, `markup`. */
  readonly reason?: string;
  /** What of the page was left out for its size: its end, or survivors that were too much. */
  readonly limit?: 'maxScan' | 'maxPage';
  readonly error?: HeadgateError;
}

/** One more waits for a page, or one less. */
export interface Waiting {
  readonly kind: 'waiting';
  readonly site: string;
  readonly change: 1 | -1;
}

/** A message on the channel. `store-fault`: the store rejected or hung, which was taken as a miss. */
export type FedicacheEvent =
  | Answered
  | Filled
  | Waiting
  | ({ readonly kind: 'store-fault' } & StoreFault);

const events = channel('headgate:fedicache');

/** Tells those who listen, if anybody does. */
export function publish(event: FedicacheEvent): void {
  if (events.hasSubscribers) events.publish(event);
}
