/** fedicache without a socket: what it cuts, what it keeps, and what it leaves alone. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import {
  type CacheStore,
  type Handler,
  HeadgateError,
  type ProxyRequest,
  type ProxyResponse,
  readBody,
  toSettings,
} from '@headgate/core';
import { aRequest, aResponse, type Changes, upstream } from '@headgate/core/testing';
import { type FedicacheOptions, fedicache, plugin } from '@headgate/middleware-fedicache';
import { memoryStore } from '@headgate/store';
import t from 'tap';
import { trim } from '../src/trim.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ünïcödé</title>';
const PAGE = `${HEAD}</head><body><p>${'text '.repeat(1000)}</p><a rel="me" href="https://social.example/@a">me</a></body></html>`;
const LIMITS = { scan: 1024 * 1024, maxPage: 256 * 1024 };

const preview = (changes: Changes<ProxyRequest> = {}) =>
  aRequest({
    ...changes,
    headers: { 'user-agent': MASTODON, accept: 'text/html', ...changes.headers },
  });
const html = (
  page: string | Buffer = PAGE,
  changes: Changes<ProxyResponse> = {},
): Changes<ProxyResponse> => ({
  body: Readable.from([Buffer.from(page)], { objectMode: false }),
  ...changes,
  headers: { 'content-type': 'text/html; charset=utf-8', ...changes.headers },
});
const text = async ({ body }: ProxyResponse) => String(await readBody(body, 1e8));
const cacheStatus = ({ headers }: ProxyResponse) => headers['cache-status'];

function layer(options: FedicacheOptions = {}, parts: Parameters<typeof fedicache>[1] = {}) {
  return fedicache(options, parts);
}

t.test('a preview is cut, and comes from memory the second time', async (t) => {
  const origin = upstream(() =>
    html(PAGE, {
      headers: {
        'set-cookie': 'a=1',
        link: '<x>; rel=y',
        rating: 'adult',
        'x-other': '1',
        etag: '"x"',
      },
    }),
  );
  const { middleware } = layer();
  const first = await middleware(preview(), origin);
  t.match(await text(first), `${HEAD}</head><body>`);
  t.match(
    await text(first),
    /<a rel="me" href="https:\/\/social\.example\/@a"><\/a><\/body><\/html>\n$/,
  );
  t.ok((await text(first)).length < 300);
  t.equal(cacheStatus(first), 'Headgate; fwd=uri-miss; stored');
  t.match(first.headers, {
    'content-type': 'text/html; charset=utf-8',
    link: '<x>; rel=y',
    rating: 'adult',
    fedicache: 'Active',
    'cache-control': 'private, max-age=300',
    'cdn-cache-control': 'no-store',
    vary: 'Accept, User-Agent, Accept-Encoding',
  });
  for (const gone of ['set-cookie', 'x-other', 'etag'])
    t.equal(first.headers[gone], undefined, gone);

  const second = await middleware(preview(), origin);
  t.equal(await text(second), await text(first));
  t.equal(cacheStatus(second), 'Headgate; hit; ttl=300');
  const head = await middleware(preview({ method: 'HEAD' }), origin);
  t.equal(cacheStatus(head), 'Headgate; hit; ttl=300', 'HEAD is answered from GET');
  t.equal(origin.asked.length, 1);
});

t.test('what goes upstream for a preview is the same whoever asks', async (t) => {
  const origin = upstream(() => html());
  const { middleware } = layer();
  const gone = new AbortController();
  gone.abort();
  const headers = {
    'accept-language': 'de',
    range: 'bytes=0-1',
    'if-none-match': '"x"',
    origin: 'https://evil.example',
    'x-anything': '1',
  };
  await middleware(
    preview({ method: 'HEAD', client: '192.0.2.9', signal: () => gone.signal, headers }),
    origin,
  );
  const [asked] = origin.asked;
  t.match(asked, { method: 'GET', url: '/', client: '', scheme: 'https' });
  t.same(
    { ...asked?.headers },
    {
      host: 'site.example',
      'user-agent': 'Headgate (link preview; +https://site.example/)',
      accept: 'text/html',
      'accept-encoding': 'identity',
    },
  );
  t.equal(asked?.signal().aborted, false, 'a client that leaves does not end it');
  const own = aRequest({
    headers: { 'user-agent': String(asked?.headers['user-agent']), accept: 'text/html' },
  });
  const passed = upstream(() => html());
  await middleware(own, passed);
  t.equal(passed.asked[0], own, 'two Headgates do not loop: its own name is on no list');
});

t.test(
  'the host goes upstream as it stands in the key, however the first client spells it',
  async (t) => {
    const origin = upstream(() => html());
    const { middleware } = layer();
    await middleware(preview({ headers: { host: 'SITE.eXample' } }), origin);
    t.match(origin.asked[0]?.headers, {
      host: 'site.example',
      'user-agent': /https:\/\/site\.example\//,
    });
  },
);

t.test('who is no preview fetcher gets what the origin says, untouched', async (t) => {
  for (const [who, request] of [
    ['a browser', aRequest({ headers: { 'user-agent': BROWSER, accept: 'text/html' } })],
    ['ActivityPub', preview({ headers: { accept: 'application/activity+json' } })],
    [
      'a search that takes both',
      preview({ headers: { accept: 'application/activity+json, text/html;q=0.1' } }),
    ],
    ['a signed request', preview({ headers: { signature: 'x' } })],
    ['somebody who is logged in', preview({ headers: { cookie: 'a=1' } })],
    ['somebody with a token', preview({ headers: { authorization: 'Bearer x' } })],
    ['a POST', preview({ method: 'POST' })],
    ['a GET with a body', preview({ body: Buffer.from('x') })],
    ['an API', preview({ url: '/api/v1/statuses' })],
    ['webfinger', preview({ url: '/.well-known/webfinger?resource=acct:a@b' })],
    [
      'Misskey, which verifies by any link',
      preview({
        headers: {
          'user-agent': 'Misskey/2025.4.1 (https://mk.example)',
          accept: 'text/html, */*',
        },
      }),
    ],
  ] as const) {
    const response = aResponse(html());
    const { middleware } = layer();
    const next: Handler = async (asked) => {
      t.equal(asked, request, `${who}: the very same request`);
      return response;
    };
    t.equal(await middleware(request, next), response, `${who}: the very same response`);
  }
});

