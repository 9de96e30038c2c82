/** The stories that media-redirect exists for, told again on real sockets. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CdnChange, MediaRedirectDecision } from '@headgate/middleware-media-redirect';
import t, { type Test } from 'tap';
import { until } from '../../core/test/wire.ts';
import { AS_PLUME, application, BROWSER, cdn, follow, gate, get, IMAGE, site } from './sites.ts';

/** What is published on a channel until the test is over. */
function heard<Message>(t: Test, name: string): Message[] {
  const messages: Message[] = [];
  const listener = (message: unknown) => messages.push(message as Message);
  subscribe(name, listener);
  t.teardown(() => unsubscribe(name, listener));
  return messages;
}
const changesHeard = (t: Test) => heard<CdnChange>(t, 'headgate:media-redirect:cdn');

/** The intervals that are made until the test is over, and how often they have ticked. */
function watchTimers(t: Test) {
  const { setInterval } = globalThis;
  const all: NodeJS.Timeout[] = [];
  const timers = { all, ticks: 0 };
  t.intercept(globalThis, 'setInterval', {
    value: (run: () => void, interval: number) => {
      const timer = setInterval(() => {
        timers.ticks += 1;
        run();
      }, interval);
      all.push(timer);
      return timer;
    },
  });
  return timers;
}

t.test('Plume gets the image, whoever does not know its Host', async (t) => {
  const decisions = heard<MediaRedirectDecision>(t, 'headgate:media-redirect');
  const app = await application(t);
  const zone = await cdn(t);
  const rules = [{ from: '/static/', to: `${zone.url}/static/` }];
  const careless = await gate(t, app.url, { rules, plume: 'redirect' });
  const careful = await gate(t, app.url, { rules });
  zone.settings.origin = careful.url;
  const path = '/static/media/cover.png?v=1';

  const browser = await follow(careful.url + path, { 'user-agent': BROWSER });
  t.equal(browser.url, zone.url + path, 'a browser goes to the CDN');
  t.ok(browser.body.equals(IMAGE));

  const broken = await follow(careless.url + path, AS_PLUME, true);
  t.match([broken.status, String(broken.body)], [403, 'unknown host'], 'without the exception');

  const served = await follow(careful.url + path, AS_PLUME, true);
  t.same([served.status, served.url], [200, careful.url + path], 'with the exception');
  t.ok(served.body.equals(IMAGE));

  zone.settings.hosts.add(careless.host);
  const known = await follow(careless.url + path, AS_PLUME, true);
  t.same([known.status, known.url], [200, zone.url + path], 'with its host known at the CDN');
  t.ok(known.body.equals(IMAGE));

  const told = decisions.map((told) => [told.family, 'reason' in told ? told.reason : 'sent']);
  t.same(told, [
    ['other', 'origin-pull'], // the check
    ['other', 'sent'],
    ['other', 'origin-pull'],
    ['other', 'origin-pull'], // the check of the careless one
    ['plume', 'sent'],
    ['plume', 'old-host'],
    ['plume', 'sent'],
    ['other', 'origin-pull'],
  ]);
});

t.test('a CDN that is not known as itself gets nobody sent to it', async (t) => {
  const changes = changesHeard(t);
  const app = await application(t);
  for (const redirects of ['hands on', 'follows', 'follows to its death'] as const) {
    const clock = { now: 1_000_000 };
    const zone = await cdn(t, { fields: {}, redirects });
    const { url } = await gate(
      t,
      app.url,
      { rules: [{ from: '/static/', to: `${zone.url}/static/` }] },
      { now: () => clock.now },
    );
    zone.settings.origin = url;
    const seen = async () => {
      const { status, body } = await get(`${url}/static/a.png`);
      return status === 200 ? body.equals(IMAGE) && 'served' : status;
    };
    const how = `a CDN that ${redirects}`;
    t.equal(await seen(), 'served', `${how}: before the first redirect`);
    t.match(changes.at(-1), { cdn: zone.url, state: 'loop', advice: /originPull\.secret/ }, how);

    zone.settings.fields = { 'cdn-loop': 'testcdn' };
    t.equal(await seen(), 'served', `${how}: until it is checked again`);
    clock.now += 60_000;
    await seen();
    await until(() => changes.at(-1)?.state === 'redirecting');
    t.equal(await seen(), 301, `${how}: mended`);

    zone.settings.fields = {};
    clock.now += 599_999;
    t.equal(await seen(), 301, `${how}: not asked all the time`);
    clock.now += 1;
    await seen();
    await until(() => changes.at(-1)?.state === 'loop');
    t.equal(await seen(), 'served', `${how}: broken again`);
  }
  t.same(
    changes.map(({ state }) => state),
    Array.from({ length: 3 }, () => ['loop', 'redirecting', 'loop']).flat(),
  );
});

