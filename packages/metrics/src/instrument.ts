/** Counts what Headgate does, in a Registry of the caller's. */
import { readFileSync } from 'node:fs';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { certificateMeters } from './certificates.ts';
import { crashMeters } from './crashes.ts';
import { cspMeters } from './csp.ts';
import { mediaMeters } from './media.ts';
import { meters } from './meters.ts';
import { previewMeters } from './previews.ts';
import { reloadMeters } from './reloads.ts';
import { type Audience, type RequestMeters, requestMeters } from './requests.ts';
import { upstreamMeters } from './upstream.ts';
import { type Watched, watch } from './watching.ts';

/**
 * What is counting. An application that uses the middleware needs nothing of it: they tell by
 * themselves. A server made by `createServer` has `finished`, `layer` and `tunnel`.
 */
export interface Instruments extends RequestMeters {
  /** Adds what is looked up for each scrape. Each of them once. */
  readonly watch: (watched: Watched) => void;
  /** Told of each configuration, the first one too: was it taken? */
  readonly reloaded: (isTaken: boolean) => void;
  /** Counts no more, and takes the metrics out of the Registry. */
  readonly stop: () => void;
}

/** What only code can pass. */
export interface InstrumentParts {
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** Counts requests by host and sender too. What it gives must be of small sets. */
  readonly audience?: Audience;
}

/**
 * Listens to what all of Headgate's middleware in this process tell, and counts it in `register`.
 * Every label's values are of a small set: nothing that a client sends is one. Throws a `TypeError`
 * for what is no Registry, and prom-client's error for one that is instrumented already.
 */
export function instrument(
  register: Registry,
  { now = Date.now, audience }: InstrumentParts = {},
): Instruments {
  if (typeof register?.registerMetric !== 'function')
    throw new TypeError(
      'instrument: register must be a Registry of prom-client, such as new Registry() or its global one, register',
    );
  const all = meters(register);
  const requests = requestMeters(all, audience);
  upstreamMeters(all);
  previewMeters(all);
  const forgetCdns = mediaMeters(all);
  cspMeters(all);
  certificateMeters(all);
  crashMeters(all);
  const tellReload = reloadMeters(all, now);
  const info = all.gauge('headgate_build_info', 'The version that runs; always 1.', [
    'version',
    'node',
  ]);
  info.set({ version: version(), node: process.versions.node }, 1);
  return {
    ...requests,
    watch: (watched) => watch(all, watched),
    reloaded: (isTaken) => {
      tellReload(isTaken);
      // Its layers check their CDNs anew, and tell what they find.
      if (isTaken) forgetCdns();
    },
    stop: all.stop,
  };
}

/**
 * A Registry of its own with what prom-client tells of the process: memory, CPU, the event loop's lag,
 * garbage collection.
 */
export function processRegistry(): Registry {
  const register = new Registry();
  collectDefaultMetrics({ register });
  return register;
}

function version(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return JSON.parse(manifest).version;
}
