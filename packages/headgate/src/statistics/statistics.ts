/** The statistics of all sites that somebody can look at: what they are made of, and where they are kept. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { type Finished, field, type Middleware, type ProxyRequest } from '@headgate/core';
import type { Answered, FedicacheEvent } from '@headgate/middleware-fedicache';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Config } from '../config/configure.ts';
import type { Sender } from '../sender.ts';
import { publicPages } from './public-pages.ts';
import { serverName } from './server-name.ts';
import {
  type Known,
  type Report,
  type SiteStatistics,
  siteSchema,
  siteStatistics,
} from './site-statistics.ts';
import { readState, writeState } from './state-file.ts';

/** What statistics need. */
export interface StatisticsParts {
  readonly log: Pick<Logger, 'warn'>;
  readonly senderOf: (request: ProxyRequest) => Sender;
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** Statistics at work. */
export interface Statistics {
  /** Looks after the sites of a configuration that has come into force. */
  follow(config: Config): void;
  /** Told of every exchange when it is over. */
  readonly finished: (exchange: Finished) => void;
  /** Answers for the sites that show their statistics at a path. Goes outermost. */
  readonly layer: Middleware;
  /** A report on each site. */
  reports(): Report[];
  /** Keeps what is known, and counts no more. */
  close(): Promise<void>;
}

const stateSchema = z.strictObject({
  version: z.literal(1),
  sites: z.record(z.string(), siteSchema),
});

/** Milliseconds between two writings, if there is something new. */
const KEEP = 60_000;

const SPARED: ReadonlySet<string> = new Set(['hit', 'stale', 'collapsed']);
const SWITCHED = 101;

/**
 * Begins to count for the sites that `config` shows: all of them where there is an admin server, else those
 * with a page of their own. Goes on from what the state folder has; what can't be read there begins anew,
 * which is logged.
 */
export async function openStatistics(
  config: Config,
  { log, senderOf, now = Date.now }: StatisticsParts,
): Promise<Statistics> {
  const path = join(config.state, 'statistics.json');
  const kept = await readState(path, stateSchema).catch((error: Error) => {
    log.warn({ file: path, reason: error.message }, 'the statistics begin anew: theirs is damaged');
  });
  const known = new Map(Object.entries(kept?.sites ?? {}));
  let sites = new Map<string, SiteStatistics>();
  let pages = publicPages(config, report);
  let hasNews = false;
  let isKeeping = true;

  function report(site: string): Report | undefined {
    return sites.get(site)?.report(site, now());
  }

  const follow = (next: Config) => {
    const shown = next.sites.filter(({ statistics }) => next.admin || statistics);
    for (const [name, site] of sites) known.set(name, site.toState(now())); // one may come back
    sites = new Map(
      shown.map(({ name }) => [name, sites.get(name) ?? siteStatistics(now(), known.get(name))]),
    );
    pages = publicPages(next, report);
  };

  const finished = ({ request, status, bytesOut, error }: Finished) => {
    const site = sites.get(request.site);
    if (!site || error || status === SWITCHED) return;
    site.answered(bytesOut, toKnown(request, senderOf(request)), now());
    hasNews = true;
  };

  const onFedicache = (message: unknown) => {
    const event = message as FedicacheEvent;
    if (event.kind === 'answer') sites.get(event.request.site)?.previewed(toPreview(event), now());
    else if (event.kind === 'fill') sites.get(event.site)?.fetched(now());
  };

  const keep = async () => {
    if (!hasNews) return;
    hasNews = false;
    const state = Array.from(sites, ([name, site]) => [name, site.toState(now())]);
    try {
      await writeState(path, { version: 1, sites: Object.fromEntries(state) });
      isKeeping = true;
    } catch (error) {
      hasNews = true;
      if (isKeeping)
        log.warn(
          { file: path, reason: (error as Error).message },
          'the statistics can’t be kept: set state to a folder that Headgate may write to',
        );
      isKeeping = false;
    }
  };
  let last = Promise.resolve();
  const inTurn = () => {
    last = last.then(keep);
    return last;
  };

  follow(config);
  subscribe('headgate:fedicache', onFedicache);
  const timer = setInterval(inTurn, KEEP).unref();
  return {
    follow,
    finished,
    layer: (request, next) => {
      const own = pages(request);
      return own ? Promise.resolve(own) : next(request);
    },
    reports: () => Array.from(sites, ([name, site]) => site.report(name, now())),
    close: async () => {
      clearInterval(timer);
      unsubscribe('headgate:fedicache', onFedicache);
      await inTurn();
    },
  };
}

function toKnown({ headers }: ProxyRequest, { family, kind }: Sender): Known | undefined {
  if (family === 'other') return undefined;
  const server = kind === 'fediverse' ? serverName(field(headers, 'user-agent') ?? '') : undefined;
  return { family, ...(server !== undefined && { server }) };
}

function toPreview({ request, family, outcome, status, bytes = 0, pageBytes = 0 }: Answered) {
  const { method, scheme, headers, url } = request;
  const isSent = method === 'GET' && status === 200; // a HEAD or a 304 saves no page
  return {
    family,
    page: `${scheme}://${field(headers, 'host')}${url.split('?', 1)[0]}`,
    isThere: status < 400 && outcome !== 'busy',
    isSpared: SPARED.has(outcome),
    saved: isSent ? Math.max(0, pageBytes - bytes) : 0,
  };
}
