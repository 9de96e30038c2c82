/** A real Prometheus scrapes what is counted, and finds what was sent. */
import { createServer } from 'node:http';
import { compose } from '@headgate/core';
import { upstreamTo } from '@headgate/core/upstream';
import { instrument, processRegistry } from '@headgate/metrics';
import { fedicache } from '@headgate/middleware-fedicache';
import { memoryStore } from '@headgate/store';
import t, { type Test } from 'tap';
import { front, listen } from '../../core/test/wire.ts';
import { prometheus, promtool, skip } from './prometheus.ts';

const FETCHERS: Readonly<Record<string, string>> = {
  mastodon: 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot',
  summaly: 'SummalyBot/5.4.0',
};
const BROWSER = 'Mozilla/5.0';
const PAGE = `<!doctype html><title>Page</title>${'<p>text</p>'.repeat(1000)}`;
const PAGES = 5;

/** A site with Headgate's edges and fedicache in front of it, and its metrics at a port of their own. */
async function measured(t: Test) {
  const site = createServer((_req, res) => res.setHeader('content-type', 'text/html').end(PAGE));
  const { handler, close } = upstreamTo(`http://127.0.0.1:${await listen(t, site)}`);
  t.teardown(close);
  const register = processRegistry();
  const metrics = instrument(register);
  t.teardown(metrics.stop);
  const store = memoryStore();
  const previews = fedicache({}, { background: handler, store });
  const { url, server } = await front(t, 'http://127.0.0.1:1', {
    handler: compose([metrics.layer, previews.middleware], handler),
    finished: metrics.finished,
  });
  metrics.watch({ servers: [server], store });
  metrics.reloaded(true);
  const admin = createServer(async (_req, res) => {
    res.setHeader('content-type', register.contentType).end(await register.metrics());
  });
  return { url, register, port: await listen(t, admin) };
}

t.test('Prometheus counts what was sent', { skip }, async (t) => {
  const { url, port } = await measured(t);
  const { settled } = await prometheus(t, port);
  t.equal(await settled('up', 1), 1, 'it can be scraped');

  const sent = { requests: 0, bytes: 0, saved: 0 };
  const ask = async (path: string, agent: string) => {
    const response = await fetch(url + path, {
      headers: { 'user-agent': agent, accept: 'text/html', 'accept-encoding': 'identity' },
    });
    const { byteLength } = await response.arrayBuffer();
    sent.requests += 1;
    sent.bytes += byteLength;
    if (agent !== BROWSER) sent.saved += PAGE.length - byteLength;
  };
  const fetchers = Object.values(FETCHERS);
  const worker = async (first: number) => {
    for (let i = first; i < 2000; i += 20) await ask(`/${i % PAGES}`, fetchers[i % 2] ?? '');
  };
  await Promise.all(Array.from({ length: 20 }, (_, first) => worker(first)));
  for (let i = 0; i < 10; i++) await ask('/', BROWSER);

  const expected: Record<string, number> = {
    'sum(headgate_previews_total)': 2000,
    'sum(headgate_previews_total{agent="mastodon"})': 1000,
    'sum(headgate_previews_total{outcome="fill"})': PAGES,
    'sum(headgate_previews_total{outcome=~"hit|collapsed"})': 2000 - PAGES,
    'sum(headgate_preview_fills_total{outcome="page"})': PAGES,
    'sum(headgate_preview_saved_bytes_total)': sent.saved,
    'sum(headgate_http_requests_total{site="default",method="GET",status="2xx"})': sent.requests,
    headgate_http_response_size_bytes_sum: sent.bytes,
    'headgate_http_request_duration_seconds_count{status="2xx"}': sent.requests,
    headgate_upstream_response_duration_seconds_count: PAGES + 10,
    headgate_store_entries: PAGES,
    headgate_http_requests_in_flight: 0,
    'sum(headgate_http_errors_total) or vector(0)': 0,
  };
  for (const [expression, value] of Object.entries(expected))
    t.equal(await settled(expression, value), value, expression);
});

t.test('promtool has nothing to say about the metrics', { skip }, async (t) => {
  const { url, register } = await measured(t);
  await (await fetch(url, { headers: { 'user-agent': FETCHERS.mastodon ?? '' } })).text();
  // What prom-client itself names as Prometheus wouldn't.
  const text = (await register.metrics()).replace(/^.*nodejs_.*\n/gm, '');
  t.match(text, 'headgate_http_requests_total');
  t.same(promtool(['check', 'metrics'], text), { status: 0, said: '' });
});
