/**
 * What counting costs: `./dev bench metrics`. Microseconds of CPU that the measuring points of a
 * request take, and of a preview from memory; and what a scrape takes. Without sockets: set it against
 * the "CPU µs/request" of `./dev bench pass-through`.
 */
import { channel } from 'node:diagnostics_channel';
import { aRequest, aResponse } from '@headgate/core/testing';
import { instrument, processRegistry } from '@headgate/metrics';

const TIMES = 300_000;
const ROUNDS = 5;

const register = processRegistry();
const { layer, finished } = instrument(register);
const upstream = channel('headgate:upstream');
const fedicache = channel('headgate:fedicache');
const request = aRequest();
const response = aResponse();
const answer = Promise.resolve(response);
const next = () => answer;
const over = { request, status: 200, bytesIn: 400, bytesOut: 20_000, ms: 12, response };
const hit = { kind: 'answer', request, family: 'mastodon', outcome: 'hit', status: 200 };

const passed = () => {
  void layer(request, next);
  upstream.publish({ request, status: 200, ms: 10 });
  finished(over);
};
const preview = () => {
  void layer(request, next);
  fedicache.publish({ ...hit, bytes: 900, pageBytes: 60_000 });
  finished(over);
};

console.table({
  'a request that passes': { 'CPU µs': cost(passed) },
  'a preview from memory': { 'CPU µs': cost(preview) },
  'a scrape': { 'CPU µs': await scrape() },
});
process.exit();

/** The median of some rounds. */
function cost(work: () => void): string {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < TIMES; i++) work();
    return process.cpuUsage(before).user / TIMES;
  });
  return (rounds.toSorted((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN).toFixed(2);
}

async function scrape(): Promise<string> {
  const before = process.cpuUsage();
  for (let i = 0; i < 100; i++) await register.metrics();
  return (process.cpuUsage(before).user / 100).toFixed(0);
}
