/** media-redirect by its parts: which rule, who is served, which fields; and that no target escapes. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { type ProxyRequest, type ProxyResponse, toSettings } from '@headgate/core';
import { aRequest, type Changes, upstream } from '@headgate/core/testing';
import {
  type MediaRedirectDecision,
  type MediaRedirectOptions,
  type MediaRedirectParts,
  mediaRedirect,
  plugin,
} from '@headgate/middleware-media-redirect';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { AS_PLUME, BROWSER, PLUME, site } from './sites.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/)';
const SIGNED = { signature: 'keyId="https://a.example/key"' };
const SECRET = { header: 'X-Origin-Pull', value: '0123456789abcdef' };
const PULL = { 'cdn-loop': 'testcdn' };

/** A layer whose CDN has nothing, but answers; `{cdn}` in the options is its URL. */
async function layer(t: Test, options: object, parts: MediaRedirectParts = {}) {
  const zone = await site(t, (_req, res) => res.writeHead(404).end());
  const written = JSON.parse(JSON.stringify(options).replaceAll('{cdn}', zone.url));
  const { middleware, close } = mediaRedirect(written as MediaRedirectOptions, parts);
  t.teardown(close);
  const app = upstream(() => ({ headers: { 'content-type': 'image/png' } }));
  const ask = (changes: Changes<ProxyRequest> = {}, next = app) =>
    middleware(
      aRequest({ ...changes, headers: { 'user-agent': BROWSER, ...changes.headers } }),
      next,
    );
  const locationOf = async (url: string, headers: Record<string, string> = {}) => {
    const { headers: given } = await ask({ url, headers });
    return String(given.location).replace(zone.url, '{cdn}');
  };
  return { zone, app, ask, locationOf };
}
const STATIC = { rules: [{ from: '/static/', to: '{cdn}/static/' }] };

t.test('the first rule that fits gives the Location, byte for byte', async (t) => {
  const { locationOf, ask, app } = await layer(t, {
    rules: [
      { from: '/system/cache/', to: '{cdn}/', status: 307 },
      { from: '/system/', to: '{cdn}/bucket/', status: 302 },
      { from: '/static/', to: '{cdn}/static/' },
      { from: 'Media.old.example', to: '{cdn}/old/', status: 308 },
    ],
    exclude: ['/static/own/', '/static/sw.js', '/.well-known/'],
  });
  const OLD = { host: 'media.OLD.example.' };
  const rows: [target: string, location: string, headers?: Record<string, string>][] = [
    ['/system/a.png', '{cdn}/bucket/a.png'],
    ['/system/cache/a.png', '{cdn}/a.png'],
    ['/system/', '{cdn}/bucket/'],
    ['/static/a/b%20c.png?v=1&u=https%3A%2F%2Fx', '{cdn}/static/a/b%20c.png?v=1&u=https%3A%2F%2Fx'],
    ['/static/a@2x.png', '{cdn}/static/a@2x.png'],
    ['/static/@evil.example/x', '{cdn}/static/@evil.example/x'],
    ['/static/a?', '{cdn}/static/a?'],
    ['/static/?..//', '{cdn}/static/?..//'],
    ['/static/a;b=c.d,e', '{cdn}/static/a;b=c.d,e'],
    ['/static/%C3%BC"<>^`{|}.png', '{cdn}/static/%C3%BC"<>^`{|}.png'],
    ['/static/...a/.b', '{cdn}/static/...a/.b'],
    ['/a/b.png?c', '{cdn}/old/a/b.png?c', OLD],
    ['/', '{cdn}/old/', { host: 'media.old.example:443' }],
    ['/static/a.png', '{cdn}/static/a.png', OLD],
    ['/.well-known/acme-challenge/x', 'undefined', OLD],
    ['/a/b.png', 'undefined', { host: 'media.old.example:8080' }],
    ['/a/b.png', 'undefined', { host: 'xmedia.old.example' }],
    ['/static', 'undefined'],
    ['/STATIC/a.png', 'undefined'],
    ['/static%2fa.png', 'undefined'],
    ['/static@evil.example/a', 'undefined'],
    ['/static.evil.example/a', 'undefined'],
    ['//evil.example/static/a', 'undefined'],
    ['/x?/static/a', 'undefined'],
    ['/static/own/a.png', 'undefined'],
    ['/static/sw.js?v=1', 'undefined'],
    ['/static/sw.js.map', '{cdn}/static/sw.js.map'],
  ];
  for (const [target, location, headers] of rows)
    t.equal(await locationOf(target, headers), location, `${target} ${headers?.host ?? ''}`);
  for (const [url, status, host] of [
    ['/system/a', 302, ''],
    ['/system/cache/a', 307, ''],
    ['/static/a', 301, ''],
    ['/a', 308, 'media.old.example'],
  ] as const)
    t.equal((await ask({ url, ...(host && { headers: { host } }) })).status, status, url);

  const before = app.asked.length;
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    t.equal((await ask({ url: '/static/a.png', method })).status, 200, method);
  t.equal(app.asked.length, before + 4, 'only GET and HEAD are redirected');
  t.equal((await ask({ url: '/static/a.png', method: 'HEAD' })).status, 301);
});

