/** What fedicache tells. */
import type { ProxyRequest } from '@headgate/core';
import { SECONDS } from './buckets.ts';
import type { Meters } from './meters.ts';
import { tally } from './tally.ts';

/** What is read of a `FedicacheEvent`. This package needs none of the middleware. */
export type PreviewMessage =
  | {
      readonly kind: 'answer';
      readonly request: ProxyRequest;
      readonly family: string;
      readonly outcome: string;
      readonly status: number;
      readonly bytes?: number;
      readonly pageBytes?: number;
      readonly waited?: number;
    }
  | {
      readonly kind: 'fill';
      readonly site: string;
      readonly outcome: string;
      readonly ms: number;
      readonly reason?: string;
      readonly limit?: string;
    }
  | { readonly kind: 'waiting'; readonly site: string; readonly change: number }
  | { readonly kind: 'store-fault'; readonly operation: string };

/** Makes the metrics `headgate_preview*` and `headgate_store_faults_total`. */
export function previewMeters({ counter, gauge, histogram, listen }: Meters): void {
  const answers = counter(
    'headgate_previews_total',
    'Answers to preview fetchers: from memory (hit, stale), fetched (fill, collapsed), uncut (whole), refused (busy).',
    ['site', 'agent', 'outcome'],
  );
  const sent = counter(
    'headgate_preview_sent_bytes_total',
    'Bytes of the bodies that preview fetchers were sent; those of uncut answers are left out.',
    ['site'],
  );
  const saved = counter(
    'headgate_preview_saved_bytes_total',
    'Bytes of pages, uncompressed, that preview fetchers were not sent.',
    ['site'],
  );
  const waits = histogram(
    'headgate_preview_wait_duration_seconds',
    'How long preview fetchers waited for the application.',
    ['site'],
    SECONDS,
  );
  const waiters = tally();
  gauge(
    'headgate_preview_waiters',
    'Preview fetchers that wait for the application now.',
    ['site'],
    waiters.show,
  );
  const fills = counter(
    'headgate_preview_fills_total',
    'Pages that the application was asked for, by what came of it, and of those that were not cut why.',
    ['site', 'outcome', 'reason'],
  );
  const durations = histogram(
    'headgate_preview_fill_duration_seconds',
    'How long the application took for a page, to its last byte.',
    ['site'],
    SECONDS,
  );
  const truncated = counter(
    'headgate_preview_truncated_total',
    'Pages of which something was left out for its size, by the limit that they passed.',
    ['site', 'limit'],
  );
  const faults = counter(
    'headgate_store_faults_total',
    'Times that the store failed or took too long, which was taken as a miss.',
    ['operation'],
  );

  listen<PreviewMessage>('headgate:fedicache', (message) => {
    if (message.kind === 'answer') {
      const { request, family, outcome, status, bytes = 0, pageBytes = 0, waited } = message;
      const { site, method } = request;
      answers.inc({ site, agent: family, outcome });
      sent.inc({ site }, bytes);
      // A HEAD would have got no page, and who is told 304 might have been told so anyway.
      if (method === 'GET' && status === 200) saved.inc({ site }, Math.max(0, pageBytes - bytes));
      if (waited !== undefined) waits.observe({ site }, waited / 1000);
    } else if (message.kind === 'fill') {
      const { site, outcome, ms, reason = '', limit } = message;
      fills.inc({ site, outcome, reason });
      durations.observe({ site }, ms / 1000);
      if (limit !== undefined) truncated.inc({ site, limit });
    } else if (message.kind === 'waiting') waiters.add(message.site, message.change);
    else faults.inc({ operation: message.operation });
  });
}
