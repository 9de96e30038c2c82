/** What is counted, and that nobody outside can make it grow. */
import { createHash } from 'node:crypto';
import { channel, hasSubscribers } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import {
  balancer,
  compose,
  type Finished,
  type Handler,
  HeadgateError,
  type ProxyRequest,
  readBody,
  STATUS_OF,
} from '@headgate/core';
import { aRequest, type aResponse, upstream } from '@headgate/core/testing';
import { tunnelTo } from '@headgate/core/upgrade';
import { upstreamTo } from '@headgate/core/upstream';
import { instrument, processRegistry, type UpstreamInUse } from '@headgate/metrics';
import { type CspEvent, csp } from '@headgate/middleware-csp';
import { type FedicacheEvent, fedicache } from '@headgate/middleware-fedicache';
import {
  type CdnChange,
  type MediaRedirectDecision,
  mediaRedirect,
} from '@headgate/middleware-media-redirect';
import { memoryStore } from '@headgate/store';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { front, rawOrigin, talk, until } from '../../core/test/wire.ts';
import type { CspMessage } from '../src/csp.ts';
import type { CdnMessage, MediaMessage } from '../src/media.ts';
import type { PreviewMessage } from '../src/previews.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const PAGE = `<!doctype html><title>Page</title>${'<p>text</p>'.repeat(1000)}`;
const html = { 'content-type': 'text/html' };
const asMastodon = { 'user-agent': MASTODON, accept: 'text/html' };

function instrumented(t: Test) {
  const register = new Registry();
  const metrics = instrument(register, { now: () => 1_800_000_000_000 });
  t.teardown(metrics.stop);
  /** The samples that `/metrics` would show, by series. */
  const samples = async () =>
    Object.fromEntries(
      (await register.metrics())
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'))
        .map((line) => [line.replace(/ \S+$/, ''), Number(/\S+$/.exec(line)?.[0])]),
    );
  return { register, metrics, samples };
}

const finished = (changes: Partial<Finished>): Finished => ({
  ...{ request: aRequest(), status: 200, bytesIn: 100, bytesOut: 1000, ms: 20 },
  ...changes,
});

t.test('what the middleware publish is what is read of it', async (t) => {
  // Checked by the compiler: a message that changes its form is an error here.
  const read: {
    previews: (message: FedicacheEvent) => PreviewMessage;
    media: (message: MediaRedirectDecision) => MediaMessage;
    cdn: (message: CdnChange) => CdnMessage;
    csp: (message: CspEvent) => CspMessage;
  } = {
    previews: (message) => message,
    media: (message) => message,
    cdn: (message) => message,
    csp: (message) => message,
  };
  t.ok(read);
});

t.test('previews are counted by software and outcome, with what they saved', async (t) => {
  const { samples } = instrumented(t);
  const site = upstream({ headers: html, body: Buffer.from(PAGE) });
  const layer = fedicache({}, { background: site }).middleware;
  const ask = (changes = {}) =>
    layer(aRequest({ headers: asMastodon, ...changes }), site) as Promise<{
      status: number;
      body: Buffer;
    }>;

  const [{ body }] = await Promise.all([ask(), ask()]);
  await ask();
  await ask({ method: 'HEAD' });
  await ask({ headers: { ...asMastodon, 'user-agent': 'SummalyBot/5.2.5' } });
  await ask({ headers: { ...asMastodon, 'if-none-match': '*' } });
  await layer(aRequest({ headers: { 'user-agent': 'Mozilla/5.0' } }), site);

  const counted = await samples();
  const answers = (agent: string, outcome: string) =>
    counted[`headgate_previews_total{site="test",agent="${agent}",outcome="${outcome}"}`];
  t.equal(answers('mastodon', 'fill'), 1);
  t.equal(answers('mastodon', 'collapsed'), 1);
  t.equal(answers('mastodon', 'hit'), 3);
  t.equal(answers('summaly', 'hit'), 1);
  t.equal(
    Object.keys(counted).filter((name) => name.startsWith('headgate_previews_total')).length,
    4,
    'a browser is none of them',
  );
  t.equal(counted['headgate_preview_sent_bytes_total{site="test"}'], 4 * body.length);
  t.equal(
    counted['headgate_preview_saved_bytes_total{site="test"}'],
    4 * (PAGE.length - body.length),
    'neither a HEAD nor a 304 saves a page',
  );
  t.equal(counted['headgate_preview_wait_duration_seconds_count{site="test"}'], 2);
  t.equal(
    counted['headgate_preview_fills_total{site="test",outcome="page",reason=""}'],
    1,
    'one fetch for all',
  );
  t.equal(counted['headgate_preview_fill_duration_seconds_count{site="test"}'], 1);
});