t.test('the first check tells a loop from what only looks like one', async (t) => {
  const app = await application(t);
  const home = await site(t, ({ headers }, res) =>
    res.writeHead(302, { location: `http://${headers.host}/` }).end(),
  );
  const rows: [what: string, behaves: (here: string) => string, state: CdnChange['state']][] = [
    ['a redirect to the site', (here) => `http://${here}/static/x`, 'loop'],
    ['a redirect to an old media host', () => 'https://old.example/x', 'loop'],
    ['a redirect to another name of the site', () => 'https://www.site.example/x', 'loop'],
    ['a redirect to elsewhere', () => 'https://files.example/x', 'redirecting'],
    ['a redirect within the CDN', () => '/static/y', 'redirecting'],
    ['a redirect to nowhere', () => 'http://', 'redirecting'],
  ];
  for (const [what, behaves, state] of rows) {
    const changes: CdnChange[] = changesHeard(t);
    let here = '';
    const bucket = await site(t, (_req, res) =>
      res.writeHead(302, { location: behaves(here) }).end(),
    );
    const rules = [
      { from: '/static/', to: `${bucket.url}/static/` },
      { from: 'OLD.example', to: `${bucket.url}/` },
    ];
    const { url, host } = await gate(t, app.url, { rules }, { hosts: ['www.site.example'] });
    here = host;
    t.equal((await get(`${url}/static/a.png`)).status, state === 'loop' ? 200 : 301, what);
    t.equal(changes.at(-1)?.state, state, what);
  }

  const circle = await site(t, ({ url }, res) =>
    res.writeHead(301, { location: `http://${circle.host}${url}` }).end(),
  );
  const toCircle = { rules: [{ from: '/static/', to: `${circle.url}/static/` }] };
  const turning = await gate(t, app.url, toCircle);
  t.equal((await get(`${turning.url}/static/a.png`)).status, 200, 'a circle of its own');

  const zone = await cdn(t);
  const toHome = { rules: [{ from: '/static/', to: `${zone.url}/static/` }] };
  const polite = await gate(t, home.url, toHome);
  zone.settings.origin = polite.url;
  t.equal(
    (await get(`${polite.url}/static/a.png`)).status,
    301,
    'an application that sends home whoever asks for what it has not',
  );
});

t.test(
  "another process's check is answered as it must be, and taken for nobody's own",
  async (t) => {
    const changes = changesHeard(t);
    const app = await application(t);
    let here = '';
    const statuses: number[] = [];
    const bucket = await site(t, async (_req, res) => {
      statuses.push((await get(`${here}/static/headgate-check-0123456789abcdef`)).status);
      res.writeHead(404).end();
    });
    const rules = [{ from: '/static/', to: `${bucket.url}/static/` }];
    const { url } = await gate(t, app.url, { rules });
    here = url;
    t.equal((await get(`${url}/static/a.png`)).status, 301);
    t.same(statuses, [301], 'without waiting for the check under way');
    t.match(changes, [{ state: 'redirecting' }]);
  },
);

t.test('nobody waits for a later check, and none outlives the layer', async (t) => {
  const changes = changesHeard(t);
  const app = await application(t);
  const clock = { now: 1_000_000 };
  const held = { isHeld: false, count: 0 };
  const bucket = await site(t, (_req, res) => {
    held.count += 1;
    if (held.count === 1) return res.writeHead(404).end();
    held.isHeld = true;
    return res.once('close', () => (held.isHeld = false));
  });
  const { url, layer } = await gate(
    t,
    app.url,
    { rules: [{ from: '/static/', to: `${bucket.url}/static/` }] },
    { now: () => clock.now },
  );
  t.equal((await get(`${url}/static/a.png`)).status, 301);
  clock.now += 600_000;
  for (let i = 0; i < 3; i++) t.equal((await get(`${url}/static/a.png`)).status, 301);
  await until(() => held.isHeld);
  t.same(held, { isHeld: true, count: 2 }, 'one check for all');
  await layer.close();
  await until(() => !held.isHeld);
  t.equal(held.isHeld, false, 'it ends with the layer');
  t.equal(changes.length, 1, 'and tells nothing any more');
});

t.test('a CDN that gives no answer is told of, but no loop', async (t) => {
  const changes = changesHeard(t);
  const app = await application(t);
  const gone = await site(t, (_req, res) => res.destroy());
  const rules = [{ from: '/static/', to: `${gone.url}/static/` }];
  const { url } = await gate(t, app.url, { rules });
  t.equal((await get(`${url}/static/a.png`)).status, 301);
  t.match(changes, [{ cdn: gone.url, state: 'unchecked', advice: /reach/ }]);
  t.equal(changes.length, 1);
});

