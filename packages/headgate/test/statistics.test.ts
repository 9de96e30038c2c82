/** What the page says is what happened; it is bounded, it lasts, and it names nobody. */
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Finished, ProxyRequest } from '@headgate/core';
import { aRequest } from '@headgate/core/testing';
import { gate, toConfig, type WrittenConfig } from 'headgate';
import t, { type Test } from 'tap';
import { listen } from '../../core/test/wire.ts';
import { senders } from '../src/sender.ts';
import { page } from '../src/statistics/page.ts';
import { serverName } from '../src/statistics/server-name.ts';
import { servers } from '../src/statistics/servers.ts';
import { siteSchema, siteStatistics } from '../src/statistics/site-statistics.ts';
import { openStatistics } from '../src/statistics/statistics.ts';
import { topList } from '../src/statistics/top-list.ts';
import { daemon, folder } from './process.ts';

const mastodonAt = (host: string) => `Mastodon/4.5.0 (http.rb/5.3.1; +https://${host}/) Bot`;
const asMastodon = (host: string) => ({ 'user-agent': mastodonAt(host), accept: 'text/html' });
const PAGE = `<!doctype html><title>Page</title>${'<p>text</p>'.repeat(1000)}`;
const NOON = Date.UTC(2026, 10, 22, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** An application with one page that is there. */
async function application(t: Test): Promise<string> {
  const server = createServer((req, res) => {
    res.setHeader('content-type', 'text/html');
    if (!/^\/(?:page)?(?:\?|$)/.test(req.url ?? '')) res.statusCode = 404;
    res.end(PAGE);
  });
  return `http://127.0.0.1:${await listen(t, server)}`;
}

/** Asks an admin server at a socket. */
async function look(socketPath: string, path: string) {
  const asked = request({ socketPath, path, agent: false, headers: { host: 'localhost' } }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, text: await text(answer) };
}

/** A gate whose statistics are open. */
async function open(t: Test, written: WrittenConfig, parts: { now?: () => number } = {}) {
  const place = folder(t);
  const config = await toConfig(written, place);
  const logged: unknown[] = [];
  const log = { warn: (...line: unknown[]) => void logged.push(line) };
  const statistics = await openStatistics(config, { log, senderOf: senders(), ...parts });
  const { finished, layer: front } = statistics;
  const opened = await gate(config, { finished, front });
  t.teardown(() => opened.close());
  t.teardown(() => statistics.close());
  const url = `http://127.0.0.1:${await listen(t, opened.server())}`;
  return { url, place, config, statistics, logged };
}

const finished = (request: Partial<ProxyRequest>, changes: Partial<Finished> = {}): Finished => ({
  ...{ request: aRequest({ site: 'default', ...request }), status: 200 },
  ...{ bytesIn: 100, bytesOut: 1000, ms: 20, ...changes },
});

t.test('what passes is counted, by software and server, and shown at the path', async (t) => {
  const upstream = await application(t);
  const { url, statistics } = await open(t, { sites: [{ upstream, statistics: '/statistics' }] });
  let bytes = 0;
  const ask = async (path: string, headers: Record<string, string>) => {
    const response = await fetch(url + path, {
      headers: { 'accept-encoding': 'identity', ...headers },
    });
    const { byteLength } = await response.arrayBuffer();
    bytes += byteLength;
    return byteLength;
  };
  const cut = await ask('/page', asMastodon('a.example'));
  await ask('/page', asMastodon('b.example'));
  await ask('/page?token=hunter2', asMastodon('b.example:8443'));
  await ask('/page', { 'user-agent': 'SummalyBot/5.4.0', accept: 'text/html' });
  await ask('/missing', asMastodon('a.example'));
  await ask('/', { 'user-agent': 'Mozilla/5.0', accept: 'text/html' });
  for (let i = 0; i < 100 && statistics.reports()[0]?.totals.requests !== 6; i++) await sleep(10);

  const response = await fetch(`${url}/statistics.json`);
  t.equal(response.headers.get('cache-control'), 'public, max-age=60');
  const { sites } = (await response.json()) as { sites: Record<string, unknown>[] };
  t.match(sites, [
    {
      site: 'default',
      requests: 6,
      bytesServed: bytes,
      servers: { count: 2, isMore: false },
      previews: {
        answered: 5,
        fromMemory: 2,
        pagesFetched: 3, // the one with a query is another page
        bytesSaved: 4 * (PAGE.length - cut),
      },
      software: [
        { family: 'mastodon', servers: 2, previews: 4, requests: 4 },
        { family: 'summaly', servers: 0, previews: 1, requests: 1 },
      ],
      lastHour: { servers: [], pages: [] },
    },
  ]);
  const [{ lastHour } = { lastHour: undefined }] = statistics.reports();
  t.same(lastHour, {
    servers: [
      { name: 'a.example', count: 2 },
      { name: 'b.example', count: 2 },
    ],
    pages: [{ name: `http://${new URL(url).host}/page`, count: 4 }],
  });

  const page = await fetch(`${url}/statistics`);
  t.match(page.headers.get('content-type'), 'text/html');
  t.match(page.headers.get('content-security-policy'), /^default-src 'none'; style-src 'sha256-/);
  const html = await page.text();
  t.match(html, /<dt>Previews answered<\/dt><dd>5</);
  t.notMatch(html, /a\.example|\/page|hunter2|<script/);
  t.equal((await fetch(`${url}/statistics?x`)).status, 200);
  t.equal((await fetch(`${url}/statistics`, { method: 'POST' })).status, 405);
  t.equal((await fetch(`${url}/statistics/a`)).status, 404, 'is the application’s');
});

t.test('names of servers are shown where the configuration says so, as text', async (t) => {
  const upstream = await application(t);
  const { url, statistics } = await open(t, {
    sites: [{ upstream, statistics: { path: '/s', servers: true } }],
  });
  await (await fetch(`${url}/page`, { headers: asMastodon('a.example') })).text();
  await (await fetch(`${url}/page`, { headers: asMastodon('<script>.example') })).text();
  for (let i = 0; i < 100 && statistics.reports()[0]?.totals.requests !== 2; i++) await sleep(10);
  const html = await (await fetch(`${url}/s`)).text();
  t.match(html, /<th scope="row">a\.example<\/th><td>1</);
  t.notMatch(html, /<script/);
  t.notMatch(html, /\/page/);
});

t.test('a site that shows none has none, and a reload can begin', async (t) => {
  const upstream = await application(t);
  const { url, statistics, place } = await open(t, { sites: [{ upstream }] });
  await (await fetch(`${url}/page`, { headers: asMastodon('a.example') })).text();
  t.same(statistics.reports(), []);
  t.equal((await fetch(`${url}/statistics`)).status, 404);
  const sites = [{ upstream, statistics: '/statistics' }];
  statistics.follow(await toConfig({ sites }, place));
  statistics.finished(finished({}));
  t.equal(statistics.reports()[0]?.totals.requests, 1);
  statistics.follow(await toConfig({ sites }, place));
  t.equal(statistics.reports()[0]?.totals.requests, 1, 'the next reload keeps it');
  statistics.follow(await toConfig({ sites: [{ upstream }] }, place));
  statistics.follow(await toConfig({ sites }, place));
  t.equal(statistics.reports()[0]?.totals.requests, 1, 'and so do two that take it back');
  t.match(await (await fetch(`${url}/statistics`)).text(), 'default in the fediverse');
});

t.test('what was refused, broke off or was a WebSocket is no answer', async (t) => {
  const upstream = await application(t);
  const { statistics } = await open(t, { sites: [{ upstream, statistics: '/s' }] });
  statistics.finished(finished({}, { error: new Error('gone'), status: 499 }));
  statistics.finished(finished({}, { status: 101 }));
  statistics.finished(finished({ site: '' }, { status: 421 }));
  t.equal(statistics.reports()[0]?.totals.requests, 0);
  statistics.finished(finished({}, { status: 404 }));
  t.equal(statistics.reports()[0]?.totals.requests, 1);
});

t.test('a stampede is a hundred previews of one page within a minute', async (t) => {
  const site = siteStatistics(NOON);
  const preview = (page: string, now: number) =>
    site.previewed({ family: 'mastodon', page, isThere: true, isSpared: true, saved: 0 }, now);
  const rushes = (now: number) => site.report('a', now).stampedes;
  for (let i = 0; i < 200; i++) preview(`/${i % 3}`, NOON + i);
  for (let i = 0; i < 99; i++) preview('/slow', NOON + MINUTE + i);
  for (let i = 0; i < 99; i++) preview('/slow', NOON + 2 * MINUTE + i);
  t.same(rushes(NOON + 3 * MINUTE), [], 'neither many pages nor many minutes make one');

  const start = NOON + 10 * MINUTE;
  for (let i = 0; i < 150; i++) preview('/post', start + i);
  for (let i = 0; i < 300; i++) preview('/post', start + MINUTE + i);
  for (let i = 0; i < 5; i++) preview('/post', start + 2 * MINUTE + i); // it ebbs
  t.same(rushes(start + 3 * MINUTE), [{ at: start, previews: 455, peak: 300 }]);
  for (let i = 0; i < 100; i++) preview('/post', start + 3 * MINUTE + i);
  t.equal(rushes(start + 4 * MINUTE).length, 2, 'after a minute with few it is another one');
  t.equal(rushes(start + 24 * HOUR).length, 1, 'after a day the first is forgotten');
  t.equal(rushes(start + 25 * HOUR).length, 0);
});

t.test('the day and the hour move on, and bear a clock that is set back', async (t) => {
  const site = siteStatistics(NOON);
  const answered = (name: string, now: number) =>
    site.answered(1, { family: 'mastodon', server: name }, now);
  answered('early.example', NOON);
  answered('late.example', NOON + 23 * HOUR);
  const at = (now: number) => {
    const { day, lastHour } = site.report('a', now);
    return [day.length, lastHour.servers.map(({ name }) => name)];
  };
  t.same(at(NOON + 10 * MINUTE), [1, []], 'what has not come yet is not there');
  t.same(at(NOON + 23 * HOUR), [1, []]);
  answered('late.example', NOON + 23 * HOUR);
  t.same(at(NOON + 23 * HOUR + 1), [2, ['late.example']]);
  t.same(at(NOON + 24 * HOUR), [1, []]);
});

t.test('a clock that is set back a little costs neither the day nor the file', async (t) => {
  const site = siteStatistics(NOON);
  const answered = (now: number) => site.answered(1, undefined, now);
  const last = NOON + 24 * HOUR;
  for (let now = NOON; now < last; now += 5 * MINUTE) answered(now);
  for (const now of [last, last - 1, last, last - 1, last]) answered(now);
  const state = siteSchema.parse(site.toState(last));
  t.equal(state.day.length, 288);
  t.equal(new Set(state.day.map(({ at }) => at)).size, 288, 'each piece is there once');
  t.match(state.day.at(-2), { at: last - 5 * MINUTE, requests: 3 });
});

t.test('a start with a clock that is behind keeps the date', async (t) => {
  const behind = siteStatistics(0, siteStatistics(NOON).toState(NOON));
  t.equal(behind.report('a', 1).since, 1, 'never in the future');
  const again = siteStatistics(NOON + HOUR, behind.toState(1));
  t.equal(again.report('a', NOON + HOUR).since, NOON);
});

t.test('a software of any name in the file can be shown', async (t) => {
  const state = siteStatistics(NOON).toState(NOON);
  const software = { constructor: { previews: 1, requests: 1 } };
  const site = siteStatistics(NOON, siteSchema.parse({ ...state, software }));
  t.match(page([site.report('a', NOON)], '/s.json'), '<th scope="row">Constructor<');
});

t.test('the most frequent are found among any number, and never told too often', async (t) => {
  const list = topList(50);
  for (let i = 0; i < 100_000; i++) {
    list.add(`rare ${i}`);
    if (i % 10 === 0) list.add('frequent');
    if (i % 20 === 0) list.add('second');
  }
  const [first, second] = list.all().toSorted((one, other) => other.count - one.count);
  t.equal(list.all().length, 50);
  t.equal(first?.name, 'frequent');
  t.equal(second?.name, 'second');
  t.ok((first?.count ?? 0) <= 10_000 && (first?.count ?? 0) > 9_000, String(first?.count));
  t.equal(list.add('x'.repeat(10_000)), 1);
  t.ok(list.all().every(({ name }) => name.length <= 512));
});

t.test('what a stranger asks for is text in the page', async (t) => {
  const site = siteStatistics(NOON);
  const preview = { family: 'mastodon', isThere: true, isSpared: true, saved: 0 };
  site.previewed({ ...preview, page: 'http://a.example/<script>"&' }, NOON);
  const html = page([site.report('a', NOON)], '/s.json');
  t.match(html, 'a.example/&#60;script&#62;&#34;&#38;</th>');
  t.notMatch(html, '<script');
});

t.test('what is remembered of long names is short', async (t) => {
  setFlagsFromString('--expose-gc');
  const gc: () => void = runInNewContext('gc');
  const list = topList(500);
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 500; i++) list.add(Buffer.alloc(16_000, `/${i} `).toString('latin1'));
  gc();
  const grown = process.memoryUsage().heapUsed - before;
  t.equal(list.all().length, 500);
  t.ok(grown < 2_000_000, `${grown} bytes`);
});

t.test('the name of a server is what its User-Agent says, and nothing else', async (t) => {
  const names: [userAgent: string, name: string | undefined][] = [
    [mastodonAt('Social.Example'), 'social.example'],
    [mastodonAt('social.example:8443'), 'social.example'],
    ['http.rb/5.1.1 (Mastodon/4.2.8; +https://old.example/) Bot', 'old.example'],
    ['Lemmy/0.19.5; +https://lemmy.example', 'lemmy.example'],
    ['gotosocial/0.20.0 (+https://gts.example)', 'gts.example'],
    ['Akkoma 3.10.0; https://akko.example <a@akko.example>; Bot', 'akko.example'],
    ['Friendica/2024.09 Request/SiteInfo/1 +https://fr.example', 'fr.example'],
    ['Mbin/1.10.1 (+https://mbin.example/agent)', 'mbin.example'],
    ['Mozilla/5.0', undefined],
    ['x (+https://user:secret@evil.example/)', undefined],
    ['x (+https://-.example/)', undefined],
    ['x (+https://a.example<script>)', undefined],
    [`x (+https://${'a'.repeat(300)}.example/)`, undefined],
    [`${' '.repeat(600)}+https://far.example/`, undefined],
  ];
  for (const [userAgent, name] of names) t.equal(serverName(userAgent), name, userAgent);
});

t.test('servers are counted once, up to a limit, and can be counted on', async (t) => {
  const first = servers();
  for (const name of ['a.example', 'b.example', 'a.example']) first.add(name, 'mastodon');
  first.add('a.example', 'lemmy');
  t.equal(first.size, 2, 'one that has two kinds of software is one');
  const second = servers(first.toState());
  second.add('a.example', 'mastodon');
  second.add('c.example', 'lemmy');
  t.same([second.of('mastodon'), second.of('lemmy'), second.size], [2, 1, 3]);
  t.notMatch(JSON.stringify(second.toState()), 'example');
});

t.test('100,000 hosts, paths and agents leave the file small, and no trace in it', async (t) => {
  const upstream = await application(t);
  let now = NOON;
  const { statistics, place } = await open(
    t,
    { sites: [{ upstream, statistics: '/s' }] },
    { now: () => now },
  );
  const fedicache = channel('headgate:fedicache');
  for (let i = 0; i < 100_000; i++) {
    now += 1_000;
    const host = `person${i}.example`;
    const request = aRequest({
      ...{ site: 'default', url: `/private${i}?token=hunter${i}`, client: `198.51.100.${i % 256}` },
      headers: { host: `host${i}.example`, 'user-agent': i % 2 ? mastodonAt(host) : `noise${i}` },
    });
    fedicache.publish({
      ...{ kind: 'answer', request, family: 'mastodon', outcome: 'hit', status: 200 },
      ...{ bytes: 10, pageBytes: 100 },
    });
    statistics.finished({ request, status: 200, bytesIn: 1, bytesOut: 1, ms: 1 });
  }
  await statistics.close();
  const file = join(place, 'headgate-state', 'statistics.json');
  t.ok(statSync(file).size < 250_000, `${statSync(file).size} bytes`);
  t.notMatch(readFileSync(file, 'utf8'), /person|private|hunter|host\d|198\.51|noise/);
  const [report] = statistics.reports();
  t.match(report?.servers, { count: 20_000, isMore: true });
  t.equal(report?.lastHour.pages.length, 20);
  t.equal(report?.lastHour.servers.length, 20);
});

t.test('what can’t be kept is told once, and is no reason to stop', async (t) => {
  const upstream = await application(t);
  const { statistics, place, logged } = await open(t, {
    sites: [{ upstream, statistics: '/s' }],
    state: 'taken',
  });
  writeFileSync(join(place, 'taken'), 'a file where the folder should be');
  statistics.finished(finished({}));
  await statistics.close();
  await statistics.close();
  t.equal(logged.length, 1);
  t.match(String(JSON.stringify(logged)), 'set state to a folder');
  t.equal(statistics.reports()[0]?.totals.requests, 1);
});

t.test('a daemon goes on counting where it stopped, or anew from what is damaged', async (t) => {
  const upstream = await application(t);
  const place = folder(t);
  const sites = [{ upstream, statistics: '/statistics' }];
  const once = async (previews: number) => {
    const { url, said, stop } = await daemon(t, place, { state: 'kept/here', sites });
    for (let i = 0; i < previews; i++)
      await (await fetch(`${url}/page`, { headers: asMastodon(`s${i}.example`) })).text();
    const { sites: told } = (await (await fetch(`${url}/statistics.json`)).json()) as {
      sites: { since: string; previews: { answered: number }; servers: { count: number } }[];
    };
    await stop();
    return { told: told[0], log: said.out };
  };
  const first = await once(3);
  const file = join(place, 'kept/here/statistics.json');
  t.equal(statSync(file).mode & 0o777, 0o600);
  const second = await once(4);
  t.match(second.told, { since: first.told?.since, previews: { answered: 7 } });
  t.equal(second.told?.servers.count, 4);

  const kept = readFileSync(file, 'utf8');
  for (const damaged of [kept.slice(0, -10), kept.replace('"requests":', '"requests":-'), '[]']) {
    writeFileSync(file, damaged);
    const { told, log } = await once(1);
    t.match(told, { previews: { answered: 1 } });
    t.match(log, 'the statistics begin anew');
  }
});

t.test('an administrator sees all sites, with the names of servers and pages', async (t) => {
  const upstream = await application(t);
  const place = folder(t);
  const sites = [
    { upstream, hosts: ['127.0.0.1'] },
    { upstream, hosts: ['b.example'] },
  ];
  const { url } = await daemon(t, place, { admin: { listen: 'unix:admin.sock' }, sites });
  await (await fetch(`${url}/page?token=hunter2`, { headers: asMastodon('a.example') })).text();
  const socket = join(place, 'admin.sock');
  const asJson = async () => JSON.parse((await look(socket, '/statistics.json')).text);
  for (let i = 0; i < 100 && (await asJson()).sites[0].requests === 0; i++) await sleep(10);
  t.match((await asJson()).sites, [
    {
      site: '127.0.0.1',
      lastHour: {
        servers: [{ name: 'a.example', count: 1 }],
        pages: [{ name: `${url}/page`, count: 1 }],
      },
    },
    { site: 'b.example', requests: 0 },
  ]);
  const { status, headers, text } = await look(socket, '/statistics');
  t.equal(status, 200);
  t.equal(headers['cache-control'], 'no-store');
  t.match(text, '<h2 class="site">b.example</h2>');
  t.match(text, `${url}/page</th>`);
  t.notMatch(text, 'hunter2');
});

t.test('a path that has no place for .json is refused', async (t) => {
  const sites = [{ upstream: 'http://127.0.0.1:1', statistics: '/statistics/' }];
  await t.rejects(toConfig({ sites }), /statistics.*: must not end with a slash/);
});

t.test('a sender is of a kind that its User-Agent tells', async (t) => {
  const kinds: [userAgent: string, kind: string][] = [
    [mastodonAt('a.example'), 'fediverse'],
    ['SummalyBot/5.4.0', 'fediverse'],
    ['Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)', 'bot'],
    ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'bot'],
    [
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0',
      'browser',
    ],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'browser'],
    ['curl/8.5.0', 'other'],
    ['', 'other'],
  ];
  const senderOf = senders();
  for (const [userAgent, kind] of kinds)
    t.equal(senderOf(aRequest({ headers: { 'user-agent': userAgent } })).kind, kind, userAgent);
});