t.test('many who ask at once are one request', async (t) => {
  const gate = Promise.withResolvers<void>();
  let count = 0;
  const next: Handler = async () => {
    count += 1;
    await gate.promise;
    return aResponse(html());
  };
  const { middleware } = layer();
  const answers = Array.from({ length: 500 }, () => middleware(preview(), next));
  await new Promise((done) => setTimeout(done, 20));
  gate.resolve();
  const texts = await Promise.all((await Promise.all(answers)).map(text));
  t.equal(count, 1);
  t.equal(new Set(texts).size, 1);
  t.equal(
    cacheStatus(await (answers[0] as Promise<ProxyResponse>)),
    'Headgate; fwd=uri-miss; stored',
  );
  t.equal(
    cacheStatus(await (answers[1] as Promise<ProxyResponse>)),
    'Headgate; fwd=uri-miss; collapsed',
  );
});

t.test('each URL is one page: scheme, host whatever its case, path and query', async (t) => {
  const origin = upstream(() => html());
  const { middleware } = layer();
  const requests = [
    preview(),
    preview({ headers: { host: 'SITE.example' } }),
    preview({ scheme: 'http' }),
    preview({ headers: { host: 'other.example' } }),
    preview({ url: '/a' }),
    preview({ url: '/a?' }),
    preview({ url: '/a?b' }),
    preview({ url: '/A' }),
  ];
  for (const request of requests) await middleware(request, origin);
  t.equal(origin.asked.length, requests.length - 1);
});

