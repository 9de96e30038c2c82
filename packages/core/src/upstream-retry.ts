/** Tells on a channel that an upstream is asked once more. */
import { channel } from 'node:diagnostics_channel';
import type { ProxyRequest } from './exchange.ts';

/** A request is sent again; the message on the channel `headgate:upstream:retry`. */
export interface UpstreamRetry {
  readonly request: ProxyRequest;
  /**
   * `stale-connection`: one that was kept had been closed meanwhile. `no-connection`: none could be made.
   * `other-address`: another address of the same upstream is asked.
   */
  readonly reason: 'stale-connection' | 'no-connection' | 'other-address';
}

const retries = channel('headgate:upstream:retry');

/** Tells those who listen, if anybody does. */
export function tellRetry(request: ProxyRequest, reason: UpstreamRetry['reason']): void {
  if (retries.hasSubscribers) retries.publish({ request, reason } satisfies UpstreamRetry);
}
