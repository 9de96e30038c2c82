/** Errors that nobody caught. */
import type { Meters } from './meters.ts';

/** Makes the metric `headgate_crashes_total`. */
export function crashMeters({ counter, listen }: Meters): void {
  const crashes = counter(
    'headgate_crashes_total',
    'Errors that nobody caught; the process ends after the first.',
    [],
  );
  listen('headgate:crash', () => crashes.inc({}));
}