t.test('a target that two readers could understand in two ways is served', async (t) => {
  const { ask, app } = await layer(t, STATIC);
  const rests = `
    /evil.example /\\evil.example \\evil.example ../admin a/../../admin a/.. . .. ./a ..;/a a/..;x/b
    %2e%2e/admin a/%2E%2e/b .%2e/a a%2fb a%2Fb a%5cb %5Cevil a//b a/// %0d%0aSet-Cookie:a=b a%00 a%7f
    a?%0d%0aLocation:x a?%0A ü a#b \u0001`;
  const targets = rests
    .trim()
    .split(/\s+/)
    .map((rest) => `/static/${rest}`);
  for (const url of [...targets, '/static/a\r\nx:y', '/static/a b', '/static/\t']) {
    const { status, headers } = await ask({ url });
    t.same([status, headers.location], [200, undefined], JSON.stringify(url));
    t.equal(app.asked.at(-1)?.url, url, 'as it came');
  }
});

t.test('for any target: no Location, or the base and the very same rest', async (t) => {
  const { zone, ask } = await layer(t, {
    rules: [
      { from: '/static/', to: '{cdn}/deep/static/' },
      { from: '/system/', to: '{cdn}' },
      { from: 'old.example', to: '{cdn}/old/' },
    ],
    exclude: [],
  });
  const bases = { '/static/': '/deep/static/', '/system/': '/', '/': '/old/' };
  const part = fc.oneof(
    fc.constantFrom(
      ...'/ // \\ .. . %2e %2E %2f %5c @ : ? # ; & = % %0d%0a \r\n \t %00 evil.example a.png ü'.split(
        ' ',
      ),
    ),
    fc.string({ maxLength: 4 }),
    fc.string({ maxLength: 4, unit: 'binary' }),
  );
  const rest = fc.array(part, { maxLength: 8 }).map((parts) => parts.join(''));
  const seen = { redirected: 0, served: 0 };
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.entries(bases)), rest, async ([from, to], rest) => {
      const host = from === '/' ? 'old.example' : 'site.example';
      const isOther = from === '/' && /^\/?(?:static|system)\//.test(`/${rest}`);
      const { headers } = await ask({ url: from + rest, headers: { host } });
      if (headers.location === undefined || isOther) {
        seen.served += 1;
        return;
      }
      seen.redirected += 1;
      const url = new URL(String(headers.location));
      const [path = ''] = (to + rest).split('?', 1);
      assert.equal(headers.location, zone.url + to + rest);
      assert.equal(url.origin, zone.url);
      assert.ok(url.pathname.startsWith(to));
      assert.equal(url.pathname.split('/').length, path.split('/').length, 'nothing is taken away');
      assert.match(url.href, /^[!-~]+$/);
    }),
    { numRuns: 1_000 },
  );
  t.ok(seen.redirected > 100 && seen.served > 100, JSON.stringify(seen));
});

