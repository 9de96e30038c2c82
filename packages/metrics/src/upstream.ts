/** What the upstream's answers tell. */
import type { UpstreamAnswer } from '@headgate/core';
import { SECONDS } from './buckets.ts';
import { statusLabel } from './labels.ts';
import type { Meters } from './meters.ts';

/** Makes the metrics `headgate_upstream_*`. */
export function upstreamMeters({ histogram, listen }: Meters): void {
  const durations = histogram(
    'headgate_upstream_response_duration_seconds',
    "From asking the application to the head of its response; also for what no client's request asked.",
    ['site', 'status'],
    SECONDS,
  );
  listen<UpstreamAnswer>('headgate:upstream', ({ request, status, ms }) => {
    durations.observe({ site: request.site, status: statusLabel(status) }, ms / 1000);
  });
}
