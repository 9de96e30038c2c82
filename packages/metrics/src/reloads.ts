/** Whether the last configuration was taken, and when. */
import type { Meters } from './meters.ts';

/** Makes the function that is told of each configuration, the first one too: was it taken? */
export function reloadMeters(
  { counter, gauge }: Meters,
  now: () => number,
): (isTaken: boolean) => void {
  // Made when there is something to tell: a gauge without labels would say 0 before that.
  const make = () => ({
    successful: gauge(
      'headgate_config_last_reload_successful',
      'Whether the last configuration was taken.',
      [],
    ),
    taken: gauge(
      'headgate_config_last_reload_success_timestamp_seconds',
      'When a configuration was taken last, in seconds since the epoch.',
      [],
    ),
    reloads: counter('headgate_config_reloads_total', 'Configurations, the first one too.', [
      'outcome',
    ]),
  });
  let made: ReturnType<typeof make> | undefined;
  return (isTaken) => {
    made ??= make();
    made.successful.set(isTaken ? 1 : 0);
    if (isTaken) made.taken.set(now() / 1000);
    made.reloads.inc({ outcome: isTaken ? 'taken' : 'refused' });
  };
}