t.test('whom a redirect would break is served, and nobody else', async (t) => {
  const UNKNOWN = { 'user-agent': 'Mitra 4.1; https://m.example', ...SIGNED };
  const AP = { accept: 'application/activity+json' };
  type Row = [who: string, reason: string, changes: Changes<ProxyRequest>, options?: object];
  const rows: Row[] = [
    ['a browser', '', {}],
    ['nobody', '', { headers: { 'user-agent': '' } }],
    ['Mastodon', '', { headers: { 'user-agent': MASTODON } }],
    ['Mastodon, signed', '', { headers: { 'user-agent': MASTODON, ...SIGNED } }],
    ['Plume', 'old-host', { headers: { 'user-agent': PLUME } }],
    ['Plume, signed', 'old-host', { headers: AS_PLUME }],
    ['Plume that may', '', { headers: AS_PLUME }, { plume: 'redirect' }],
    ['Plume in a host', '', { headers: { 'user-agent': 'X/1 (+https://Plume/)' } }],
    ['a stranger, signed', 'signed', { headers: UNKNOWN }],
    [
      'a stranger, signed anew',
      'signed',
      { headers: { 'user-agent': 'Mitra 4.1', 'signature-input': 'sig1=()' } },
    ],
    ['a stranger, unsigned', '', { headers: { 'user-agent': 'Mitra 4.1; https://m.example' } }],
    ['a stranger that may', '', { headers: UNKNOWN }, { signed: 'redirect' }],
    ['a stranger, though Plume may', 'signed', { headers: UNKNOWN }, { plume: 'redirect' }],
    ['a client that is listed', 'client', { headers: { 'user-agent': 'Toot!/17' } }],
    ['one that is not', '', { headers: { 'user-agent': 'Not Toot!/17' } }],
    ['an object in a folder of files', '', { headers: AP }],
    ['an object elsewhere', 'activitypub', { url: '/own/a', headers: AP }],
    ['a file elsewhere', '', { url: '/own/a' }],
    ['CDN-Loop', 'origin-pull', { headers: PULL }],
    ['CDN-Loop, empty', 'origin-pull', { headers: { 'cdn-loop': '' } }],
    ['Bunny', 'origin-pull', { headers: { via: 'BunnyCDN' } }],
    ['CDN77', 'origin-pull', { headers: { via: '1.1 cdn77' } }],
    ['CloudFront', 'origin-pull', { headers: { 'user-agent': 'Amazon CloudFront' } }],
    ['CloudFront by Via', 'origin-pull', { headers: { via: '2.0 a.cloudfront.net (CloudFront)' } }],
    ['a proxy in front', '', { headers: { via: '1.1 varnish, 1.1 google' } }],
    ['Plume through the CDN', 'origin-pull', { headers: { ...AS_PLUME, ...PULL } }],
    ['a pull host', 'origin-pull', { headers: { host: 'PULL.example' } }],
    ["the CDN's own host", 'origin-pull', { headers: { host: '{host}' } }],
    ['an address', 'origin-pull', { client: '198.51.100.7' }],
    ['an address in IPv6', 'origin-pull', { client: '2001:db8::7' }],
    ['another address', '', { client: '198.51.101.7' }],
    ['another in IPv6', '', { client: '2001:db9::7' }],
    ['a single address', 'origin-pull', { client: '203.0.113.1' }],
    ['the next one', '', { client: '203.0.113.2' }],
    ['a single address in IPv6', 'origin-pull', { client: '2001:dba::1' }],
    ['the next one in IPv6', '', { client: '2001:dba::2' }],
    ['no address', '', { client: '' }],
    ['no pull expected', '', { headers: PULL }, { originPull: { expected: false } }],
    [
      "the CDN's host then",
      'own-host',
      { headers: { host: '{host}' } },
      { originPull: { expected: false } },
    ],
    [
      'the secret',
      'origin-pull',
      { headers: { 'x-origin-pull': SECRET.value } },
      { originPull: { secret: SECRET } },
    ],
    [
      'a wrong secret',
      '',
      { headers: { 'x-origin-pull': '0123456789abcdeF' } },
      { originPull: { secret: SECRET } },
    ],
    [
      'a short secret',
      '',
      { headers: { 'x-origin-pull': '0' } },
      { originPull: { secret: SECRET } },
    ],
    [
      'every other sign',
      '',
      { client: '198.51.100.7', headers: { ...PULL, via: 'BunnyCDN' } },
      { originPull: { secret: SECRET, addresses: ['198.51.100.0/24'] } },
    ],
    [
      "the CDN's host without the secret",
      'own-host',
      { headers: { host: '{host}' } },
      { originPull: { secret: SECRET } },
    ],
  ];
  for (const [who, reason, changes, options] of rows) {
    const told: MediaRedirectDecision[] = [];
    const listener = (message: unknown) => told.push(message as MediaRedirectDecision);
    const { ask, zone } = await layer(t, {
      rules: [...STATIC.rules, { from: '/own/', to: '{cdn}/own/' }],
      serveTo: ['Toot!'],
      originPull: {
        hosts: ['pull.example'],
        addresses: ['198.51.100.0/24', '203.0.113.1', '2001:db8::/32', '2001:dba::1'],
      },
      ...options,
    });
    const headers = JSON.parse(JSON.stringify(changes.headers ?? {}).replace('{host}', zone.host));
    subscribe('headgate:media-redirect', listener);
    const { status } = await ask({ url: '/static/a.png', ...changes, headers });
    unsubscribe('headgate:media-redirect', listener);
    t.equal(status, reason ? 200 : 301, who);
    t.match(told, [reason ? { outcome: 'served', reason } : { outcome: 'redirected' }], who);
  }
});

