/** When a certificate is renewed, and when a failed order is tried again. */

const MINUTE = 60_000;

/**
 * Milliseconds after the first failure, doubled by each further one. At most five fail in an hour: the
 * limit that Let's Encrypt has for a name.
 */
const FIRST_DELAY = 2 * MINUTE;

/** The longest of these: who has mended DNS shall not wait for a day. */
const LONGEST_DELAY = 6 * 60 * MINUTE;

/** The longest that an authority can make wait. */
const LONGEST_ASKED = 24 * 60 * MINUTE;

/** Up to so much of a certificate's life, renewals that began together drift apart. */
const DRIFT = 0.05;

/** What failed for a name, in a row. */
export interface Attempt {
  readonly failures: number;
  /** Not before this time, in milliseconds. */
  readonly after: number;
}

/** The time to renew at: two thirds of the life, or a little before. */
export function renewalTime({
  notBefore,
  notAfter,
}: {
  readonly notBefore: number;
  readonly notAfter: number;
}): number {
  return notBefore + (notAfter - notBefore) * (2 / 3 - Math.random() * DRIFT);
}

/** What an attempt that begins now comes to if it fails, given what failed before it. */
export function nextAttempt(now: number, before: Attempt | undefined): Attempt {
  const failures = (before?.failures ?? 0) + 1;
  const delay = Math.min(FIRST_DELAY * 2 ** (failures - 1), LONGEST_DELAY);
  return { failures, after: now + delay * (1 + Math.random() * 0.2) };
}

/** The same attempt where the authority asked to wait so long. */
export function postponed(now: number, attempt: Attempt, asked: number): Attempt {
  return { ...attempt, after: Math.max(attempt.after, now + Math.min(asked, LONGEST_ASKED)) };
}

/** An attempt as it was written down, which must not wait for ever because a clock was wrong then. */
export function remembered(now: number, attempt: Attempt): Attempt {
  return { ...attempt, after: Math.min(attempt.after, now + LONGEST_ASKED) };
}
