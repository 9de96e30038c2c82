/** fedicache without a socket: what it keeps, how long, whom it answers with it, and what it asks. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { mock } from 'node:test';
import { brotliDecompressSync, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import {
  type CacheStore,
  discard,
  EMPTY,
  type Handler,
  HeadgateError,
  type Keep,
  type ProxyRequest,
  type ProxyResponse,
  readBody,
  toSettings,
} from '@headgate/core';
import { aRequest, aResponse, type Changes, upstream } from '@headgate/core/testing';
import {
  type FedicacheEvent,
  type FedicacheOptions,
  type FedicacheParts,
  fedicache,
  plugin,
} from '@headgate/middleware-fedicache';
import { memoryStore } from '@headgate/store';
import t from 'tap';
import { until } from '../../core/test/wire.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ünïcödé</title>';
const PAGE = `${HEAD}</head><body><p>${'text '.repeat(1000)}</p><a rel="me" href="https://social.example/@a">me</a></body></html>`;
const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

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
const moment = (ms = 40) => new Promise((done) => setTimeout(done, ms));

/** A fedicache with a clock that stands still until `pass` moves it. */
function layer(options: FedicacheOptions = {}, parts: FedicacheParts = {}) {
  let clock = 1_000_000;
  const now = () => clock;
  const store = memoryStore({ now });
  return {
    ...fedicache(options, { now, random: () => 0.5, store, ...parts }),
    store,
    pass(ms: number) {
      clock += ms;
    },
  };
}

/** Hears what is told while a test runs. */
function listening(t: { teardown(end: () => void): unknown }): FedicacheEvent[] {
  const told: FedicacheEvent[] = [];
  const listener = (message: unknown) => told.push(message as FedicacheEvent);
  subscribe('headgate:fedicache', listener);
  t.teardown(() => unsubscribe('headgate:fedicache', listener));
  return told;
}

/** An origin that answers when it is told to. */
function heldOrigin(answer: () => Changes<ProxyResponse> = html) {
  const asked: PromiseWithResolvers<ProxyResponse>[] = [];
  const handler: Handler = () => {
    const one = Promise.withResolvers<ProxyResponse>();
    asked.push(one);
    return one.promise;
  };
  const release = (changes = answer()) => {
    for (const one of asked) one.resolve(aResponse(changes));
  };
  const fail = (error: Error) => {
    for (const one of asked) one.reject(error);
  };
  return { handler, asked, release, fail };
}