t.test('what was decided is told, with who asked and how much was served', async (t) => {
  const told: MediaRedirectDecision[] = [];
  const listener = (message: unknown) => told.push(message as MediaRedirectDecision);
  subscribe('headgate:media-redirect', listener);
  t.teardown(() => unsubscribe('headgate:media-redirect', listener));
  const { ask, zone } = await layer(t, { ...STATIC, pull: ['/packs/'] });
  const stream = () => ({ body: Readable.from([Buffer.from('x')], { objectMode: false }) });
  const url = '/static/a.png';
  await ask({ url });
  await ask({ url, headers: AS_PLUME }, upstream({ body: Buffer.from('four') }));
  const long = { headers: { 'content-length': '12345' } };
  await ask({ url, headers: AS_PLUME }, upstream({ ...stream(), ...long }));
  await ask({ url, headers: AS_PLUME }, upstream({ ...stream(), status: 404 }));
  for (const other of ['/', '/packs/a.js']) await ask({ url: other });
  t.match(told, [
    { outcome: 'redirected', family: 'other', location: `${zone.url}${url}`, request: { url } },
    { outcome: 'served', family: 'plume', reason: 'old-host', status: 200, bytes: 4 },
    { outcome: 'served', family: 'plume', status: 200, bytes: 12345 },
    { outcome: 'served', family: 'plume', status: 404, bytes: undefined },
  ]);
  t.equal(told.length, 4, 'what no rule fits is no decision');
});