t.test('what may not be kept is passed on whole, and not waited for again', async (t) => {
  const rows: [why: string, answer: Changes<ProxyResponse>][] = [
    ['not 200', html(PAGE, { status: 404 })],
    ['not HTML', html(PAGE, { headers: { 'content-type': 'application/json' } })],
    ['XHTML', html(PAGE, { headers: { 'content-type': 'application/xhtml+xml' } })],
    ['no-store', html(PAGE, { headers: { 'cache-control': 'max-age=60, No-Store' } })],
    ['Vary: *', html(PAGE, { headers: { vary: 'accept, *' } })],
    ['a coding nobody asked for', html(PAGE, { headers: { 'content-encoding': 'gzip' } })],
    ['a download', html(PAGE, { headers: { 'content-disposition': 'attachment; filename=x' } })],
    ['not UTF-8', html(Buffer.from(PAGE, 'latin1'))],
    ['UTF-16', html(Buffer.from(PAGE, 'utf16le'))],
    ['ISO-2022-JP', html(PAGE.replace('Ünïcödé', '\x1b$B%F%9%H\x1b(B'))],
    [
      'larger than what is kept',
      html(`<!doctype html><head>${'<meta name=a content=b>'.repeat(20_000)}</head>`),
    ],
    [
      'what the scanner cannot vouch for',
      html(PAGE.replace('<p>', '<script><!-- <script> </script>')),
    ],
  ];
  for (const [why, answer] of rows) {
    const page = await readBody(aResponse(answer).body, 1e8);
    const fresh = async () =>
      aResponse({
        ...answer,
        body: Readable.from([page.subarray(0, 30), page.subarray(30)], { objectMode: false }),
      });
    const { middleware } = layer();
    const [first, second] = await Promise.all([
      middleware(preview(), fresh),
      middleware(preview(), fresh),
    ]);
    for (const response of [first, second]) {
      t.equal((await readBody(response.body, 1e8)).equals(page), true, `${why}: every byte`);
      t.equal(response.status, answer.status ?? 200, why);
      t.equal(cacheStatus(response), undefined, `${why}: untouched`);
    }
    const request = preview();
    const origin = upstream(answer);
    await middleware(request, origin);
    t.equal(origin.asked[0], request, `${why}: from then on everybody asks for themselves`);
  }
});

t.test('a body that breaks off is not kept, and neither is an error', async (t) => {
  let isBroken = true;
  const next: Handler = async () => {
    if (!isBroken) return aResponse(html());
    const body = new Readable({ read: () => {} });
    body.push(HEAD);
    setImmediate(() => body.destroy(new HeadgateError('UPSTREAM_BROKEN', 'broke off')));
    return aResponse(html('', { body }));
  };
  const { middleware } = layer();
  const both = await Promise.allSettled([middleware(preview(), next), middleware(preview(), next)]);
  for (const result of both)
    t.match(result, { status: 'rejected', reason: { code: 'UPSTREAM_BROKEN' } });
  isBroken = false;
  t.match(await text(await middleware(preview(), next)), '<title>');

  const refusing: Handler = async () => {
    throw new HeadgateError('UPSTREAM_UNREACHABLE', 'nobody there');
  };
  await t.rejects(middleware(preview({ url: '/b' }), refusing), { code: 'UPSTREAM_UNREACHABLE' });
  t.equal(
    (
      await middleware(
        preview({ url: '/b' }),
        upstream(() => html()),
      )
    ).status,
    200,
  );
});

t.test('a page is fetched again after its time, and when it was purged', async (t) => {
  let clock = 1_000_000;
  const now = () => clock;
  const origin = upstream(() => html());
  const { middleware, purge } = layer({ ttl: 60_000 }, { now, store: memoryStore({ now }) });
  await middleware(preview(), origin);
  clock += 30_000;
  const later = await middleware(preview(), origin);
  t.match(later.headers, {
    age: '30',
    'cache-control': 'private, max-age=30',
    'cache-status': 'Headgate; hit; ttl=30',
  });
  clock += 30_001;
  await middleware(preview(), origin);
  t.equal(origin.asked.length, 2, 'its time is over');

  await middleware(preview({ url: '/a' }), origin);
  t.equal(await purge('https://site.example/a'), 1);
  await middleware(preview(), origin);
  await middleware(preview({ url: '/a' }), origin);
  t.equal(origin.asked.length, 4, 'the other page is still there');
  t.equal(await purge(''), 2);
});

t.test('a store that fails is a miss', async (t) => {
  const fails = async () => {
    throw new Error('no store');
  };
  const store: CacheStore = { ...memoryStore(), get: fails, set: fails };
  const { middleware } = layer({}, { store });
  t.match(
    await text(
      await middleware(
        preview(),
        upstream(() => html()),
      ),
    ),
    '<title>',
  );
});

t.test('decisions are told on a channel', async (t) => {
  const told: unknown[] = [];
  const listener = (message: unknown) => told.push(message);
  subscribe('headgate:fedicache', listener);
  t.teardown(() => unsubscribe('headgate:fedicache', listener));
  const { middleware } = layer();
  const origin = upstream(({ url }) => html(PAGE, url === '/no' ? { status: 404 } : {}));
  for (const url of ['/', '/', '/no']) await middleware(preview({ url }), origin);
  t.match(told, [
    { outcome: 'fill', family: 'mastodon', request: { url: '/' } },
    { outcome: 'hit', family: 'mastodon' },
    { outcome: 'whole', family: 'mastodon', request: { url: '/no' } },
  ]);
});