t.test('fills that fail, are not cut or are cut short are told apart; so are faults', async (t) => {
  const { samples } = instrumented(t);
  const answers: Record<string, Parameters<typeof aResponse>[0]> = {
    '/fails': { status: 500 },
    '/json': { headers: { 'content-type': 'application/json' }, body: Buffer.from('{}') },
    '/long': { headers: html, body: Buffer.from(PAGE) },
  };
  const site = upstream(({ url }) => answers[url] ?? {});
  const store = { ...memoryStore(), get: () => Promise.reject(new Error('gone')) };
  const { middleware } = fedicache({ maxScan: 1024 }, { store });
  for (const url of Object.keys(answers))
    await middleware(aRequest({ url, headers: asMastodon }), site);

  const counted = await samples();
  const fills = (labels: string) => counted[`headgate_preview_fills_total{site="test",${labels}}`];
  t.equal(fills('outcome="failed",reason=""'), 1);
  t.equal(fills('outcome="whole",reason="type"'), 1);
  t.equal(fills('outcome="page",reason=""'), 1);
  t.equal(counted['headgate_preview_truncated_total{site="test",limit="maxScan"}'], 1);
  t.equal(counted['headgate_store_faults_total{operation="get"}'], 3);
});

t.test('redirects are counted by reason, and the state of a CDN is told', async (t) => {
  const { samples, metrics } = instrumented(t);
  const cdn = await rawOrigin(t, 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
  const layer = mediaRedirect({ rules: [{ from: '/media/', to: `${cdn.url}/media/` }] });
  t.teardown(layer.close);
  const site = upstream({ headers: { 'content-length': '12' }, body: Buffer.from('twelve bytes') });
  const ask = (changes = {}) =>
    layer.middleware(aRequest({ url: '/media/a.png', ...changes }), site);
  await ask();
  await ask({ headers: { 'user-agent': 'Plume/0.7.2' } });
  await ask({ headers: { 'user-agent': 'Plume/0.7.2' }, method: 'HEAD' });

  const counted = await samples();
  const requests = (labels: string) =>
    counted[`headgate_media_requests_total{site="test",${labels}}`];
  t.equal(requests('agent="other",outcome="redirected",reason=""'), 1);
  t.equal(requests('agent="plume",outcome="served",reason="old-host"'), 2);
  t.equal(
    counted['headgate_media_served_bytes_total{site="test",reason="old-host"}'],
    12,
    'a HEAD is served no bytes',
  );
  const state = (name: string) => `headgate_cdn_state{cdn="${cdn.url}",state="${name}"}`;
  t.equal(counted[state('redirecting')], 1);
  t.equal(counted[state('loop')], 0);
  metrics.reloaded(true);
  t.notOk(state('redirecting') in (await samples()), 'a new configuration may not have it');
});

t.test('no length that an application makes up, and no tiny page, ends the process', async (t) => {
  const { samples } = instrumented(t);
  const layer = mediaRedirect({ rules: [{ from: '/media/', to: 'https://cdn.example/' }] });
  t.teardown(layer.close);
  for (const length of ['many', '-1', '3']) {
    const asPlume = { headers: { 'user-agent': 'Plume/0.7.2' }, url: '/media/a.png' };
    const body = Readable.from([Buffer.from('abc')]);
    const site = upstream({ headers: { 'content-length': length }, body });
    await layer.middleware(aRequest(asPlume), site);
  }
  const tiny = upstream({ headers: html, body: Buffer.from('<p>') });
  await fedicache().middleware(aRequest({ headers: asMastodon }), tiny);
  const counted = await samples();
  t.equal(counted['headgate_media_served_bytes_total{site="test",reason="old-host"}'], 3);
  t.equal(counted['headgate_preview_saved_bytes_total{site="test"}'], 0);
});

t.test('edits of policies, doubts about them and violations are counted', async (t) => {
  const { samples } = instrumented(t);
  const layer = csp({ media: ['https://cdn.example'], report: true });
  const policy = (text: string) =>
    layer(
      aRequest({ headers: { accept: 'text/html' } }),
      upstream({ headers: { ...html, 'content-security-policy': text } }),
    );
  await policy("default-src 'self'");
  await policy('default-src \u00e9');
  const report = (directive: string, host: string) => {
    const message = { 'effective-directive': directive, 'blocked-uri': `https://${host}/a.png` };
    const body = Buffer.from(JSON.stringify({ 'csp-report': message }));
    return layer(aRequest({ method: 'POST', url: '/.headgate/csp-reports', body }), upstream());
  };
  await report('img-src', 'cdn.example');
  await report('evil-src', 'evil.example');

  const counted = await samples();
  t.equal(counted['headgate_csp_edits_total{site="test",place="header"}'], 1);
  t.equal(counted['headgate_csp_doubts_total{site="test",place="header",reason="characters"}'], 1);
  const violations = (labels: string) =>
    counted[`headgate_csp_violations_total{site="test",${labels},disposition="enforce"}`];
  t.equal(violations('directive="img-src",host="cdn.example"'), 1);
  t.equal(violations('directive="other",host="other"'), 1);
});

t.test('a server tells requests, tunnels, connections and what is under way', async (t) => {
  const { samples, metrics } = instrumented(t);
  const PROOF = (key: string) =>
    createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const held: (() => void)[] = [];
  const origin = await rawOrigin(t, (socket, { head }) => {
    const [, key] = /^sec-websocket-key: (.*)$/im.exec(head) ?? [];
    if (key)
      socket.write(
        `HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${PROOF(key)}\r\n\r\n`,
      );
    else held.push(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'));
  });
  let over = 0;
  const { port, server } = await front(t, origin.url, {
    site: 'site.example',
    handler: compose([metrics.layer], upstreamTo(origin.url).handler),
    tunnel: metrics.tunnel(tunnelTo(origin.url)),
    finished: (exchange) => {
      over += 1;
      metrics.finished(exchange);
    },
  });
  metrics.watch({ servers: [server] });
  const request = talk(port, 'GET / HTTP/1.1\r\nHost: site.example\r\n\r\n');
  const socket = connect(port, '127.0.0.1');
  socket.write(
    'GET /chat HTTP/1.1\r\nHost: site.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  await once(socket, 'data');
  await until(() => held.length === 1);
  const during = await samples();
  t.equal(during['headgate_http_requests_in_flight{site="site.example"}'], 1);
  t.equal(during['headgate_tunnels_open{site="site.example"}'], 1);
  t.equal(during.headgate_connections_open, 2);

  for (const answer of held) answer();
  await request;
  socket.destroy();
  await talk(port, 'BREW / HTTP/1.1\r\nHost: site.example\r\nHost: other.example\r\n\r\n');
  await until(() => over === 3);
  const counted = await samples();
  t.equal(counted['headgate_http_requests_in_flight{site="site.example"}'], 0);
  t.equal(counted['headgate_tunnels_open{site="site.example"}'], 0);
  const requests = (labels: string) =>
    counted[`headgate_http_requests_total{site="site.example",${labels}}`];
  t.equal(requests('method="GET",status="2xx"'), 1);
  t.equal(requests('method="GET",status="1xx"'), 1);
  t.equal(requests('method="other",status="4xx"'), 1);
  t.equal(counted['headgate_http_errors_total{site="site.example",code="BAD_REQUEST"}'], 1);
  t.notOk(
    'headgate_http_request_duration_seconds_count{site="site.example",status="1xx"}' in counted,
    'how long a WebSocket was open says nothing of how fast anything is',
  );
  t.ok((counted['headgate_tunnel_bytes_total{site="site.example",direction="out"}'] ?? 0) > 50);
  t.equal(
    counted['headgate_upstream_response_duration_seconds_count{site="site.example",status="2xx"}'],
    1,
  );
});

t.test('a request counts as under way once, and until it is over', async (t) => {
  const { samples, metrics } = instrumented(t);
  const inFlight = async () => (await samples())['headgate_http_requests_in_flight{site="test"}'];
  const request = aRequest({ id: 'one' });
  const refused = aRequest({ id: 'refused before it came to the layer' });
  await metrics.layer(request, upstream());
  t.equal(await inFlight(), 1, 'its body may still be on the way');
  metrics.finished(finished({ request: refused }));
  t.equal(await inFlight(), 1);
  for (let i = 0; i < 2; i++) metrics.finished(finished({ request }));
  t.equal(await inFlight(), 0);
});

t.test('times are in seconds and sizes in bytes', async (t) => {
  const { samples, metrics } = instrumented(t);
  metrics.finished(finished({ ms: 250, bytesIn: 300, bytesOut: 5000 }));
  const counted = await samples();
  t.equal(counted['headgate_http_request_duration_seconds_sum{site="test",status="2xx"}'], 0.25);
  t.equal(counted['headgate_http_request_size_bytes_sum{site="test"}'], 300);
  t.equal(counted['headgate_http_response_size_bytes_sum{site="test"}'], 5000);
});

t.test('the store, upstreams and configurations are told as they are', async (t) => {
  const { samples, metrics, register } = instrumented(t);
  const nothing = await register.metrics();
  t.notMatch(
    nothing,
    /^headgate_(?:store_b|config|upstream_healthy|connections|host)/m,
    'only where there are',
  );
  t.match(
    nothing,
    new RegExp(`^headgate_build_info{version="[\\d.]+",node="${process.versions.node}"} 1$`, 'm'),
  );

  const store = memoryStore({ maxBytes: 10_000 });
  let upstreams: UpstreamInUse[] = [
    { site: 'a', url: 'http://one:1', isHealthy: true },
    { site: 'a', url: 'http://two:2', isHealthy: false },
    { site: 'a', url: 'http://three:3' },
  ];
  metrics.watch({ store, upstreams: () => upstreams });
  for (let i = 0; i < 10; i++) await store.set(`${i}`, Buffer.alloc(2000), 60_000);
  metrics.reloaded(true);
  metrics.reloaded(false);
  t.match(await samples(), {
    headgate_store_bytes: store.bytes,
    headgate_store_max_bytes: 10_000,
    headgate_store_entries: 3,
    headgate_store_evictions_total: 7,
    'headgate_upstream_healthy{site="a",upstream="http://one:1"}': 1,
    'headgate_upstream_healthy{site="a",upstream="http://two:2"}': 0,
    headgate_config_last_reload_successful: 0,
    headgate_config_last_reload_success_timestamp_seconds: 1_800_000_000,
    'headgate_config_reloads_total{outcome="taken"}': 1,
    'headgate_config_reloads_total{outcome="refused"}': 1,
  });
  t.notMatch(await register.metrics(), 'http://three', 'of this one nothing is known');
  upstreams = [];
  t.notMatch(await register.metrics(), 'http://one', 'one that is no more in use is gone');
  await store.set('10', Buffer.alloc(2000), 60_000);
  t.equal((await samples()).headgate_store_evictions_total, 8, 'counted once');
});

t.test('who waits for a page is counted as long as they wait', async (t) => {
  const { samples } = instrumented(t);
  const { promise, resolve } = Promise.withResolvers<void>();
  const site = async (request: ProxyRequest) => {
    await promise;
    return upstream({ headers: html, body: Buffer.from(PAGE) })(request);
  };
  const layer = fedicache({}, { background: site }).middleware;
  const asked = [1, 2, 3].map(() => layer(aRequest({ headers: asMastodon }), site));
  const waiting = async () => (await samples())['headgate_preview_waiters{site="test"}'];
  for (let i = 0; i < 100 && (await waiting()) !== 3; i++) await Promise.resolve();
  t.equal(await waiting(), 3);
  resolve();
  await Promise.all(asked);
  await layer(aRequest({ headers: asMastodon }), site);
  t.equal(await waiting(), 0);
  t.notMatch(Object.keys(await samples()).join(), 'store_faults_total{', 'it is no fault');
});

t.test('what is asked once more is counted, by why', async (t) => {
  const { samples } = instrumented(t);
  const retries = async (reason: string) =>
    (await samples())[`headgate_upstream_retries_total{site="test",reason="${reason}"}`];
  let answers = 0;
  const origin = await rawOrigin(t, (socket) => {
    answers += 1;
    if (answers === 2) socket.destroy();
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
  const { handler, close } = upstreamTo(origin.url);
  t.teardown(close);
  const ask = async (asked: Handler) => readBody((await asked(aRequest())).body, 100);
  await ask(handler);
  await ask(handler);
  t.equal(answers, 3);
  t.equal(await retries('stale-connection'), 1);

  const nobody = upstreamTo('http://127.0.0.1:1');
  t.teardown(nobody.close);
  await t.rejects(ask(nobody.handler));
  t.equal(await retries('no-connection'), 1);
  const spread = balancer(2).spread([nobody.handler, handler]);
  await ask(spread);
  await ask(spread);
  t.equal(await retries('other-address'), 1, 'one that failed rests');
});

t.test('certificates and crashes are told on channels', async (t) => {
  const { samples } = instrumented(t);
  t.equal((await samples()).headgate_crashes_total, 0);
  channel('headgate:crash').publish({ error: new Error('nobody caught'), count: 1 });
  t.equal((await samples()).headgate_crashes_total, 1);
  const load = (notAfter: number) =>
    channel('headgate:certificate').publish({ names: ['a.example', '*.a.example'], notAfter });
  const expiry = async (name: string) =>
    (await samples())[`headgate_certificate_expiry_timestamp_seconds{name="${name}"}`];
  load(1_900_000_000_000);
  load(2_000_000_000_000);
  t.equal(await expiry('a.example'), 2_000_000_000, 'one that was renewed takes its place');
  t.equal(await expiry('*.a.example'), 2_000_000_000);
});

t.test('requests and bytes are counted by host and sender, if somebody tells them', async (t) => {
  const register = new Registry();
  const audience = ({ method }: ProxyRequest) => ({ host: 'old.example', sender: method });
  const metrics = instrument(register, { audience });
  t.teardown(metrics.stop);
  const request = aRequest();
  metrics.finished(finished({ bytesOut: 700 }));
  metrics.finished(finished({ request, bytesOut: 50, status: 404 }));
  metrics.finished(finished({ request: aRequest({ method: 'HEAD' }), bytesOut: 0 }));
  metrics.finished(finished({ request, bytesOut: 10_000, status: 101 }));
  const text = await register.metrics();
  t.match(text, 'headgate_host_requests_total{host="old.example",sender="GET"} 3');
  t.match(text, 'headgate_host_sent_bytes_total{host="old.example",sender="GET"} 750');
  t.match(text, 'headgate_host_requests_total{host="old.example",sender="HEAD"} 1');
});

/** Takes turns, so that what comes together is all there after a few thousand. */
const turn = <T>(values: readonly T[], n: number) => values[n % values.length] as T;

/** Chains every layer, and visits it with requests that have nothing in common but their kinds. */
function crowd({ metrics }: ReturnType<typeof instrumented>) {
  const agents = [MASTODON, 'SummalyBot/5.4.0', 'Plume/0.7.2'];
  const codes = Object.keys(STATUS_OF) as (keyof typeof STATUS_OF)[];
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
  const statuses = [200, 204, 301, 403, 404, 410, 500, 503];
  const media = mediaRedirect({ rules: [{ from: '/m/', to: 'http://127.0.0.1:1/' }] });
  t.teardown(media.close);
  let time = 0;
  let visits = 0;
  const now = () => (time += 10_000);
  const chain = compose(
    [
      metrics.layer,
      media.middleware,
      csp({ media: ['https://cdn.example'], report: true }, { now }),
      fedicache().middleware,
    ],
    upstream(() => ({ status: turn(statuses, visits), headers: html })),
  );
  const report = (noise: string) => {
    const blocked = `https://${noise}.example/`;
    const said = { 'effective-directive': noise, 'blocked-uri': blocked, disposition: noise };
    const body = Buffer.from(JSON.stringify({ 'csp-report': said }));
    const url = '/.headgate/csp-reports';
    return chain(aRequest({ id: noise, method: 'POST', url, body, client: noise }));
  };

  return async (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const noise = createHash('md5').update(`${i}`).digest('hex');
      const n = Math.floor(i / 8);
      visits = n;
      const request: ProxyRequest = aRequest({
        id: noise,
        method: n % 5 === 0 ? noise.toUpperCase() : turn(methods, n),
        url: `${n % 3 === 0 ? '/m' : ''}/${noise}`,
        client: noise,
        headers: {
          host: `${noise}.example`,
          accept: 'text/html',
          'user-agent': n % 2 === 0 ? noise : turn(agents, n),
          [noise]: noise,
        },
      });
      if (i % 8 === 0) await chain(request);
      if (i % 100 === 0) await report(noise);
      const strange = Object.assign(new Error(noise), { code: noise });
      const error = i % 3 === 0 ? strange : new HeadgateError(turn(codes, i), noise);
      const over = { request, status: i % 1000, ms: i, bytesOut: i };
      metrics.finished(finished(i % 7 === 0 ? { ...over, error } : over));
    }
  };
}

t.test('100,000 hosts, paths, agents and methods leave the metrics as long', async (t) => {
  const counting = instrumented(t);
  const visit = crowd(counting);
  await visit(0, 20_000);
  const before = Object.keys(await counting.samples());
  await visit(20_000, 100_000);
  const after = await counting.samples();
  t.same(Object.keys(after), before);
  t.ok(before.length < 600, `${before.length} series`);
  t.notMatch(before.join('\n'), /[0-9a-f]{32}/i);
  for (const name of ['previews', 'media_requests', 'csp_violations', 'http_errors'])
    t.ok(
      before.some((series) => series.startsWith(`headgate_${name}_total{`)),
      `there are ${name}`,
    );
});

t.test('after a stop nothing is counted or left, and it can begin again', async (t) => {
  const register = new Registry();
  const first = instrument(register);
  t.throws(() => instrument(register), /already been registered/);
  first.watch({ store: memoryStore() });
  first.reloaded(true);
  t.ok(hasSubscribers('headgate:fedicache'));
  first.stop();
  for (const name of [
    ...['fedicache', 'media-redirect', 'media-redirect:cdn', 'csp', 'upstream'],
    ...['upstream:retry', 'certificate', 'crash'],
  ])
    t.notOk(hasSubscribers(`headgate:${name}`), name);
  t.equal(await register.metrics(), '\n');
  const { metrics, samples } = instrumented(t);
  metrics.finished(finished({}));
  t.equal(
    (await samples())['headgate_http_requests_total{site="test",method="GET",status="2xx"}'],
    1,
  );
  instrument(register).stop();
});

t.test('a Registry that is reset begins with nothing', async (t) => {
  const { metrics, samples, register } = instrumented(t);
  metrics.finished(finished({}));
  t.ok(Object.keys(await samples()).some((name) => name.startsWith('headgate_http_requests_')));
  register.resetMetrics();
  t.notOk(Object.keys(await samples()).some((name) => name.startsWith('headgate_http_requests_')));
});

t.test('what is no Registry is refused', async (t) => {
  for (const wrong of [undefined, {}, 'register'])
    t.throws(() => instrument(wrong as unknown as Registry), {
      name: 'TypeError',
      message: /^instrument: register must be a Registry of prom-client/,
    });
});

t.test('the process has a Registry of its own', async (t) => {
  const register = processRegistry();
  const text = await register.metrics();
  for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds'])
    t.match(text, new RegExp(`^${name} `, 'm'));
});