t.test('a redirect is kept by its client alone, unless everybody gets it', async (t) => {
  const OFF = { plume: 'redirect', signed: 'redirect', originPull: { expected: false } };
  const PRIVATE = ['private, max-age=3600', 'no-store'];
  const rows: [what: string, options: object, control: unknown[], vary: unknown][] = [
    ['by default', {}, PRIVATE, 'User-Agent, Signature, Signature-Input'],
    ['nobody is an exception', OFF, ['public, max-age=86400', undefined], undefined],
    ['but Plume', { ...OFF, plume: 'serve' }, PRIVATE, 'User-Agent'],
    ['but clients', { ...OFF, serveTo: ['Toot!'] }, PRIVATE, 'User-Agent'],
    [
      'but the signed',
      { ...OFF, signed: 'serve' },
      PRIVATE,
      'User-Agent, Signature, Signature-Input',
    ],
    ['but the CDN', { ...OFF, originPull: {} }, PRIVATE, undefined],
    ['but in trouble', { ...OFF, health: { path: '/', status: 404 } }, PRIVATE, undefined],
  ];
  for (const [what, options, control, vary] of rows) {
    const { ask } = await layer(t, {
      rules: [...STATIC.rules, { from: '/own/', to: '{cdn}/own/' }],
      ...options,
    });
    const { headers, status } = await ask({ url: '/static/a.png' });
    t.same([headers['cache-control'], headers['cdn-cache-control']], control, what);
    t.same([status, headers.vary, headers['access-control-allow-origin']], [301, vary, '*'], what);
    const own = await ask({ url: '/own/a' });
    const both = vary === undefined ? 'Accept' : `${vary}, Accept`;
    t.equal(own.headers.vary, both, `${what}: where Accept tells objects from files`);
  }
});

t.test('what is served to some only says so', async (t) => {
  const { ask } = await layer(t, STATIC);
  const request = { url: '/static/a.png', headers: { 'user-agent': PLUME } };
  const rows: [before: string | undefined, after: string][] = [
    [undefined, 'User-Agent, Signature, Signature-Input'],
    ['Accept-Encoding,user-agent', 'Accept-Encoding, user-agent, Signature, Signature-Input'],
    ['*', '*'],
  ];
  for (const [vary, after] of rows) {
    const headers = { 'set-cookie': 'a=1', 'cache-control': 'max-age=60', ...(vary && { vary }) };
    const { headers: given } = await ask(request, upstream({ headers }));
    t.same({ ...given }, { ...headers, vary: after }, 'and is else as the site has it');
  }
});

t.test('the CDN gets what it can keep', async (t) => {
  const OWN = {
    'content-type': 'image/svg+xml',
    'cache-control': 'private, max-age=0',
    expires: '0',
    pragma: 'no-cache',
    vary: 'Accept-Encoding',
    'set-cookie': 'a=1',
    'content-security-policy': "default-src 'self'",
    'access-control-allow-origin': 'https://a.example',
    'access-control-allow-credentials': 'true',
    etag: '"x"',
  };
  const LONG = {
    'content-type': 'image/svg+xml',
    'cache-control': 'public, max-age=2419200, immutable',
    vary: 'Accept-Encoding',
    'content-security-policy': "default-src 'none'; form-action 'none'",
    'access-control-allow-origin': '*',
    'x-content-type-options': 'nosniff',
    etag: '"x"',
  };
  const SHORT = { ...LONG, 'cache-control': 'public, max-age=10' };
  const { 'set-cookie': _, ...KEPT } = OWN;
  const { ask } = await layer(t, { ...STATIC, pull: ['/packs/'], exclude: ['/packs/sw.js'] });
  const rows: [what: string, status: number, fields: object, changes: Changes<ProxyRequest>][] = [
    ['a pull', 200, LONG, { url: '/static/a.svg', headers: PULL }],
    ['a part', 206, LONG, { url: '/static/a.svg', headers: PULL }],
    ['no change', 304, LONG, { url: '/static/a.svg', headers: PULL }],
    ['HEAD', 200, LONG, { url: '/static/a.svg', method: 'HEAD', headers: PULL }],
    ['an error', 404, SHORT, { url: '/static/a.svg', headers: PULL }],
    ['a failure', 503, SHORT, { url: '/static/a.svg', headers: PULL }],
    ['a redirect of the site', 302, SHORT, { url: '/static/a.svg', headers: PULL }],
    ['an odd target', 200, LONG, { url: '/static/a//b.svg', headers: PULL }],
    ['a folder without a rule', 200, LONG, { url: '/packs/a.js' }],
    ['an error there', 404, SHORT, { url: '/packs/a.js' }],
    ['what is excluded', 200, OWN, { url: '/packs/sw.js', headers: PULL }],
    ['all else', 200, OWN, { url: '/about', headers: PULL }],
    ['a form', 200, OWN, { url: '/packs/a', method: 'POST' }],
  ];
  for (const [what, status, fields, changes] of rows) {
    const response = await ask(changes, upstream({ status, headers: OWN }));
    t.equal(response.status, status, what);
    t.same({ ...response.headers }, fields, what);
  }
  const off = { cacheControl: '', errorCacheControl: '', allowOrigin: '', policy: '' };
  const plain = await layer(t, { ...STATIC, headers: off });
  const pulled = await plain.ask({ url: '/static/a', headers: PULL }, upstream({ headers: OWN }));
  t.same({ ...pulled.headers }, { ...KEPT, 'x-content-type-options': 'nosniff' }, 'switched off');
});

