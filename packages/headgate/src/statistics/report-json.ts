/** A report for programs: times in ISO 8601, sizes in bytes. */
import type { Report } from './site-statistics.ts';

/** The report as it is written in JSON. */
export function toJson(report: Report) {
  const { site, since, now, totals, servers, software, day, stampedes, lastHour } = report;
  const { requests, served, previews, spared, fetches, saved } = totals;
  return {
    site,
    since: iso(since),
    now: iso(now),
    requests,
    bytesServed: served,
    previews: { answered: previews, fromMemory: spared, pagesFetched: fetches, bytesSaved: saved },
    servers,
    software,
    lastDay: {
      stampedes: stampedes.map(({ at, previews, peak }) => ({
        began: iso(at),
        previews,
        mostInAMinute: peak,
      })),
      fiveMinutes: day.map(({ at, ...counts }) => ({ began: iso(at), ...counts })),
    },
    lastHour,
  };
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