t.test('a preview is cut, and comes from memory the second time', async (t) => {
  const origin = upstream(() =>
    html(PAGE, {
      headers: {
        'set-cookie': 'a=1',
        link: '<x>; rel=y',
        rating: 'adult',
        'last-modified': 'Sat, 01 Nov 2025 00:00:00 GMT',
        'content-language': 'de',
        'x-other': '1',
        etag: '"x"',
        age: '7',
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
  t.equal(cacheStatus(first), 'Headgate; fwd=miss; fwd-status=200; stored');
  t.match(first.headers, {
    'content-type': 'text/html; charset=utf-8',
    'content-language': 'de',
    'last-modified': 'Sat, 01 Nov 2025 00:00:00 GMT',
    link: '<x>; rel=y',
    rating: 'adult',
    fedicache: 'Active',
    age: '7',
    'cache-control': 'private, max-age=307',
    'cdn-cache-control': 'no-store',
    vary: 'Accept, User-Agent, Accept-Encoding',
    etag: /^"[\w-]{16}-identity"$/,
  });
  for (const gone of ['set-cookie', 'x-other', 'content-encoding'])
    t.equal(first.headers[gone], undefined, gone);

  const second = await middleware(preview(), origin);
  t.equal(await text(second), await text(first));
  t.equal(cacheStatus(second), 'Headgate; hit; ttl=300');
  const head = await middleware(preview({ method: 'HEAD' }), origin);
  t.equal(cacheStatus(head), 'Headgate; hit; ttl=300', 'HEAD is answered from GET');
  const range = await middleware(preview({ headers: { range: 'bytes=0-9' } }), origin);
  t.equal(range.status, 200, 'a range is the whole small page');
  t.equal(await text(range), await text(first));
  t.equal(origin.asked.length, 1);
});

t.test(
  'each coding is kept, the smallest that is accepted is sent, and has its own ETag',
  async (t) => {
    const { middleware } = layer();
    const origin = upstream(() =>
      html(PAGE.replace('<p>', `<meta name=a content="${'ab '.repeat(300)}"><p>`)),
    );
    const plain = await text(await middleware(preview(), origin));
    const etags = new Set<unknown>();
    for (const [accepted, coding, decode] of [
      ['gzip', 'gzip', gunzipSync],
      ['gzip;q=1.0, deflate', 'gzip', gunzipSync],
      ['deflate, gzip, br', 'br', brotliDecompressSync],
      ['zstd', 'zstd', zstdDecompressSync],
      ['GZIP, br;q=0', 'gzip', gunzipSync],
      ['*;q=0.1, br;q=0.000, zstd;q=0', 'gzip', gunzipSync],
      ['br;q=0', undefined, (body: Buffer) => body],
      ['identity', undefined, (body: Buffer) => body],
      ['', undefined, (body: Buffer) => body],
    ] as const) {
      const answer = await middleware(
        preview({ headers: { 'accept-encoding': accepted } }),
        origin,
      );
      t.equal(answer.headers['content-encoding'], coding, accepted);
      t.equal(String(decode(await readBody(answer.body, 1e6))), plain, accepted);
      etags.add(answer.headers.etag);

      const etag = String(answer.headers.etag);
      for (const condition of [etag, `"x", W/${etag}`, '*']) {
        const headers = { 'accept-encoding': accepted, 'if-none-match': condition };
        const same = await middleware(preview({ headers }), origin);
        t.match(same, { status: 304, body: EMPTY, headers: { etag, vary: /Accept/ } }, condition);
      }
      const headers = { 'accept-encoding': accepted, 'if-none-match': '"x"' };
      t.equal((await middleware(preview({ headers }), origin)).status, 200);
    }
    t.equal(etags.size, 4);
    t.equal(origin.asked.length, 1);
  },
);

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
    'x-http-method-override': 'DELETE',
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

  const named = layer({ userAgent: 'preview of mine', acceptLanguage: 'de, en;q=0.5' });
  await named.middleware(preview({ headers }), origin);
  t.match(origin.asked[1]?.headers, {
    'user-agent': 'preview of mine',
    'accept-language': 'de, en;q=0.5',
  });
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
    ['a Host with a path in it', preview({ headers: { host: 'site.example/a' } })],
    ['a Host with a query in it', preview({ headers: { host: 'site.example?' } })],
    ['no Host at all', preview({ headers: { host: '' } })],
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

t.test('no body is no body, whoever made the empty buffer', async (t) => {
  const origin = upstream(() => html());
  const { middleware } = layer();
  const { headers } = await middleware(preview({ body: Buffer.alloc(0) }), origin);
  t.match(headers, { fedicache: 'Active' });
});

t.test('each URL is one page: scheme, host whatever its case, path and query', async (t) => {
  const origin = upstream(() => html());
  const { middleware } = layer();
  const requests = [
    preview(),
    preview({ headers: { host: 'SITE.example:443' } }),
    preview({ headers: { host: 'site.example:80' } }),
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

t.test('parameters that track are neither in the key nor in what is asked', async (t) => {
  const origin = upstream(() => html());
  const { middleware } = layer();
  const same = ['/a?b=1', '/a?utm_source=x&b=1', '/a?b=1&fbclid=y&mc_cid=z', '/a?gclid&b=1'];
  for (const url of same) await middleware(preview({ url }), origin);
  t.same(
    origin.asked.map(({ url }) => url),
    ['/a?b=1'],
  );
  for (const url of ['/c?utm_x', '/c']) await middleware(preview({ url }), origin);
  t.equal(origin.asked[1]?.url, '/c');
  t.equal(origin.asked.length, 2);

  const others = ['/a?b=1;utm_x=2', '/a?b=%31', '/a?UTM_source=x&b=1', '/a?x=utm_source', '/a?'];
  for (const url of others) await middleware(preview({ url }), origin);
  t.same(
    origin.asked.slice(2).map(({ url }) => url),
    others,
    'nothing else is, byte for byte',
  );

  const own = layer({ ignoredQuery: ['ref'] });
  await own.middleware(preview({ url: '/?ref=1&utm_a=2&reff' }), origin);
  t.equal(origin.asked.at(-1)?.url, '/?utm_a=2&reff');
});

t.test(
  'what cannot be cut goes whole to who asked first; the others ask for themselves',
  async (t) => {
    const rows: [reason: string, answer: Changes<ProxyResponse>][] = [
      ['status', html(PAGE, { status: 201 })],
      ['status', html(PAGE, { status: 403 })],
      ['status', html(PAGE, { status: 429 })],
      ['status', html('', { status: 302 })],
      ['type', html(PAGE, { headers: { 'content-type': 'application/json' } })],
      ['type', html(PAGE, { headers: { 'content-type': 'application/xhtml+xml' } })],
      ['type', html(PAGE, { headers: { 'content-type': 'text/htmlx' } })],
      ['origin-forbids', html(PAGE, { headers: { 'cache-control': 'max-age=60, No-Store' } })],
      ['origin-forbids', html(PAGE, { headers: { vary: 'accept, *' } })],
      ['coding', html(PAGE, { headers: { 'content-encoding': 'gzip, br' } })],
      ['download', html(PAGE, { headers: { 'content-disposition': 'attachment; filename=x' } })],
      ['charset', html(Buffer.from(PAGE, 'latin1'))],
      ['markup', html(PAGE.replace('<p>', '<script><!-- <script> </script>'))],
    ];
    for (const [reason, answer] of rows) {
      const page = await readBody(aResponse(answer).body, 1e8);
      const fresh: Handler = async () =>
        aResponse({
          ...answer,
          headers: { ...answer.headers, 'set-cookie': 'a=1' },
          body: Readable.from([page.subarray(0, 30), page.subarray(30)], { objectMode: false }),
        });
      const { middleware, pass } = layer();
      const [first, second] = await Promise.all([
        middleware(preview(), fresh),
        middleware(preview(), fresh),
      ]);
      for (const response of [first, second]) {
        t.equal((await readBody(response.body, 1e8)).equals(page), true, `${reason}: every byte`);
        t.equal(response.status, answer.status ?? 200, reason);
        t.same(cacheStatus(response), [`Headgate; fwd=bypass; detail=${reason}`]);
      }
      t.equal(first.headers['set-cookie'], undefined, 'our own session ends here');
      t.equal(second.headers['set-cookie'], 'a=1', 'what one gets for oneself is untouched');
      const request = preview();
      const origin = upstream(answer);
      pass(119_000);
      await middleware(request, origin);
      t.equal(origin.asked[0], request, `${reason}: for two minutes everybody asks for themselves`);
      pass(1_001);
      await middleware(preview(), origin);
      t.equal(origin.asked[1]?.client, '', `${reason}: then it is tried again`);
    }
  },
);

t.test('a page in a coding that nobody asked for is read through', async (t) => {
  const { middleware } = layer();
  const origin = upstream(() => html(gzipSync(PAGE), { headers: { 'content-encoding': 'gzip' } }));
  const answer = await middleware(preview(), origin);
  t.match(await text(answer), HEAD);
  t.equal(answer.headers['content-encoding'], undefined);
});

t.test(
  'a whole page in a coding that nobody asked for is decoded for who does not take it',
  async (t) => {
    const page = Buffer.from(PAGE, 'latin1');
    const coded = gzipSync(page);
    const headers = {
      'content-encoding': 'gzip',
      'content-length': String(coded.length),
      etag: '"x"',
    };
    for (const [accepted, coding, body, etag] of [
      [undefined, undefined, page, 'W/"x"'],
      ['br, gzip;q=0', undefined, page, 'W/"x"'],
      ['gzip', 'gzip', coded, '"x"'],
    ] as const) {
      const asking = preview({
        headers: accepted === undefined ? {} : { 'accept-encoding': accepted },
      });
      const answer = await layer().middleware(asking, upstream(html(coded, { headers })));
      t.equal((await readBody(answer.body, 1e6)).equals(body), true, `${accepted}`);
      t.equal(answer.headers['content-encoding'], coding);
      t.equal(answer.headers['content-length'], coding && headers['content-length']);
      t.equal(answer.headers.etag, etag);
      t.same(cacheStatus(answer), ['Headgate; fwd=bypass; detail=charset']);
    }
    let isDropped = false;
    const endless = new Readable({
      read: () => {},
      destroy(error, done) {
        isDropped = true;
        done(error);
      },
    });
    endless.push(coded.subarray(0, 100));
    const answer = html('', {
      body: endless,
      headers: { ...headers, 'cache-control': 'no-store' },
    });
    discard((await layer().middleware(preview(), upstream(answer))).body);
    await moment();
    t.equal(isDropped, true, 'who drops it drops the origin');
  },
);

t.test('redirects are kept as they are; not found is, for a minute', async (t) => {
  for (const status of [301, 302, 307, 308, 404, 410]) {
    const location = '//other.example/%7Ea b';
    const origin = upstream(() => html(PAGE, { status, headers: { location, 'set-cookie': 'a' } }));
    const { middleware, pass } = layer();
    const isRedirect = status < 400;
    for (const _ of [1, 2]) {
      const answer = await middleware(preview(), origin);
      t.equal(answer.status, status);
      t.equal(await text(answer), '');
      t.equal(answer.headers.location, isRedirect ? location : undefined);
      t.match(answer.headers, { 'cache-control': /^private, /, 'cdn-cache-control': 'no-store' });
      t.equal(answer.headers['set-cookie'], undefined);
      t.equal(answer.headers.etag, undefined);
    }
    t.equal(origin.asked.length, 1);
    pass(MINUTE + 1);
    await middleware(preview(), origin);
    t.equal(origin.asked.length, isRedirect ? 1 : 2, `${status}`);
  }
});

t.test('a failure spares the origin for five seconds', async (t) => {
  const rows: [what: string, status: number, next: Handler][] = [
    ['a 500', 500, upstream(() => html(PAGE, { status: 500, headers: { 'set-cookie': 'a' } }))],
    ['a 503', 503, upstream({ status: 503 })],
    [
      'nobody there',
      502,
      async () => {
        throw new HeadgateError('UPSTREAM_UNREACHABLE', 'nobody there');
      },
    ],
    [
      'a body that breaks off',
      502,
      async () => {
        const broken = new Readable({ read: () => {} });
        broken.push(HEAD);
        setImmediate(() => broken.destroy(new HeadgateError('UPSTREAM_BROKEN', 'broke off')));
        return aResponse(html('', { body: broken }));
      },
    ],
  ];
  for (const [what, status, next] of rows) {
    const told = listening(t);
    const { middleware, pass } = layer();
    let asked = 0;
    const counting: Handler = (request) => {
      asked += 1;
      return next(request);
    };
    const both = await Promise.all([
      middleware(preview(), counting),
      middleware(preview(), counting),
    ]);
    pass(4_999);
    for (const answer of [...both, await middleware(preview(), counting)]) {
      t.equal(answer.status, status, what);
      t.equal(await text(answer), '');
      t.match(answer.headers, { 'retry-after': '5', 'cache-control': /^private/ });
    }
    t.equal(asked, 1, what);
    t.equal(told.filter(({ kind }) => kind === 'fill').length, 1, 'and it is told once');
    pass(2);
    t.match(
      await text(
        await middleware(
          preview(),
          upstream(() => html()),
        ),
      ),
      '<title>',
      'then it is tried again',
    );
  }
});

t.test('a fill that takes too long is given up, and answered if its head is there', async (t) => {
  const hanging = (start: string) => {
    const body = new Readable({ read: () => {} });
    body.push(start);
    return upstream(() => html('', { body }));
  };
  const { middleware } = layer({ fillTimeout: 30 });
  const silent: Handler = () => new Promise(() => {});
  t.equal((await middleware(preview({ url: '/silent' }), silent)).status, 504);
  t.equal((await middleware(preview({ url: '/head' }), hanging(HEAD))).status, 504);

  const origin = hanging(`${HEAD}</head><body><p>`);
  const partial = await middleware(preview({ url: '/body' }), origin);
  t.match(await text(partial), '<title>');
  t.equal(cacheStatus(partial), 'Headgate; fwd=miss; fwd-status=200');
  t.match(partial.headers, { 'cache-control': 'private, max-age=0' });
  await middleware(preview({ url: '/body' }), origin);
  t.equal(origin.asked.length, 2, 'but it is not kept');
  t.equal(origin.asked[0]?.signal().aborted, true, 'and the origin is let go');
});

t.test('many who ask at once are one request', async (t) => {
  const origin = heldOrigin();
  const { middleware } = layer();
  const answers = Array.from({ length: 500 }, () => middleware(preview(), origin.handler));
  await moment(20);
  origin.release();
  const all = await Promise.all(answers);
  t.equal(new Set(await Promise.all(all.map(text))).size, 1);
  t.equal(origin.asked.length, 1);
  t.equal(cacheStatus(all[0] as ProxyResponse), 'Headgate; fwd=miss; fwd-status=200; stored');
  t.equal(cacheStatus(all[1] as ProxyResponse), 'Headgate; fwd=miss; collapsed');
});

t.test('who waits for too long is sent away; the fill goes on, and is kept', async (t) => {
  const origin = heldOrigin();
  const { middleware, store } = layer({ waitTimeout: 20 });
  const early = await Promise.all(
    Array.from({ length: 50 }, () => middleware(preview(), origin.handler)),
  );
  for (const answer of early)
    t.match(answer, {
      status: 503,
      headers: { 'retry-after': '1', 'cache-control': 'private, max-age=0', fedicache: 'Active' },
    });
  origin.release();
  await until(() => store.size > 0);
  t.equal(cacheStatus(await middleware(preview(), origin.handler)), 'Headgate; hit; ttl=300');
  t.equal(origin.asked.length, 1);

  const unfit = heldOrigin();
  const body = new Readable({ read: () => {} });
  t.equal((await middleware(preview({ url: '/b' }), unfit.handler)).status, 503);
  unfit.release(html('', { body, headers: { 'cache-control': 'no-store' } }));
  await until(() => body.destroyed);
  t.equal(body.destroyed, true, 'a whole page that nobody waits for is dropped');

  const working = memoryStore();
  const hangs = () => new Promise<never>(() => {});
  const slow = {
    ...working,
    collapse: (key: string, make: (keep: Keep) => Promise<Buffer>) =>
      working.collapse(key, () => make(hangs)),
  };
  const late = layer({ waitTimeout: 20 }, { store: slow });
  const other = new Readable({ read: () => {} });
  const forbidden = html('', { body: other, headers: { 'cache-control': 'no-store' } });
  t.equal((await late.middleware(preview(), upstream(forbidden))).status, 503);
  t.equal(other.destroyed, true, 'one that came while the store hung, too');
});

t.test('who was sent away does not ask again when the first client leaves', async (t) => {
  const origin = heldOrigin();
  const { middleware } = layer({ waitTimeout: 20 });
  const answers = [1, 2].map(() => middleware(preview(), origin.handler));
  for (const answer of answers) t.equal((await answer).status, 503);
  origin.fail(new HeadgateError('CLIENT_GONE', 'left'));
  await moment();
  t.equal(origin.asked.length, 1);
});

t.test('only so many may wait, and only so many pages are fetched at once', async (t) => {
  const origin = heldOrigin();
  const { middleware } = layer({ maxWaiting: 3, maxFills: 2 });
  const urls = ['/a', '/b', '/c', '/d'];
  const answers = urls.map((url) => middleware(preview({ url }), origin.handler));
  t.equal((await answers[3])?.status, 503, 'the fourth is sent away at once');
  await moment();
  t.equal(origin.asked.length, 2, 'the third waits in line');
  origin.release();
  await Promise.all(answers.slice(0, 2));
  await moment();
  t.equal(origin.asked.length, 3);
  origin.release();
  t.equal((await answers[2])?.status, 200);
  t.equal(
    (
      await middleware(
        preview({ url: '/d' }),
        upstream(() => html()),
      )
    ).status,
    200,
    'there is room again',
  );
});

t.test('only so many pages wait in line, whether or not anybody waits for them', async (t) => {
  const origin = heldOrigin();
  const { middleware, store } = layer({ waitTimeout: 5, maxWaiting: 3, maxFills: 2 });
  for (let i = 0; i < 10; i++)
    t.match(await middleware(preview({ url: `/${i}` }), origin.handler), {
      status: 503,
      headers: { 'cache-control': 'private, max-age=0', 'retry-after': '1' },
    });
  origin.release();
  await until(() => origin.asked.length === 4);
  origin.release();
  await until(() => origin.asked.length === 5);
  origin.release();
  await until(() => store.size === 5);
  t.equal(origin.asked.length, 5);
});

t.test('a stale page is answered at once, while one request fetches a new one', async (t) => {
  const origin = heldOrigin();
  let collapsed = 0;
  let refreshed: Promise<Buffer> | undefined;
  const { middleware, pass, store } = layer({}, { background: origin.handler });
  const { collapse } = store;
  store.collapse = (...args) => {
    collapsed += 1;
    refreshed = collapse(...args);
    return refreshed;
  };
  const first = middleware(preview(), origin.handler);
  await moment();
  origin.release();
  await first;
  pass(5 * MINUTE + 1);
  const never: Handler = async () => {
    throw new Error('no client is behind a refresh');
  };
  for (let i = 0; i < 3; i++) {
    const answer = await middleware(preview(), never);
    t.match(answer.headers, { age: '300', 'cache-control': 'private, max-age=0' });
    t.equal(cacheStatus(answer), 'Headgate; hit; ttl=0; detail=stale');
  }
  t.equal(origin.asked.length, 2);
  t.equal(collapsed, 2, 'and none but the first looks whether somebody does');
  origin.release(html('<title>new</title>'));
  await refreshed;
  t.match(await text(await middleware(preview(), never)), '<title>new</title>');

  pass(15 * MINUTE + 1);
  const late = middleware(preview(), never);
  await moment();
  t.equal(origin.asked.length, 3, 'ten minutes later it has to be fetched first');
  origin.release(html('<title>newer</title>'));
  t.match(await text(await late), '<title>newer</title>');
});

t.test('without a background, one request refreshes a stale page, all others get it', async (t) => {
  const { middleware, pass, warm } = layer();
  await middleware(
    preview(),
    upstream(() => html()),
  );
  pass(5 * MINUTE + 1);
  const origin = heldOrigin();
  const one = middleware(preview(), origin.handler);
  await moment();
  for (let i = 0; i < 3; i++)
    t.match(cacheStatus(await middleware(preview(), origin.handler)), 'detail=stale');
  t.equal(origin.asked.length, 1);
  origin.release(html('<title>new</title>'));
  t.match(await text(await one), '<title>new</title>');

  pass(5 * MINUTE + 1);
  const again = middleware(preview(), origin.handler);
  await moment();
  t.equal(origin.asked.length, 2, 'the next time too');
  pass(10 * MINUTE);
  const late = middleware(preview(), origin.handler);
  origin.release(html('<title>newer</title>'));
  for (const answer of [again, late])
    t.match(await text(await answer), '<title>newer</title>', 'too old to be given');
  await t.rejects(warm('https://site.example/'), /background/);
});

t.test('when the origin fails, a stale page serves for a day', async (t) => {
  const failures: Changes<ProxyResponse>[] = [{ status: 500 }, { status: 503 }];
  for (const failure of failures) {
    const { middleware, pass } = layer();
    await middleware(
      preview(),
      upstream(() => html()),
    );
    const failing = upstream(failure);
    pass(15 * MINUTE + 1);
    const answer = await middleware(preview(), failing);
    t.match(await text(answer), '<title>');
    t.equal(cacheStatus(answer), 'Headgate; hit; ttl=-600; detail=stale');
    await middleware(preview(), failing);
    t.equal(failing.asked.length, 1, 'and the origin is spared for some seconds');
    pass(5_001);
    await middleware(preview(), failing);
    t.equal(failing.asked.length, 2);
    pass(DAY);
    t.equal((await middleware(preview(), failing)).status, failure.status, 'but no longer');
  }

  const { middleware, pass } = layer({ waitTimeout: 300 });
  await middleware(
    preview(),
    upstream(() => html()),
  );
  pass(15 * MINUTE + 1);
  const slow = await middleware(preview(), () => new Promise(() => {}));
  t.match(cacheStatus(slow), 'detail=stale', 'and it does when the origin takes too long');
});

t.test('what the origin says of a page replaces a stale one at once', async (t) => {
  for (const [said, replaced] of [
    [{ status: 404 }, true],
    [{ status: 410 }, true],
    [{ status: 403 }, true],
    [{ status: 401 }, true],
    [{ status: 204 }, true],
    [html('', { status: 301, headers: { location: '/x' } }), true],
    [html(PAGE, { headers: { 'cache-control': 'no-store' } }), true],
    [{ status: 429 }, false],
    [{ status: 400 }, false],
  ] as const) {
    const { middleware, pass } = layer();
    await middleware(
      preview(),
      upstream(() => html()),
    );
    pass(5 * MINUTE + 1);
    const answer = await middleware(preview(), upstream(said));
    t.equal(answer.status, replaced ? (said.status ?? 200) : 200);
    const next = await middleware(preview(), upstream({ status: 599 }));
    t.equal(/detail=stale/.test(String(cacheStatus(next))), !replaced, `${said.status}`);
  }
});

t.test('an origin that is asked too much, while a page is stale, is asked no more', async (t) => {
  for (const hasBackground of [false, true]) {
    const origin = heldOrigin();
    const { middleware, pass } = layer({}, hasBackground ? { background: origin.handler } : {});
    const first = middleware(preview(), origin.handler);
    await moment();
    origin.release();
    await first;
    pass(15 * MINUTE + 1); // so long that all wait
    const asked = origin.asked.length;
    const all = Promise.all(Array.from({ length: 5 }, () => middleware(preview(), origin.handler)));
    await moment();
    const body = Readable.from(['slow down']);
    origin.release({ status: 429, body });
    for (const answer of await all) {
      t.match(await text(answer), 'Ünïcödé', 'everybody has the page before');
      t.match(cacheStatus(answer), 'detail=stale');
    }
    t.equal(origin.asked.length, asked + 1, 'asked once for all');
    t.ok(body.destroyed, 'and its connection is given back');
    await middleware(preview(), origin.handler);
    t.equal(origin.asked.length, asked + 1, 'and not at once again');
    pass(5_001);
    const again = middleware(preview(), origin.handler);
    await moment();
    origin.release(html('<title>new</title>'));
    t.match(await text(await again), '<title>new</title>');
    t.match(cacheStatus(await again), 'fwd=stale; fwd-status=200; stored');
  }
});

t.test('what is left of its time is what a client makes of max-age and Age', async (t) => {
  const { middleware, pass } = layer({ ttl: 8 * MINUTE });
  const origin = upstream(() => html(PAGE, { headers: { age: '7' } }));
  for (const [ms, age, left] of [
    [0, 7, 300],
    [4 * MINUTE, 247, 240],
    [3 * MINUTE + 50_000, 477, 10],
  ] as const) {
    pass(ms);
    const { headers } = await middleware(preview(), origin);
    t.equal(headers.age, String(age));
    t.equal(headers['cache-control'], `private, max-age=${age + left}`);
  }
  pass(20_000);
  const { headers } = await middleware(preview(), upstream({ status: 500 }));
  t.equal(headers['cache-control'], 'private, max-age=0', 'nothing of what is stale');
});

t.test('a not found is never served stale', async (t) => {
  const { middleware, pass } = layer();
  await middleware(preview(), upstream({ status: 404 }));
  pass(MINUTE + 1);
  t.equal((await middleware(preview(), upstream({ status: 500 }))).status, 500);
});

t.test('times differ by a tenth, so that pages do not end all at once', async (t) => {
  for (const [random, seconds] of [
    [0, 270],
    [1, 330],
  ] as const) {
    const { middleware } = layer({}, { random: () => random });
    await middleware(
      preview(),
      upstream(() => html()),
    );
    const hit = await middleware(preview(), upstream());
    t.equal(cacheStatus(hit), `Headgate; hit; ttl=${seconds}`);
    t.equal(hit.headers['cache-control'], `private, max-age=${Math.min(300, seconds)}`);
  }
});

t.test(
  'rules of the origin: no-store counts always, the others when they are respected',
  async (t) => {
    const date = 'Sat, 01 Nov 2025 00:00:00 GMT';
    const rows: [fields: Record<string, string>, strictly: number, usually: number][] = [
      [{}, 300, 300],
      [{ 'cache-control': 'private' }, 0, 300],
      [{ 'cache-control': 'private="x"' }, 0, 300],
      [{ 'cache-control': 'no-cache' }, 0, 300],
      [{ 'cache-control': 'max-age=0' }, 0, 300],
      [{ 'cache-control': 'no-store' }, 0, 0],
      [{ 'cache-control': 'max-age=60' }, 60, 300],
      [{ 'cache-control': 'max-age="60"' }, 60, 300],
      [{ 'cache-control': 'MAX-AGE = 60' }, 60, 300],
      [{ 'cache-control': 'max-age=60, s-maxage=90' }, 90, 300],
      [{ 'cache-control': 'max-age=60, max-age=90' }, 60, 300],
      [{ 'cache-control': 'max-age=99999999999' }, 300, 300],
      [{ 'cache-control': 'max-age=x' }, 0, 300],
      [{ 'cache-control': 'max-age=-1' }, 0, 300],
      [{ 'cache-control': 'x="no-store, private"' }, 300, 300],
      [{ 'cache-control': 'max-age=60', age: '50' }, 10, 300],
      [{ 'cache-control': 'max-age=60', age: '99999999999' }, 0, 300],
      [{ 'cache-control': 'max-age=60', age: '50, 0' }, 10, 300],
      [{ 'cache-control': 'max-age=60', age: '-50' }, 60, 300],
      [{ 'cache-control': 'max-age=60', age: '50;x' }, 60, 300],
      [{ expires: 'Sat, 01 Nov 2025 00:01:00 GMT', date }, 60, 300],
      [{ expires: date, date }, 0, 300],
      [{ expires: '0', date }, 0, 300],
      [{ vary: 'Cookie' }, 0, 300],
      [{ vary: 'Accept-Encoding, Accept' }, 300, 300],
      [{ vary: 'Accept-Language' }, 0, 300],
      [{ vary: '*' }, 0, 0],
    ];
    for (const [fields, strictly, usually] of rows) {
      for (const [respect, seconds] of [
        ['strict', strictly],
        ['no-store', usually],
      ] as const) {
        const { middleware } = layer({ respect });
        const origin = upstream(() => html(PAGE, { headers: fields }));
        await middleware(preview(), origin);
        const second = await middleware(preview(), origin);
        const expected =
          seconds > 0
            ? `Headgate; hit; ttl=${seconds}`
            : ['Headgate; fwd=bypass; detail=origin-forbids'];
        t.same(cacheStatus(second), expected, `${respect}: ${JSON.stringify(fields)}`);
      }
    }
    const german = layer({ respect: 'strict', acceptLanguage: 'de' });
    const varying = upstream(() => html(PAGE, { headers: { vary: 'Accept-Language' } }));
    for (const _ of [1, 2]) await german.middleware(preview(), varying);
    t.equal(varying.asked.length, 1, 'Accept-Language is no difference if it is always the same');

    for (const [status, rule, seconds] of [
      [302, '', 0],
      [307, '', 0],
      [302, 'public', 300],
      [302, 'max-age=60', 60],
      [301, '', 300],
      [308, '', 300],
      [404, '', 60],
      [410, '', 60],
    ] as const) {
      const { middleware } = layer({ respect: 'strict' });
      const headers = { location: '/x', 'cache-control': rule };
      const origin = upstream(() => ({ status, headers }));
      for (const _ of [1, 2])
        t.match(await middleware(preview(), origin), { status }, `${status} ${rule}`);
      const third = String(cacheStatus(await middleware(preview(), origin)));
      t.match(third, seconds > 0 ? `hit; ttl=${seconds}` : 'origin-forbids', `${status} ${rule}`);
    }
    for (const rule of ['must-revalidate', 'proxy-revalidate', 's-maxage=60']) {
      const { middleware, pass } = layer({ respect: 'strict' });
      const headers = { 'cache-control': `max-age=60, ${rule}` };
      await middleware(
        preview(),
        upstream(() => html(PAGE, { headers })),
      );
      pass(60_001);
      t.equal((await middleware(preview(), upstream({ status: 500 }))).status, 500, rule);
    }
  },
);

t.test('a successful unsafe request drops what is kept of its URL', async (t) => {
  for (const [method, status, isDropped] of [
    ['POST', 200, true],
    ['PUT', 204, true],
    ['DELETE', 302, true],
    ['POST', 422, false],
    ['OPTIONS', 200, false],
  ] as const) {
    const { middleware } = layer();
    const origin = upstream(() => html());
    await middleware(preview({ url: '/a' }), origin);
    await middleware(aRequest({ method, url: '/a' }), upstream({ status }));
    await middleware(preview({ url: '/a' }), origin);
    t.equal(origin.asked.length, isDropped ? 2 : 1, `${method} ${status}`);
  }
});

t.test('so it does with what the answer names on the same origin', async (t) => {
  for (const [headers, isDropped] of [
    [{ location: 'article?page=1' }, true],
    [{ location: '/blog/article?page=1&utm_source=x#comment' }, true],
    [{ location: ['/other', 'https://site.example/blog/article?page=1'] }, true],
    [{ 'content-location': 'https://site.example:443/blog/article?page=1' }, true],
    [{ location: '/blog/article' }, false],
    [{ location: 'http://site.example/blog/article?page=1' }, false],
    [{ location: '//other.example/blog/article?page=1' }, false],
    [{ location: 'https://[' }, false],
    [{}, false],
  ] as const) {
    const { middleware } = layer();
    const origin = upstream(() => html());
    const url = '/blog/article?page=1';
    await middleware(preview({ url }), origin);
    const saved = upstream({ status: 303, headers });
    await middleware(aRequest({ method: 'POST', url: '/blog/edit' }), saved);
    await middleware(preview({ url }), origin);
    t.equal(origin.asked.length, isDropped ? 2 : 1, JSON.stringify(headers));
  }
});

t.test('purge: a URL, a prefix, a host, all', async (t) => {
  const { middleware, purge, store } = layer();
  const fillAll = async () => {
    for (const url of ['/a', '/a?b', '/ab', '/c'])
      for (const host of ['site.example', 'site.example.org'])
        for (const scheme of ['http', 'https'] as const)
          await middleware(
            preview({ url, scheme, headers: { host } }),
            upstream(() => html()),
          );
  };
  await fillAll();
  t.equal(await purge({ url: 'https://SITE.example:443/a?utm_x' }), 1);
  t.equal(await purge({ url: 'https://site.example/a' }), 0);
  t.equal(await purge({ prefix: 'https://site.example/a' }), 2);
  t.equal(await purge({ host: 'Site.example' }), 5, 'http too, and no other that begins so');
  t.equal(await purge({ all: true }), 8);
  t.equal(store.size, 0);
  await t.rejects(purge({ url: 'site.example/a' }), TypeError);

  await fillAll();
  t.equal(await purge({ prefix: 'HTTPS://Site.Example:443/a' }), 3, 'a host has many forms');
  t.equal(await purge({ prefix: 'http://SITE.example:80/c' }), 1);
  t.equal(await purge({ prefix: 'https://SITE.exam' }), 5, 'half a one too');
  t.equal(await purge({ prefix: 'https://site.example/C' }), 0, 'a path has one');
  t.equal(await purge({ prefix: 'http' }), 7);

  const origin = heldOrigin();
  const asking = middleware(preview(), origin.handler);
  await moment();
  await purge({ all: true });
  origin.release();
  t.equal((await asking).status, 200);
  t.equal(store.size, 0, 'what was on its way is answered, not kept');
});

t.test('who purges is told when a store is slow, or fails', async (t) => {
  const working = memoryStore();
  const slowly = async (part: string) => {
    await moment(150);
    return working.purge(part);
  };
  const slow = layer({}, { store: { ...working, purge: slowly } });
  await slow.middleware(
    preview(),
    upstream(() => html()),
  );
  t.equal(await slow.purge({ prefix: 'https://site.example/' }), 1);
  const fails = async () => {
    throw new Error('no store');
  };
  const failing = layer({}, { store: { ...working, purge: fails, delete: fails } });
  const hangs = () => new Promise<never>(() => {});
  const hanging = layer({}, { store: { ...working, get: hangs, purge: hangs, delete: hangs } });
  mock.timers.enable({ apis: ['setTimeout'] });
  t.teardown(() => mock.timers.reset());
  for (const what of [
    { all: true },
    { host: 'site.example' },
    { prefix: 'https://site.example/' },
    { url: 'https://site.example/' },
  ] as const) {
    const purged = hanging.purge(what);
    mock.timers.tick(10_000);
    await t.rejects(purged, /no answer within 10000 ms/);
  }
  for (const what of [
    { all: true },
    { host: 'site.example' },
    { prefix: 'https://site.example/' },
    { url: 'https://site.example/' },
  ] as const)
    await t.rejects(failing.purge(what), /no store/);
});

t.test('warm fetches a page before anybody asks', async (t) => {
  const origin = upstream(({ url }) =>
    url === '/no' ? { status: 404 } : html(url === '/x' ? '\0' : PAGE),
  );
  const { middleware, warm } = layer({}, { background: origin });
  await warm('HTTPS://Site.example:443/a?utm_x=1');
  t.match(origin.asked[0], { url: '/a', scheme: 'https', headers: { host: 'site.example' } });
  const answer = await middleware(preview({ url: '/a' }), upstream());
  t.equal(cacheStatus(answer), 'Headgate; hit; ttl=300');
  await t.rejects(warm('https://site.example/no'), /404/);
  await t.rejects(warm('https://site.example/x'), /charset/);
  await t.rejects(warm('/a'), TypeError);
});

t.test('warming a page that fails keeps the page before', async (t) => {
  let answer: Changes<ProxyResponse> = { status: 404 };
  const origin = upstream(() => answer);
  const { middleware, warm, pass } = layer({}, { background: origin });
  await t.rejects(warm('https://site.example/'), /404/);
  answer = { status: 500 };
  await t.rejects(warm('https://site.example/'), /500/, 'a 404 before it is no page');
  answer = html();
  await warm('https://site.example/');
  answer = { status: 500 };
  await t.rejects(warm('https://site.example/'), /failed/);
  t.equal(cacheStatus(await middleware(preview(), origin)), 'Headgate; hit; ttl=300');
  pass(5 * MINUTE + 1);
  await t.rejects(warm('https://site.example/'), /failed/, 'a stale one too');
  t.match(cacheStatus(await middleware(preview(), origin)), /stale/);
});

t.test('without configured hosts, pages are kept for a hundred', async (t) => {
  for (const [hosts, kept] of [
    [[], 100],
    [['site.example'], 150],
  ] as const) {
    const { middleware, store } = layer({}, { hosts });
    for (let i = 0; i < 150; i++) {
      await middleware(
        preview({ headers: { host: `h${i}.example` } }),
        upstream(() => html()),
      );
      await middleware(
        preview({ headers: { host: 'h0.example' } }),
        upstream(() => html()),
      );
    }
    t.equal(store.size, kept);
    const often = await middleware(preview({ headers: { host: 'h0.example' } }), upstream());
    t.match(cacheStatus(often), /; hit/, 'not the one that is used');
  }
});

t.test('a host is forgotten with all its pages; one with few of them at little cost', async (t) => {
  const working = memoryStore();
  const purged: string[] = [];
  const purge = (part: string) => {
    purged.push(part);
    return working.purge(part);
  };
  const { middleware } = layer({}, { store: { ...working, purge } });
  const see = async (host: string, pages: number) => {
    for (let i = 0; i < pages; i++)
      await middleware(
        preview({ url: `/${i}`, headers: { host } }),
        upstream(() => html()),
      );
  };
  await see('few.example', 3);
  await see('many.example', 40);
  for (let i = 0; i < 99; i++) await see(`h${i}.example`, 1);
  t.equal(working.size, 40 + 99);
  t.same(purged, [], 'nothing is looked through');
  await see('h100.example', 1);
  t.equal(working.size, 100);
  t.equal(purged.length, 2);
});

t.test('a store that rejects or hangs is a miss', async (t) => {
  const rejects = async () => {
    throw new Error('no store');
  };
  const hangs = () => new Promise<never>(() => {});
  const working = memoryStore();
  const stores: [what: string, store: CacheStore, operations: string[]][] = [
    ['get and set reject', { ...working, get: rejects, set: rejects }, ['get', 'get']],
    [
      'all rejects',
      { ...working, get: rejects, collapse: rejects, delete: rejects },
      ['get', 'collapse', 'get', 'collapse'],
    ],
    [
      'all hangs',
      { ...working, get: hangs, collapse: hangs, delete: hangs },
      ['get', 'collapse', 'get', 'collapse'],
    ],
    [
      'keeping hangs',
      {
        ...working,
        get: async () => undefined,
        collapse: (key, make) => working.collapse(key, () => make(hangs)),
      },
      ['set', 'set'],
    ],
    ['garbage', { ...working, get: async () => Buffer.from('garbage') }, []],
    [
      'a truncated entry',
      {
        ...working,
        get: async () => Buffer.from('{"kind":"answer","codings":[["identity",5]]}\nab'),
      },
      [],
    ],
  ];
  for (const [what, store, operations] of stores) {
    const told = listening(t);
    const { middleware } = layer({}, { store });
    const origin = upstream(() => html());
    for (const _ of [1, 2]) {
      const [one, two] = await Promise.all([
        middleware(preview(), origin),
        middleware(preview(), origin),
      ]);
      t.match(await text(one), '<title>', what);
      t.match(await text(two), '<title>', what);
    }
    t.equal(origin.asked.length, 2, `${what}: still one request for many`);
    const faults = told.flatMap((event) => (event.kind === 'store-fault' ? event.operation : []));
    t.same(new Set(faults), new Set(operations), what);
    await middleware(aRequest({ method: 'POST' }), origin);
  }
});

t.test('more pages than there is room for stay within the bound', async (t) => {
  const store = memoryStore({ maxBytes: 1_000_000 });
  const { middleware } = layer({}, { store });
  const origin = upstream(() => ({ ...html(), body: Buffer.from(PAGE) }));
  for (let i = 0; i < 1_000; i++) await middleware(preview({ url: `/${i}` }), origin);
  t.ok(store.bytes <= 1_000_000);
  t.ok(store.size > 200 && store.size < 1000);
});

t.test('decisions are told on a channel', async (t) => {
  const all = listening(t);
  const { middleware } = layer();
  const origin = upstream(({ url }) => html(PAGE, url === '/no' ? { status: 403 } : {}));
  for (const url of ['/', '/', '/no']) await middleware(preview({ url }), origin);
  const told = all.filter(({ kind }) => kind !== 'waiting');
  t.match(
    all.filter(({ kind }) => kind === 'waiting'),
    [{ change: 1 }, { change: -1 }, { change: 1 }, { change: -1 }],
  );
  const pageBytes = Buffer.byteLength(PAGE);
  t.match(told, [
    { kind: 'fill', site: 'test', outcome: 'page', ms: 0 },
    {
      kind: 'answer',
      outcome: 'fill',
      family: 'mastodon',
      status: 200,
      pageBytes,
      waited: 0,
      request: { url: '/' },
    },
    { kind: 'answer', outcome: 'hit', family: 'mastodon', status: 200, bytes: Number, pageBytes },
    { kind: 'fill', outcome: 'whole', reason: 'status' },
    { kind: 'answer', outcome: 'whole', status: 403, request: { url: '/no' } },
  ]);
  t.equal(told.length, 5);
});

t.test('wrong options are named, with what to write', async (t) => {
  for (const [options, message] of [
    [{ ttl: 0 }, /^fedicache: ttl: .*>=1/],
    [{ ttl: '5 minutes' }, /^fedicache: ttl: must be a time like .*5m/],
    [{ maxPage: true }, /^fedicache: maxPage: must be a size like 64KiB/],
    [{ tll: 1 }, /^fedicache: Unrecognized key: "tll"/],
    [{ ttl: 0, maxScan: 0 }, /ttl: .*; maxScan: /],
    [{ keep: 'body' }, /keep: .*"metadata"\|"head"/],
    [{ userAgent: MASTODON }, /userAgent: .*loop/],
    [{ userAgent: 'a\r\nb' }, /userAgent: .*ASCII/],
    [{ ignoredQuery: ['a=b'] }, /ignoredQuery\.0: .*utm_\*/],
  ] as const)
    t.throws(() => fedicache(options as never), { name: 'TypeError', message });
  t.match(toSettings(plugin.name, plugin.options, {}), {
    ttl: 300_000,
    staleWhileRevalidate: 600_000,
    staleIfError: 86_400_000,
    keep: 'metadata',
    maxScan: 1_048_576,
    maxPage: 262_144,
    waitTimeout: 8_000,
    maxWaiting: 10_000,
    maxFills: 64,
  });
});

t.test('preview bots of others, and agents of one’s own, can be served too', async (t) => {
  const discord = preview({
    headers: { 'user-agent': 'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)' },
  });
  const own = preview({ headers: { 'user-agent': 'Own/1' } });
  const isCut = async (
    request: ProxyRequest,
    options: FedicacheOptions,
    parts: FedicacheParts = {},
  ) =>
    (
      await layer(options, parts).middleware(
        request,
        upstream(() => html()),
      )
    ).headers.fedicache === 'Active';
  t.equal(await isCut(discord, {}), false);
  t.equal(await isCut(discord, { previewBots: true }), true);
  t.equal(await isCut(own, {}), false);
  const agents = [
    { family: 'own', userAgent: /^Own\//, fetches: [{ purpose: 'preview', mayTrim: true }] },
  ] as const;
  t.equal(await isCut(own, {}, { agents }), true);
});

t.test('in the daemon it uses what the site has', async (t) => {
  const store = memoryStore();
  const background = upstream(() => html());
  const site = { name: 'x', hosts: ['site.example'], mediaHosts: [], store, background };
  const { middleware, warm, close } = await plugin.create(
    toSettings(plugin.name, plugin.options, {}),
    site,
  );
  await warm?.('https://site.example/');
  const answer = await middleware(preview(), upstream());
  t.match(cacheStatus(answer), /; hit/);
  t.equal(store.size, 1);
  await close?.();
  t.equal(store.size, 1, 'and leaves it alone');
});