t.test('the secret goes no further', async (t) => {
  const { ask, app } = await layer(t, { ...STATIC, originPull: { secret: SECRET } });
  const headers = { 'x-origin-pull': SECRET.value, 'x-other': '1' };
  const told: unknown[] = [];
  const listener = (message: unknown) => told.push(message);
  subscribe('headgate:media-redirect', listener);
  t.teardown(() => unsubscribe('headgate:media-redirect', listener));
  for (const url of ['/static/a.png', '/about']) await ask({ url, headers });
  for (const asked of app.asked)
    t.same([asked.headers['x-origin-pull'], asked.headers['x-other']], [undefined, '1'], asked.url);
  t.equal(app.asked.length, 2);
  t.match(told, [{ request: { headers: { 'x-origin-pull': undefined, 'x-other': '1' } } }]);
});

t.test('what no rule fits passes untouched', async (t) => {
  const { middleware } = mediaRedirect({
    rules: [{ from: '/static/', to: 'https://cdn.example/' }],
  });
  const request = aRequest({ url: '/about', headers: PULL });
  const response: ProxyResponse = await upstream()(request);
  const next = async (asked: ProxyRequest) => {
    t.equal(asked, request, 'the very same request');
    return response;
  };
  t.equal(await middleware(request, next), response, 'the very same response');
});

t.test('a policy is told where people are sent', (t) => {
  const settings = toSettings(plugin.name, plugin.options, {
    rules: [
      { from: '/system/', to: 'https://files.example/bucket/' },
      { from: '/media/', to: 'https://files.example/media/' },
      { from: '/static/', to: 'https://CDN.example:443/static/', kind: 'assets' },
    ],
  });
  t.same(plugin.mediaHosts?.(settings), [
    { origin: 'https://files.example', kind: 'media' },
    { origin: 'https://cdn.example', kind: 'media' },
    { origin: 'https://cdn.example', kind: 'assets' },
  ]);
  t.end();
});

