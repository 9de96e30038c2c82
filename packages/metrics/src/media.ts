/** What media-redirect tells of requests, and of the CDNs that it sends them to. */
import type { ProxyRequest } from '@headgate/core';
import type { Meters } from './meters.ts';

/** What is read of a `MediaRedirectDecision`. */
export interface MediaMessage {
  readonly request: ProxyRequest;
  readonly family: string;
  readonly outcome: string;
  readonly reason?: string;
  readonly bytes?: number;
}

/** What is read of a `CdnChange`. */
export interface CdnMessage {
  readonly cdn: string;
  readonly state: string;
}

const STATES = ['redirecting', 'unchecked', 'loop', 'down'];

/**
 * Makes the metrics `headgate_media_*` and `headgate_cdn_state`. Gives the function that forgets the
 * CDNs of a configuration that is over.
 */
export function mediaMeters({ counter, gauge, listen }: Meters): () => void {
  const decisions = counter(
    'headgate_media_requests_total',
    'Requests for files that a redirect is configured for; reason says why one was served here.',
    ['site', 'agent', 'outcome', 'reason'],
  );
  const served = counter(
    'headgate_media_served_bytes_total',
    'Bytes of those files that were served here, where the answer told its length.',
    ['site', 'reason'],
  );
  const states = gauge(
    'headgate_cdn_state',
    'What is known of a CDN: 1 for its state, 0 for the others. In loop and down, files are served here.',
    ['cdn', 'state'],
  );

  listen<MediaMessage>('headgate:media-redirect', (message) => {
    const { request, family, outcome, reason = '', bytes = 0 } = message;
    const { site, method } = request;
    decisions.inc({ site, agent: family, outcome, reason });
    // The length is what the application wrote: anything but a number would end the process.
    if (outcome === 'served' && method === 'GET' && bytes >= 0 && Number.isFinite(bytes))
      served.inc({ site, reason }, bytes);
  });
  listen<CdnMessage>('headgate:media-redirect:cdn', ({ cdn, state }) => {
    for (const each of STATES) states.set({ cdn, state: each }, each === state ? 1 : 0);
  });
  return () => states.reset();
}
