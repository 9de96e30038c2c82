/** Waiting for a page that is being fetched: how many may, and for how long. */
import {
  type CacheStore,
  discard,
  field,
  type Handler,
  HeadgateError,
  type ProxyResponse,
} from '@headgate/core';
import { readable } from './decoding.ts';
import { decode } from './entry.ts';
import { publish } from './events.ts';
import type { Fill, Wanted } from './fill.ts';
import type { Settings } from './options.ts';
import type { Asking, Replies } from './replies.ts';

/** What one waits with. */
export interface WaitingParts {
  readonly store: Pick<CacheStore, 'collapse'>;
  readonly fill: Fill;
  readonly reply: Replies;
  readonly now: () => number;
}

/**
 * Gives the function that answers one who must wait, with what a fill brings, its own or another's.
 * After `waitTimeout`, and at once if `maxWaiting` wait or are in line already, it answers with the stale
 * page, else 503; the fill goes on.
 */
export function waitingRoom(
  { waitTimeout, maxWaiting }: Settings,
  { store, fill, reply, now }: WaitingParts,
): (
  key: string,
  wanted: Omit<Wanted, 'onWhole'>,
  asking: Asking,
  next: Handler,
) => Promise<ProxyResponse> {
  let waiting = 0;

  return async (key, wanted, asking, next) => {
    const began = now();
    const sinceThen = () => ({ waited: now() - began, hadStale: wanted.stale !== undefined });
    const giveUp = () =>
      wanted.stale
        ? reply.give(asking, 'stale', wanted.stale, sinceThen())
        : reply.refuse(asking, now() - began);
    if (waiting >= maxWaiting) return giveUp();

    let isHere = true;
    let isOwn = false;
    let whole: ProxyResponse | undefined;
    const onWhole = (response: ProxyResponse) => {
      if (isHere) whole = response;
      return isHere;
    };
    const fetch = () =>
      store.collapse(key, (keep) => {
        isOwn = true;
        return fill({ ...wanted, onWhole }, keep);
      });
    /** An application may give up with the client that asked it, while others still wait. */
    const fetchUntilDone = async (): Promise<Buffer | undefined> => {
      try {
        return await fetch();
      } catch (error) {
        const code = error instanceof HeadgateError ? error.code : undefined;
        if (code === 'OVERLOADED') return undefined;
        if (isOwn || code !== 'CLIENT_GONE' || !isHere) throw error;
        return fetchUntilDone();
      }
    };

    const { site } = asking.request;
    waiting += 1;
    publish({ kind: 'waiting', site, change: 1 });
    const tooLong = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => tooLong.resolve(undefined), waitTimeout);
    try {
      const bytes = await Promise.race([fetchUntilDone(), tooLong.promise]);
      const entry = bytes && decode(bytes);
      if (entry === undefined) {
        if (whole) discard(whole.body); // it came while the store was slow to keep the reason
        return giveUp();
      }
      if (entry.kind === 'answer') {
        const outcome = entry.retryAt !== undefined ? 'stale' : isOwn ? 'fill' : 'collapsed';
        return reply.give(asking, outcome, entry, sinceThen());
      }
      const accepted = field(asking.request.headers, 'accept-encoding');
      const response = whole && readable(whole, accepted);
      return await reply.pass(asking, response ? async () => response : next, entry.reason);
    } finally {
      isHere = false;
      waiting -= 1;
      publish({ kind: 'waiting', site, change: -1 });
      clearTimeout(timer);
    }
  };
}