t.test('while the CDN fails its health check, people are served', async (t) => {
  const changes = changesHeard(t);
  const app = await application(t);
  const timers = watchTimers(t);
  const mood = { status: 200, type: 'image/png', isSilent: false };
  const zone = await site(t, async ({ url }, res) => {
    if (!url?.startsWith('/health')) return res.writeHead(404).end();
    if (mood.isSilent) return;
    await sleep(20); // so that the check for a loop is over before
    return res.writeHead(mood.status, { 'content-type': mood.type }).end();
  });
  const { url, layer } = await gate(t, app.url, {
    rules: [{ from: '/static/', to: `${zone.url}/static/` }],
    health: { path: '/health.png', interval: 100, timeout: 100, type: 'image/' },
  });
  const status = async () => (await get(`${url}/static/a.png`)).status;
  t.equal(zone.asked.length, 0, 'nothing is asked before somebody comes');
  t.equal(await status(), 301);
  const moods = [{ status: 503 }, { type: 'text/html' }, { isSilent: true }];
  for (const bad of moods) {
    const good = { ...mood };
    Object.assign(mood, bad);
    await until(() => changes.at(-1)?.state === 'down');
    t.equal(await status(), 200, JSON.stringify(bad));
    Object.assign(mood, good);
    await until(() => changes.at(-1)?.state === 'redirecting');
    t.equal(await status(), 301, 'and back');
  }
  t.match(changes[1], { cdn: zone.url, state: 'down', advice: /health check/ });
  t.equal(changes.length, 1 + 2 * moods.length, 'changes only are told');

  t.ok(timers.ticks > 0);
  t.ok(timers.all.every((timer) => !timer.hasRef()));
  await layer.close();
  const before = [zone.asked.length, timers.ticks];
  await sleep(250);
  t.same([zone.asked.length, timers.ticks], before, 'closed, it asks no more');

  Object.assign(mood, { status: 500 });
  changes.length = 0;
  const late = await gate(t, app.url, {
    rules: [{ from: '/static/', to: `${zone.url}/static/` }],
    health: { path: '/health.png', status: 200 },
  });
  t.equal((await get(`${late.url}/static/a.png`)).status, 200, 'nor is the first one sent there');
  t.same(
    changes.map(({ state }) => state),
    ['down'],
    'and nobody is told that all is well',
  );
});

t.test('files that have left the site are served from where they are', async (t) => {
  const app = await application(t);
  const bucket = await site(t, ({ url }, res) => {
    if (!url?.startsWith('/bucket/a.png')) return res.writeHead(404).end('<Error/>');
    res.setHeader('set-cookie', 'bucket=1');
    return res.writeHead(200, { 'content-type': 'image/png' }).end(IMAGE);
  });
  const zone = await cdn(t);
  const { url, host, layer } = await gate(t, app.url, {
    rules: [
      { from: '/system/', to: `${zone.url}/`, serve: `${bucket.url}/bucket/` },
      { from: '/own/', to: `${zone.url}/own/`, serve: `${bucket.url}/bucket/` },
      { from: '/circle/', to: `${zone.url}/circle/`, serve: `${zone.url}/circle/` },
    ],
  });
  zone.settings.origin = `${url}/system`;
  t.equal((await follow(`${url}/system/a.png`)).url, `${zone.url}/a.png`);

  const secrets = {
    cookie: 'session=1',
    authorization: 'Bearer x',
    'x-forwarded-for': '192.0.2.9',
  };
  const passed = { range: 'bytes=0-', 'if-none-match': '"x"', 'accept-encoding': 'gzip' };
  const served = await get(`${url}/system/a.png?b`, { ...AS_PLUME, ...secrets, ...passed });
  t.ok(served.body.equals(IMAGE));
  t.match(served.headers, {
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; form-action 'none'",
    vary: /User-Agent/,
    'set-cookie': undefined,
    'cache-control': undefined,
  });
  const told = bucket.asked.at(-1);
  t.equal(told?.url, '/bucket/a.png?b');
  const { connection: _, 'headgate-loop': loop, ...fields } = told?.headers ?? {};
  t.match(loop, /^\w+$/, 'and who asks, so that a loop is found');
  t.same(fields, {
    host: bucket.host,
    accept: AS_PLUME.accept,
    'user-agent': AS_PLUME['user-agent'],
    'x-forwarded-host': bucket.host,
    'x-forwarded-proto': 'http',
    ...passed,
  });
  await get(`${url}/system/a.png`, { ...AS_PLUME, 'content-length': '4' }, 'body');
  t.match(bucket.asked.at(-1)?.headers, {
    'content-length': undefined,
    'transfer-encoding': undefined,
  });
  t.equal(app.asked.length, 0, 'the application is not asked');

  const object = { accept: 'application/activity+json' };
  t.equal((await get(`${url}/own/object`, object)).status, 404);
  t.equal(app.asked.at(-1)?.url, '/own/object', 'but for objects');
  t.equal((await get(`${url}/system/%2e%2e/a.png`)).status, 404);
  t.equal(app.asked.at(-1)?.url, '/system/%2e%2e/a.png', 'and for what is no plain path');

  zone.settings.origin = url;
  const circle = await get(`${url}/circle/a.png`, AS_PLUME);
  t.equal(circle.status, 404, 'a CDN is not asked for what it asks for');
  t.equal(app.asked.at(-1)?.url, '/circle/a.png');
  t.equal(app.asked.at(-1)?.headers.host, host);

  t.ok(bucket.connections.count > 0);
  await layer.close();
  await until(() => bucket.connections.count === 0);
  t.equal(bucket.connections.count, 0, 'closed, it holds no connection');
});
