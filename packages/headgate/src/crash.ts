/** What nobody caught: it is counted and told, and the daemon ends as after a signal, but with an error. */
import { channel } from 'node:diagnostics_channel';
import type { Logger } from 'pino';

/** Its messages are `{ error, count }`, one for each error that nobody caught. */
const crashes = channel('headgate:crash');

/** Milliseconds that are left to a crashed daemon to end by itself, when its drain should be over. */
const LAST_RESORT = 2_000;

/**
 * Calls `stop` when something was thrown, or rejected, that nobody caught. What the process knows may
 * be wrong from then on, so it should finish what is under way, at most for `drain` milliseconds; it
 * ends with 1, so that whoever keeps it running starts it anew.
 */
export function onCrash(log: Logger, drain: number, stop: () => void): void {
  let count = 0;
  process.on('uncaughtException', (error) => {
    count += 1;
    log.fatal({ err: error, count }, 'an error that nobody caught');
    crashes.publish({ error, count });
    process.exitCode = 1;
    if (count === 1) setTimeout(() => process.exit(), drain + LAST_RESORT).unref();
    stop();
  });
}
