/**
 * What counting costs: `./dev bench metrics`. Microseconds of CPU that the measuring points of a
 * request take in the daemon, and of a preview from memory, for Prometheus and for the page of
 * statistics; and what a scrape takes. Without sockets: set it against the "CPU µs/request" of
 * `./dev bench pass-through`.
 */
import { channel } from 'node:diagnostics_channel';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aRequest, aResponse } from '@headgate/core/testing';
import { toConfig } from 'headgate';
import { audience } from '../packages/headgate/src/audience.ts';
import { counting } from '../packages/headgate/src/counting.ts';
import { senders } from '../packages/headgate/src/sender.ts';
import { openStatistics } from '../packages/headgate/src/statistics/statistics.ts';

const TIMES = 200_000;
const ROUNDS = 7;
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

const config = await toConfig({
  state: join(tmpdir(), 'headgate-bench-keeps-nothing'),
  sites: [{ name: 'test', upstream: 'http://127.0.0.1:1', statistics: '/statistics' }],
});
const senderOf = senders();
const { layer, finished, text } = counting(audience(config, senderOf).of);
const upstream = channel('headgate:upstream');
const fedicache = channel('headgate:fedicache');
const response = aResponse();
const answer = Promise.resolve(response);
const next = () => answer;
/** Fields of its own for each, as in life: nothing that is remembered of one may help the next. */
const requestOf = (userAgent: string) =>
  aRequest({ site: 'test', headers: { 'user-agent': userAgent } });
const over = { status: 200, bytesIn: 400, bytesOut: 20_000, ms: 12, response };
const hit = { kind: 'answer', family: 'mastodon', outcome: 'hit', status: 200 };

const nothing = (userAgent: string) => () => {
  requestOf(userAgent);
};
const metrics = (userAgent: string) => () => {
  const request = requestOf(userAgent);
  void layer(request, next);
  if (userAgent === BROWSER) upstream.publish({ request, status: 200, ms: 10 });
  else fedicache.publish({ ...hit, request, bytes: 900, pageBytes: 60_000 });
  finished({ request, ...over });
  return request;
};

const rows = [
  ['a request that passes', BROWSER],
  ['a preview from memory', MASTODON],
] as const;
const alone = rows.map(([, agent]) => less(cost(metrics(agent)), cost(nothing(agent))));
const statistics = await openStatistics(config, { log: { warn: () => {} }, senderOf });
const both = rows.map(([, agent]) => {
  const count = metrics(agent);
  const counted = () => {
    const request = count();
    statistics.finished({ request, ...over });
  };
  return less(cost(counted), cost(nothing(agent)));
});

console.table(
  Object.fromEntries(
    rows.map(([name], index) => [
      name,
      { 'CPU µs, metrics': alone[index], 'CPU µs, metrics and statistics': both[index] },
    ]),
  ),
);
console.log(`A scrape: ${await scrape()} µs`);
process.exit();

/** Microseconds of CPU for each time, by round. */
function cost(work: () => void): number[] {
  return Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < TIMES; i++) work();
    return process.cpuUsage(before).user / TIMES;
  });
}

/** The median of some rounds without what the loop itself takes, and how far they are apart. */
function less(rounds: readonly number[], empty: readonly number[]): string {
  const base = median(empty);
  const [least = 0, ...more] = rounds.map((round) => round - base).toSorted((a, b) => a - b);
  return `${(median(rounds) - base).toFixed(2)} (${least.toFixed(2)} … ${more.at(-1)?.toFixed(2)})`;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function scrape(): Promise<string> {
  const before = process.cpuUsage();
  for (let i = 0; i < 100; i++) await text();
  return (process.cpuUsage(before).user / 100).toFixed(0);
}
