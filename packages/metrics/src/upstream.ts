/** What the upstream's answers tell, and the lack of them. */
import type { UpstreamAnswer, UpstreamRetry } from '@headgate/core';
import { SECONDS } from './buckets.ts';
import { statusLabel } from './labels.ts';
import type { Meters } from './meters.ts';

/** Makes the metrics `headgate_upstream_*`. */
export function upstreamMeters({ counter, histogram, listen }: Meters): void {
  const durations = histogram(
    'headgate_upstream_response_duration_seconds',
    "From asking the application to the head of its response; also for what no client's request asked.",
    ['site', 'status'],
    SECONDS,
  );
  const retries = counter(
    'headgate_upstream_retries_total',
    'Requests that the application was sent once more, by why.',
    ['site', 'reason'],
  );
  listen<UpstreamRetry>('headgate:upstream:retry', ({ request, reason }) => {
    retries.inc({ site: request.site, reason });
  });
  listen<UpstreamAnswer>('headgate:upstream', ({ request, status, ms }) => {
    durations.observe({ site: request.site, status: statusLabel(status) }, ms / 1000);
  });
}
