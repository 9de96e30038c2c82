/** Certificates that are ordered, kept and renewed by themselves (RFC 8555). */
import { channel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { CERTIFICATE_CHANNEL, type CertificateSource, type Pair } from '../tls/certificates.ts';
import { openAuthority } from './authority.ts';
import { type ChallengeType, type Presenting, presenting } from './challenges.ts';
import { checkNames } from './names.ts';
import { order } from './order.ts';
import type { DatedPair } from './pair.ts';
import { adviceFor, problemOf } from './problem.ts';
import { type Attempt, nextAttempt, postponed, remembered, renewalTime } from './schedule.ts';
import { openState } from './state.ts';

/** Where time comes from. */
export interface Clock {
  readonly now: () => number;
  /** Resolves after `ms` milliseconds, rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** What must be known to get certificates. */
export interface AcmeOptions {
  /** Each gets a certificate of its own: a name that fails takes no other with it. */
  readonly names: readonly string[];
  /** Where the authority writes to, if it writes. */
  readonly email?: string | undefined;
  /** URL of the authority's directory. That the operator agrees to its terms is taken for granted. */
  readonly directory: string;
  readonly challenge: ChallengeType;
  /** The folder for the account, certificates and failed attempts. */
  readonly state: string;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly clock?: Clock;
}

/** Certificates from an authority. */
export interface Acme extends CertificateSource, Omit<Presenting, 'present'> {
  /** Begins to ask for what is missing or due. Call it when challenges can be answered. */
  readonly begin: () => void;
  /** Asks for these names from now on, and no more for others. Rejects as `acme` does. */
  readonly want: (names: readonly string[]) => Promise<void>;
}

/** Milliseconds between two looks at the clock, which may have been set or have slept meanwhile. */
const LOOK = 60 * 60_000;

/** Milliseconds that all of one order may take: more than each of its steps in turn. */
const LONGEST = 15 * 60_000;

const REAL: Clock = {
  now: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, { signal, ref: false }),
};

/**
 * Takes the certificates that are kept; gets the others when it is told to begin, one after another,
 * and renews them. Rejects with a `TypeError` for names that can't be certified and a state that can't
 * be used; what fails later is logged and tried again.
 */
export async function acme({
  names,
  email,
  directory,
  challenge,
  state: folder,
  log,
  clock = REAL,
}: AcmeOptions): Promise<Acme> {
  checkNames(names);
  let wanted: readonly string[] = [];
  const state = await openState(folder, directory, (message) => log.warn(message));
  const held = new Map<string, { readonly pair: Pair; readonly renewal: number }>();
  const attempts = new Map<string, Attempt>();
  for (const [name, attempt] of state.attempts)
    attempts.set(name, remembered(clock.now(), attempt));
  const { present, ...answering } = presenting(challenge);
  const certificates = channel(CERTIFICATE_CHANNEL);
  const listeners: (() => void)[] = [];
  const stopping = new AbortController();
  let nap = new AbortController();

  const take = (name: string, pair: DatedPair) => {
    held.set(name, { pair, renewal: renewalTime(pair) });
    certificates.publish({ names: [name], notAfter: pair.notAfter });
  };
  const tell = () => {
    for (const told of listeners) told();
  };
  const want = async (names: readonly string[]) => {
    const next = checkNames(names);
    for (const name of next) {
      const pair = held.has(name) ? undefined : await state.pairFor(name);
      if (pair) take(name, pair);
    }
    for (const name of held.keys()) if (!next.includes(name)) held.delete(name);
    wanted = next;
    tell();
    nap.abort();
  };
  const obtain = async (name: string) => {
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(LONGEST)]);
    const { accountKey } = state;
    const authority = await openAuthority(directory, { key: accountKey, email }, signal);
    const pair = await order(name, authority, { challenge, signal, present });
    take(name, pair);
    // By a clock that is far ahead it would be ordered over and over: then it waits as after a failure.
    const isDue = (held.get(name)?.renewal ?? 0) <= clock.now();
    if (!isDue) attempts.delete(name);
    try {
      await state.keepPair(name, pair);
      await state.keepAttempts(attempts);
    } catch (error) {
      const said = `the certificate for ${name} is in use, but will be lost at the next start`;
      log.error({ name }, `${said}: ${(error as Error).message}`);
    }
    tell();
    log.info({ name, terms: authority.terms }, `got a certificate for ${name}`);
    if (isDue)
      log.warn({ name }, `the certificate for ${name} is due again at once: is the clock right?`);
  };
  const attempt = async (name: string) => {
    attempts.set(name, nextAttempt(clock.now(), attempts.get(name)));
    try {
      // Before the order: who is started over and over shall wait, and a full disk orders nothing.
      await state.keepAttempts(attempts);
    } catch (error) {
      log.error({ name }, `no certificate ordered for ${name}: ${(error as Error).message}`);
      return;
    }
    try {
      await obtain(name);
    } catch (error) {
      if (!stopping.signal.aborted) await failed(name, error as Error);
    }
  };
  const failed = async (name: string, error: Error) => {
    const { retryAfter, type } = problemOf(error) ?? {};
    const now = clock.now();
    let next = attempts.get(name) ?? nextAttempt(now, undefined);
    if (retryAfter !== undefined) next = postponed(now, next, retryAfter);
    attempts.set(name, next);
    await state.keepAttempts(attempts).catch(() => {}); // it is kept in memory
    const check = adviceFor(error, { name, challenge });
    const again = new Date(next.after).toISOString();
    log.error({ name, type, check, again }, `no certificate for ${name}: ${error.message}`);
  };

  const dueTime = (name: string) =>
    Math.max(held.get(name)?.renewal ?? 0, attempts.get(name)?.after ?? 0);
  const work = async () => {
    while (!stopping.signal.aborted) {
      for (const name of wanted) {
        const isDue = wanted.includes(name) && dueTime(name) <= clock.now();
        if (isDue && !stopping.signal.aborted) await attempt(name);
      }
      nap = new AbortController();
      const next = Math.min(...wanted.map(dueTime)) - clock.now();
      const signal = AbortSignal.any([stopping.signal, nap.signal]);
      await clock.sleep(Math.min(Math.max(next, 0), LOOK), signal).catch(() => {});
    }
  };

  await want(names);
  let working: Promise<void> | undefined;
  return {
    pairFor: (name) => {
      const found = name === '' ? wanted.find((one) => held.has(one)) : name.toLowerCase();
      return held.get(found ?? '')?.pair;
    },
    onChange: (told) => {
      listeners.push(told);
    },
    ...answering,
    want,
    begin: () => {
      for (const name of wanted) {
        const after = attempts.get(name)?.after ?? 0;
        if (held.has(name) || after <= clock.now()) continue;
        const again = new Date(after).toISOString();
        log.warn({ name, again }, `what failed before is tried again later: ${name} must wait`);
      }
      working ??= work();
    },
    stop: async () => {
      stopping.abort();
      await working;
    },
  };
}
