/** Remembers how long the upstream took, until the exchange is over and somebody asks. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { UpstreamAnswer } from '@headgate/core';

/** Milliseconds that the upstream took, by the id of the request. */
export interface UpstreamTimes {
  /** Tells it once. */
  readonly take: (id: string) => number | undefined;
  readonly close: () => void;
}

/** As many are kept: an answer to a refresh in the background may come when its exchange is over. */
const MAX_KEPT = 10_000;

/** Listens to the channel `headgate:upstream` until it is closed. */
export function upstreamTimes(): UpstreamTimes {
  const times = new Map<string, number>();
  const onAnswer = (message: unknown) => {
    const { request, ms } = message as UpstreamAnswer;
    times.set(request.id, ms);
    if (times.size <= MAX_KEPT) return;
    const [oldest = ''] = times.keys();
    times.delete(oldest);
  };
  subscribe('headgate:upstream', onAnswer);
  return {
    take: (id) => {
      const ms = times.get(id);
      times.delete(id);
      return ms;
    },
    close: () => {
      unsubscribe('headgate:upstream', onAnswer);
    },
  };
}