t.test('wrong options are named, with what to write', async (t) => {
  for (const [options, message] of [
    [{ ttl: 0 }, /^fedicache: ttl: .*>=1/],
    [{ ttl: '5m' }, /^fedicache: ttl: .*expected number/],
    [{ tll: 1 }, /^fedicache: Unrecognized key: "tll"/],
    [{ ttl: 0, scan: 0 }, /ttl: .*; scan: /],
  ] as const)
    t.throws(() => fedicache(options as never), { name: 'TypeError', message });
  t.same(toSettings(plugin.name, plugin.options, {}), {
    ttl: 300_000,
    scan: 1_048_576,
    maxPage: 262_144,
  });
});

t.test('trim keeps the head byte for byte and what fetchers look for behind it', async (t) => {
  const SIGN = '<!--\u2691\u2691\u2691\u2691-->';
  const rows: [what: string, page: string, head: string, rest: string][] = [
    ['an explicit end', '<head><title>a</title></head><body>b', '<head><title>a</title>', ''],
    ['an implied end', '<title>a</title><p>b', '<title>a</title>', ''],
    [
      '</head> in an attribute',
      '<head><meta name=x content="</head>"></head>b',
      '<head><meta name=x content="</head>">',
      '',
    ],
    [
      '</head> in a script',
      '<head><script>"</head>"</script></head>b',
      '<head><script>"</head>"</script>',
      '',
    ],
    [
      'metas, links, titles',
      '<head></head><meta name=a><link rel=canonical href=b><title>c</title><p>',
      '<head>',
      '<meta name=a><link rel=canonical href=b><title>c</title>',
    ],
    [
      'linked data',
      '<head></head><script type="application/ld+json">{"a":"<p>"}</script><script>x</script>',
      '<head>',
      '<script type="application/ld+json">{"a":"<p>"}</script>',
    ],
    [
      'rel=me of a and link, whatever its case',
      '<head></head><A REL="nofollow ME" HREF=x>y</A><link rel=me href=z><a rel=home>n</a>',
      '<head>',
      '<A REL="nofollow ME" HREF=x></a><link rel=me href=z>',
    ],
    [
      'no title of a drawing',
      '<head></head><svg><title>no</title><a rel=me href=n></a></svg>',
      '<head>',
      '',
    ],
  ];
  for (const [what, page, head, rest] of rows) {
    const expected = `${head}</head><body>${SIGN}${rest}</body></html>\n`;
    for (const size of [1, 7, 10_000]) {
      const chunks = [];
      for (let at = 0; at < page.length; at += size)
        chunks.push(Buffer.from(page.slice(at, at + size)));
      const trimmed = await trim(Readable.from(chunks, { objectMode: false }), LIMITS);
      t.equal(
        'page' in trimmed && String(trimmed.page),
        expected,
        `${what}, ${size} bytes at a time`,
      );
    }
  }
  const onlyHead = await trim(Buffer.from('<title>a</title>'), LIMITS);
  t.equal(
    'page' in onlyHead && String(onlyHead.page),
    '<title>a</title>',
    'a page that is all head stays',
  );
});

t.test('trim reads no further than it must, and lets go of the rest', async (t) => {
  const endless = () => {
    let given = 0;
    const body = new Readable({
      read() {
        given += 1;
        this.push(given === 1 ? '<head><title>ü</title></head>' : 'ü'.repeat(10_000));
      },
    });
    return { body, given: () => given };
  };
  const { body, given } = endless();
  const trimmed = await trim(body, { scan: 100_001, maxPage: 1000 });
  t.equal(
    'page' in trimmed && String(trimmed.page).startsWith('<head><title>ü</title></head>'),
    true,
  );
  t.ok(given() < 20);
  t.equal(body.destroyed, true);

  const headless = new Readable({
    read() {
      this.push(`<style>${'x'.repeat(10_000)}</style>`);
    },
  });
  const whole = await trim(headless, { scan: 100_000, maxPage: 1000 });
  t.equal('whole' in whole, true, 'a head without end within the limit is not cut');
  t.equal(headless.destroyed, false);
  if ('whole' in whole) whole.whole.destroy();
  await new Promise((done) => setImmediate(done));
  t.equal(headless.destroyed, true, 'who drops the whole drops the origin');
});