t.test('wrong options are named, with what to write', async (t) => {
  const to = 'https://cdn.example/static/';
  const fine = { from: '/static/', to };
  const rows: [options: object, message: RegExp][] = [
    [{}, /^media-redirect: rules: write at least one rule, or a folder in pull/],
    [{ rules: [{ ...fine, from: '/' }] }, /^media-redirect: rules\.0\.from: write a folder/],
    [{ rules: [{ ...fine, from: '/static' }] }, /rules\.0\.from/],
    [{ rules: [{ ...fine, from: 'static/' }] }, /rules\.0\.from/],
    [{ rules: [{ ...fine, from: '/st%61tic/' }] }, /rules\.0\.from/],
    [{ rules: [{ ...fine, from: 'https://old.example/' }] }, /rules\.0\.from/],
    [{ rules: [fine, { ...fine, to: '/cdn/' }] }, /rules\.1\.to: write a URL that ends with \//],
    [{ rules: [{ ...fine, to: 'https://cdn.example/static' }] }, /rules\.0\.to/],
    [{ rules: [{ ...fine, to: 'ftp://cdn.example/' }] }, /rules\.0\.to/],
    [{ rules: [{ ...fine, to: 'https://a:b@cdn.example/' }] }, /rules\.0\.to/],
    [{ rules: [{ ...fine, to: 'https://cdn.example/?a=/' }] }, /rules\.0\.to/],
    [{ rules: [{ ...fine, to: 'https:///' }] }, /rules\.0\.to/],
    [{ rules: [{ ...fine, serve: 'bucket' }] }, /rules\.0\.serve: write a URL/],
    [{ rules: [{ ...fine, status: 303 }] }, /rules\.0\.status/],
    [
      { rules: [fine, { from: 'CDN.example', to: 'https://b.example/' }] },
      /^media-redirect: rules\.0\.to: this host is one of the site itself/,
    ],
    [{ rules: [fine], originPull: { hosts: ['cdn.example'] } }, /rules\.0\.to: this host is/],
    [
      {
        rules: [{ ...fine, serve: 'https://pull.example/' }],
        originPull: { hosts: ['pull.example'] },
      },
      /rules\.0\.serve: this host is/,
    ],
    [{ rules: [fine], exclude: ['sw.js'] }, /exclude\.0: write a path/],
    [{ rules: [fine], plume: true }, /plume: .*"serve"\|"redirect"/],
    [
      { rules: [fine], originPull: { secret: { header: 'X_A', value: 'x'.repeat(16) } } },
      /secret\.header/,
    ],
    [
      {
        rules: [fine],
        originPull: { secret: { header: 'X-Forwarded-Key', value: 'x'.repeat(16) } },
      },
      /X-Forwarded- fields never arrive/,
    ],
    [
      { rules: [fine], originPull: { secret: { header: 'X-A', value: 'short' } } },
      /originPull\.secret\.value: write at least 16 characters/,
    ],
    [
      { rules: [fine], originPull: { addresses: ['10.0.0.0/33'] } },
      /addresses\.0: write an address/,
    ],
    [{ rules: [fine], headers: { policy: 'a\nb' } }, /headers\.policy: write a field's value/],
    [{ rules: [fine], health: { path: 'x' } }, /health\.path: write a path on the CDN/],
    [{ rules: [fine], health: { path: '/x', interval: 1 } }, /health\.interval/],
    [{ rules: [fine], rulez: 1 }, /Unrecognized key: "rulez"/],
  ];
  for (const [options, message] of rows)
    t.throws(() => mediaRedirect(options as never), { name: 'TypeError', message });
  for (const name of ['to', 'serve'])
    t.throws(
      () =>
        mediaRedirect(
          { rules: [{ ...fine, [name]: 'https://www.site.example/x/' }] },
          { hosts: ['WWW.site.example'] },
        ),
      { name: 'TypeError', message: `media-redirect: rules.0.${name}: this host is one of` },
    );
  const site = {
    name: 'a',
    hosts: ['cdn.example'],
    mediaHosts: [],
    store: {},
    background: upstream(),
  };
  const settings = toSettings(plugin.name, plugin.options, { rules: [fine] });
  t.throws(() => plugin.create(settings, site as never), { message: /rules\.0\.to: this host/ });
  const again = toSettings(plugin.name, plugin.options, settings);
  t.same(again, settings, 'settings are options too');
  t.match(settings, { plume: 'serve', signed: 'serve', rules: [{ status: 301, kind: 'media' }] });
  t.doesNotThrow(() => mediaRedirect({ pull: ['/packs/'] }));
  t.doesNotThrow(() =>
    mediaRedirect({ rules: [{ from: 'old.example', to: 'https://cdn.example' }] }),
  );
});
