/** What is known of one site since its statistics began. */
import { z } from 'zod';
import { day, PIECES, type Piece, pieceSchema } from './day.ts';
import { lastHour } from './last-hour.ts';
import { servers } from './servers.ts';
import { MAX_STAMPEDES, type Stampede, stampedeSchema, stampedes } from './stampedes.ts';
import type { Counted } from './top-list.ts';

const count = z.int().min(0);
const family = z.string().regex(/^[a-z0-9-]+$/);

const totalsSchema = z.strictObject({
  /** Requests that were answered. */
  requests: count,
  /** Bytes of all bodies that were sent. */
  served: count,
  /** Answers to preview fetchers. */
  previews: count,
  /** Those of them for which the application was not asked, or only for another. */
  spared: count,
  /** Pages that the application was asked for because of them. */
  fetches: count,
  /** Bytes of pages, uncompressed, that fetchers were not sent. */
  saved: count,
});

/** What is only ever added to. */
export type Totals = z.output<typeof totalsSchema>;

const softwareSchema = z.strictObject({ previews: count, requests: count });

/** What is kept of a site in a file: no address, no path, no name of a server. */
export const siteSchema = z.strictObject({
  since: count,
  totals: totalsSchema,
  software: z.record(family, softwareSchema),
  servers: z.record(family, z.base64()),
  day: z.array(pieceSchema).max(PIECES),
  stampedes: z.array(stampedeSchema).max(MAX_STAMPEDES),
});

/** A site's statistics as they are kept. */
export type SiteState = z.output<typeof siteSchema>;

/** What a software asked for. */
export interface SoftwareReport {
  /** Its label, such as `mastodon`. */
  readonly family: string;
  readonly servers: number;
  readonly previews: number;
  /** All its requests, previews too. */
  readonly requests: number;
}

/** What there is to show. Times are in milliseconds since the epoch. */
export interface Report {
  readonly site: string;
  readonly since: number;
  readonly now: number;
  readonly totals: Readonly<Totals>;
  readonly servers: { readonly count: number; readonly isMore: boolean };
  /** Those that asked most first. */
  readonly software: readonly SoftwareReport[];
  readonly day: readonly Piece[];
  readonly stampedes: readonly Stampede[];
  readonly lastHour: {
    readonly pages: readonly Counted[];
    readonly servers: readonly Counted[];
  };
}

/** Somebody whose software is known. */
export interface Known {
  readonly family: string;
  /** The name of its server, if it says one. */
  readonly server?: string;
}

/** A preview that was answered. */
export interface Preview {
  readonly family: string;
  /** Its URL without the query. */
  readonly page: string;
  /** False when there is no such page: strangers ask for anything. */
  readonly isThere: boolean;
  readonly isSpared: boolean;
  readonly saved: number;
}

/** The statistics of one site. */
export interface SiteStatistics {
  answered(bytes: number, sender: Known | undefined, now: number): void;
  previewed(preview: Preview, now: number): void;
  fetched(now: number): void;
  report(site: string, now: number): Report;
  toState(now: number): SiteState;
}

/** Begins, or goes on from what was kept. */
export function siteStatistics(begun: number, kept?: SiteState): SiteStatistics {
  const since = kept?.since ?? begun;
  const totals: Totals = { ...(kept?.totals ?? NOTHING) };
  const software = new Map(
    Object.entries(kept?.software ?? {}).map(([name, counts]) => [name, { ...counts }]),
  );
  const known = servers(kept?.servers);
  const lately = day(kept?.day);
  const rushes = stampedes(kept?.stampedes);
  const pages = lastHour();
  const names = lastHour();

  const of = (name: string) => {
    const counts = software.get(name) ?? { previews: 0, requests: 0 };
    software.set(name, counts);
    return counts;
  };

  return {
    answered: (bytes, sender, now) => {
      totals.requests += 1;
      totals.served += bytes;
      lately.add('requests', now);
      if (!sender) return;
      of(sender.family).requests += 1;
      if (sender.server === undefined) return;
      known.add(sender.server, sender.family);
      names.add(sender.server, now);
    },
    previewed: ({ family: name, page, isThere, isSpared, saved }, now) => {
      totals.previews += 1;
      if (isSpared) totals.spared += 1;
      totals.saved += saved;
      of(name).previews += 1;
      lately.add('previews', now);
      rushes.add(page, now);
      if (isThere) pages.add(page, now);
    },
    fetched: (now) => {
      totals.fetches += 1;
      lately.add('fetches', now);
    },
    report: (site, now) => ({
      site,
      since: Math.min(since, now), // a clock may be behind, at a machine's start most often
      now,
      totals: { ...totals },
      servers: { count: known.size, isMore: known.isFull },
      software: Array.from(software, ([name, counts]) => ({
        family: name,
        servers: known.of(name),
        ...counts,
      })).sort((one, other) => other.previews - one.previews || other.requests - one.requests),
      day: lately.pieces(now).map((piece) => ({ ...piece })),
      stampedes: rushes.all(now).map((stampede) => ({ ...stampede })),
      lastHour: { pages: pages.top(now), servers: names.top(now) },
    }),
    toState: (now) => ({
      since,
      totals: { ...totals },
      software: Object.fromEntries(software),
      servers: known.toState(),
      day: [...lately.pieces(now)],
      stampedes: [...rushes.all(now)],
    }),
  };
}

const NOTHING: Totals = { requests: 0, served: 0, previews: 0, spared: 0, fetches: 0, saved: 0 };
