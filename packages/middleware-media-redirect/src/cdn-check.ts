/**
 * Whether people may be redirected to a CDN: not while it sends them back here, and not while it fails
 * the health check, if there is one.
 */
import { randomBytes } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';
import { hostOf } from './host.ts';
import type { Settings } from './options.ts';

/**
 * What is known of a CDN from now on; the message on the channel `headgate:media-redirect:cdn`,
 * published when it changes.
 */
export interface CdnChange {
  /** Scheme and host of the CDN. */
  readonly cdn: string;
  /**
   * `redirecting`: people are sent there. `unchecked`: they are, but it gave no answer when it was
   * checked for a loop. `loop`: it sends them back here, so they are served. `down`: it fails the
   * health check, so they are served.
   */
  readonly state: 'redirecting' | 'unchecked' | 'loop' | 'down';
  /** What an operator should know or do, in a sentence; `''` when all is well. */
  readonly advice: string;
}

/** A CDN, and what is known of it. */
export interface Cdn {
  /**
   * Why nobody may be sent there now, or nothing. `host` is where people are. The first call waits
   * for the first check; later ones only start the next when it is due.
   */
  readonly trouble: (host: string) => Promise<'loop' | 'down' | undefined>;
  /** Told of every check that came here and was not recognised as a pull. */
  readonly cameBack: (rest: string) => void;
  readonly close: () => void;
}

/** What a check needs to know. */
export interface CheckOptions {
  /** The base URL of a rule, below which a path is asked for that nothing stands at. */
  readonly base: string;
  readonly health: Settings['health'];
  /** Other hosts of the site, in the form of `hostOf`. */
  readonly hosts: ReadonlySet<string>;
  /** The time in milliseconds since the epoch. */
  readonly now: () => number;
}

const changes = channel('headgate:media-redirect:cdn');

/** How the path of a check begins behind the rule's folder. */
const CHECK = 'headgate-check-';

/** Milliseconds from a check to the next: when all was well, and when it wasn't. */
const CALM = 600_000;
const TROUBLED = 60_000;

/** Milliseconds that the CDN has for the answer to a check. */
const PATIENCE = 5_000;

const ADVICE = {
  redirecting: '',
  unchecked: 'it gave no answer to the check; see whether this server can reach it',
  loop: 'people are served from here, since it sends them back: set originPull.secret and make the CDN send it',
  down: 'people are served from here until it passes the health check',
} as const;

/**
 * True for the path of a check, here or in another process: it must be answered at once, as if all
 * was well with the CDN, since how it is answered is what is being checked.
 */
export function isCheck(rest: string): boolean {
  return rest.startsWith(CHECK);
}

/** Makes the record of one CDN. Nothing is asked before the first call of `trouble`. */
export function cdnCheck({ base, health, hosts, now }: CheckOptions): Cdn {
  const { href, origin } = new URL(base);
  const closing = new AbortController();
  let verdict: 'redirecting' | 'unchecked' | 'loop' = 'unchecked';
  let isDown = false;
  let state: CdnChange['state'] | undefined;
  let due = Number.NEGATIVE_INFINITY;
  let token = '';
  let hasComeBack = false;
  let loopCheck: Promise<void> | undefined;
  let healthCheck: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const ask = async (url: string, patience: number) => {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { 'user-agent': 'Headgate (CDN check)' },
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(patience)]),
    });
    await response.body?.cancel();
    return response;
  };

  /** True when a redirect leads to a host of the site, or in a circle. */
  const leadsBack = (location: string | null, asked: string, host: string) => {
    const url = location === null ? null : URL.parse(location, asked);
    if (!url) return false;
    const target = hostOf(url.host);
    return url.href === asked || target === host || hosts.has(target);
  };

  const checkForLoop = async (host: string) => {
    token = CHECK + randomBytes(8).toString('hex'); // in no cache, and nobody's guess
    hasComeBack = false;
    const url = href + token;
    try {
      const { headers } = await ask(url, PATIENCE);
      const isLoop = hasComeBack || leadsBack(headers.get('location'), url, host);
      verdict = isLoop ? 'loop' : 'redirecting';
    } catch {
      verdict = hasComeBack ? 'loop' : 'unchecked'; // some follow the circle until they give up
    }
    due = now() + (verdict === 'redirecting' ? CALM : TROUBLED);
    loopCheck = undefined;
    tell();
  };

  const checkHealth = async ({ path, timeout, status, type = '' }: NonNullable<typeof health>) => {
    try {
      const response = await ask(origin + path, timeout);
      const given = response.headers.get('content-type') ?? '';
      isDown = response.status !== status || !given.startsWith(type);
    } catch {
      isDown = true;
    }
    healthCheck = undefined;
    tell();
  };

  const tell = () => {
    const isFirst = state === undefined && (loopCheck ?? healthCheck) !== undefined;
    const next = isDown && verdict !== 'loop' ? 'down' : verdict;
    if (isFirst || next === state || closing.signal.aborted) return;
    state = next;
    changes.publish({ cdn: origin, state, advice: ADVICE[state] } satisfies CdnChange);
  };

  return {
    trouble: async (host) => {
      if (closing.signal.aborted) return undefined;
      if (now() >= due) loopCheck ??= checkForLoop(host);
      if (health && !timer) {
        const check = () => {
          healthCheck ??= checkHealth(health);
        };
        timer = setInterval(check, health.interval).unref();
        check();
      }
      if (state === undefined) await Promise.all([loopCheck, healthCheck]);
      if (verdict === 'loop') return 'loop';
      return isDown ? 'down' : undefined;
    },
    cameBack: (rest) => {
      if (rest === token) hasComeBack = true;
    },
    close: () => {
      clearInterval(timer);
      closing.abort();
    },
  };
}
