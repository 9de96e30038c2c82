/** Logs what becomes known of a CDN, and what to do about it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { CdnChange } from '@headgate/middleware-media-redirect';
import type { Logger } from 'pino';

const CHANNEL = 'headgate:media-redirect:cdn';

/** Begins to log; returns what ends it. */
export function cdnLog(log: Pick<Logger, 'info' | 'warn'>): () => void {
  const listener = (message: unknown) => {
    const { cdn, state, advice } = message as CdnChange;
    if (state === 'redirecting') log.info({ cdn, state }, 'the CDN is well: people are sent there');
    else log.warn({ cdn, state }, advice);
  };
  subscribe(CHANNEL, listener);
  return () => unsubscribe(CHANNEL, listener);
}
