/** csp without a socket: which responses it edits, how pages stream, and what reports come to. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type Middleware,
  type ProxyRequest,
  type ProxyResponse,
  readBody,
  type Site,
  toSettings,
} from '@headgate/core';
import { aRequest, aResponse, type Changes, upstream } from '@headgate/core/testing';
import { type CspEvent, type CspOptions, csp, plugin } from '@headgate/middleware-csp';
import { memoryStore } from '@headgate/store';
import t, { type Test } from 'tap';
import { LOADING } from '../src/policy.ts';

const CDN = 'https://cdn.example';
const POLICY = 'content-security-policy';
const REPORT_ONLY = 'content-security-policy-report-only';
const REPORTS = '/.headgate/csp-reports';
const HTML = { 'content-type': 'text/html; charset=utf-8' };

/** Mastodon's own, as it comes without a media host. */
const MASTODON =
  "base-uri 'none'; default-src 'none'; frame-ancestors 'none'; font-src 'self'; img-src 'self' data: blob:; media-src 'self' data:; manifest-src 'self'; form-action 'self'; child-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' data: blob: wss://site.example; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'nonce-AbC+/='; frame-src 'self' https:";

/** What a layer gives for a response of the application. */
async function through(
  options: CspOptions,
  response: Changes<ProxyResponse>,
  request: Changes<ProxyRequest> = {},
): Promise<ProxyResponse> {
  return csp(options)(aRequest(request), upstream(response));
}
const page = (policy: string | readonly string[], more = {}) => ({
  headers: { ...HTML, [POLICY]: policy, ...more },
});
const policyOf = ({ headers }: ProxyResponse) => headers[POLICY];

/** Everything told until the test is over, without the requests. */
function listening(t: Test) {
  const heard: object[] = [];
  const listen = (message: unknown) => {
    const { request, ...event } = message as CspEvent;
    t.match(request, { id: 'test' });
    heard.push(event);
  };
  subscribe('headgate:csp', listen);
  t.teardown(() => unsubscribe('headgate:csp', listen));
  return heard;
}

t.test('media goes to what loads media, assets to what an application is made of', async (t) => {
  const policyWith = async (options: CspOptions) =>
    String(policyOf(await through(options, page(MASTODON))));
  t.equal(
    await policyWith({ media: [CDN] }),
    "base-uri 'none'; default-src 'none'; frame-ancestors 'none'; font-src 'self'; img-src 'self' data: blob: https://cdn.example; media-src 'self' data: https://cdn.example; manifest-src 'self'; form-action 'self'; child-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' data: blob: wss://site.example https://cdn.example; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'nonce-AbC+/='; frame-src 'self' https:",
  );
  t.equal(
    await policyWith({ assets: [CDN] }),
    "base-uri 'none'; default-src 'none'; frame-ancestors 'none'; font-src 'self' https://cdn.example; img-src 'self' data: blob: https://cdn.example; media-src 'self' data: https://cdn.example; manifest-src 'self' https://cdn.example; form-action 'self'; child-src 'self' blob: https://cdn.example; worker-src 'self' blob: https://cdn.example; connect-src 'self' data: blob: wss://site.example https://cdn.example; script-src 'self' 'wasm-unsafe-eval' https://cdn.example; style-src 'self' 'nonce-AbC+/=' https://cdn.example; frame-src 'self' https:",
  );
  t.equal(
    await policyWith({
      media: [CDN],
      assets: [CDN],
      allow: { 'img-src': [CDN, 'https://x.example'], 'font-src': ['https://x.example'] },
    }),
    (await policyWith({ assets: [CDN] }))
      .replace(
        'blob: https://cdn.example; media',
        'blob: https://cdn.example https://x.example; media',
      )
      .replace(
        "font-src 'self' https://cdn.example",
        "font-src 'self' https://cdn.example https://x.example",
      ),
    'each source once',
  );
  t.equal(await policyWith({}), MASTODON);
  t.equal(
    policyOf(await through({ media: [CDN] }, page("script-src 'self'; default-src 'self'"))),
    `script-src 'self'; default-src 'self'; img-src 'self' ${CDN}; media-src 'self' ${CDN}; connect-src 'self' ${CDN}`,
  );
});

t.test('every policy of a page is edited, wherever it stands', async (t) => {
  const heard = listening(t);
  const { headers } = await through(
    { allow: { 'img-src': [CDN] } },
    {
      headers: {
        ...HTML,
        [POLICY]: ["img-src 'self', default-src 'none', font-src x:", 'img-src a.example'],
        [REPORT_ONLY]: "default-src 'self'",
        'x-other': '1',
      },
    },
  );
  t.same(
    { ...headers },
    {
      ...HTML,
      [POLICY]: [
        `img-src 'self' ${CDN}, default-src 'none', font-src x:`,
        `img-src a.example ${CDN}`,
      ],
      [REPORT_ONLY]: `default-src 'self'; img-src 'self' ${CDN}`,
      'x-other': '1',
    },
  );
  t.same(heard, [
    { kind: 'edit', place: 'header', directives: ['img-src'] },
    { kind: 'edit', place: 'report-only', directives: ['img-src'] },
  ]);
});

t.test('the page’s own origin is the one that the client asked', async (t) => {
  const response = page("img-src 'self'");
  const options = { allow: { 'img-src': ['https://site.example'] } };
  t.equal(policyOf(await through(options, response)), "img-src 'self'");
  t.equal(
    policyOf(await through(options, response, { headers: { host: 'other.example' } })),
    "img-src 'self' https://site.example",
  );
});

t.test(
  'only pages and workers are edited, and what has nothing to edit stays the same value',
  async (t) => {
    const heard = listening(t);
    const layer = csp({ media: [CDN], set: { policy: "default-src 'self'" } });
    const same = async (
      why: string,
      changes: Changes<ProxyResponse>,
      asked: Changes<ProxyRequest> = {},
    ) => {
      const response = aResponse(changes);
      t.equal(await layer(aRequest(asked), async () => response), response, why);
    };
    const policy = { [POLICY]: "img-src 'self'" };
    await same('an image', { headers: { 'content-type': 'image/svg+xml', ...policy } });
    await same('what is only like HTML', { headers: { 'content-type': 'text/html-x', ...policy } });
    await same('what has no type', { headers: policy });
    await same(
      'a script',
      { headers: { 'content-type': 'text/javascript', ...policy } },
      { headers: { 'sec-fetch-dest': 'script' } },
    );
    await same('a lock', page("default-src 'none'; form-action 'none'"));
    await same('what is allowed already', page('default-src https:'));
    await same(
      'a script without a policy',
      { headers: { 'content-type': 'text/javascript' } },
      { headers: { 'sec-fetch-dest': 'worker' } },
    );
    await same('304 without a policy', { status: 304 });
    t.same(heard, [], 'and nothing is told');

    for (const dest of ['worker', 'sharedworker', 'serviceworker'])
      t.equal(
        policyOf(
          await through(
            { media: [CDN] },
            { headers: { 'content-type': 'text/javascript', ...policy } },
            { headers: { 'sec-fetch-dest': dest } },
          ),
        ),
        `img-src 'self' ${CDN}`,
        dest,
      );
    t.equal(
      policyOf(await through({ media: [CDN] }, { status: 304, headers: policy })),
      `img-src 'self' ${CDN}`,
      '304',
    );
    for (const type of ['TEXT/HTML', ' text/html ;charset=x', 'text/html'])
      t.equal(
        policyOf(
          await through(
            { media: [CDN] },
            { status: 404, headers: { 'content-type': type, ...policy } },
          ),
        ),
        `img-src 'self' ${CDN}`,
        type,
      );
  },
);

t.test('a whole policy is set where the application sends none', async (t) => {
  const policy = "default-src 'self'";
  const extended = `default-src 'self'; img-src 'self' ${CDN}`;
  const options = { set: { policy }, allow: { 'img-src': [CDN] } };
  t.equal(policyOf(await through(options, { headers: HTML })), extended);
  t.equal(
    policyOf(await through(options, page("img-src 'none'"))),
    `img-src ${CDN}`,
    'its own stays',
  );
  const told = { set: { policy, override: true }, allow: { 'img-src': [CDN] } };
  t.equal(policyOf(await through(told, page(["img-src 'none'", 'x']))), extended, 'unless told');
  const reporting = { headers: { ...HTML, [REPORT_ONLY]: 'x-src y' } };
  t.match((await through(told, reporting)).headers, {
    [POLICY]: extended,
    [REPORT_ONLY]: 'x-src y',
  });
  t.equal(policyOf(await through(options, { headers: { 'content-type': 'text/css' } })), undefined);
});

t.test('hosts go and are replaced by option', async (t) => {
  const options = {
    remove: ['https://old.example'],
    replace: { 'https://a.example': 'https://b.example' },
  };
  t.equal(
    policyOf(await through(options, page('img-src old.example x:; media-src a.example'))),
    'img-src x:; media-src https://b.example',
  );
});

t.test('a policy in doubt passes as it is, and the doubt is told', async (t) => {
  const heard = listening(t);
  const rows = [
    ['characters', "img-src 'self' \u00e9"],
    ['too-long', `img-src 'self' ${'x'.repeat(17_000)}`],
    ['too-long', `img-src 'self' ${'x'.repeat(16_360)}`],
    ['strict-dynamic', "script-src 'strict-dynamic'"],
  ] as const;
  for (const [reason, policy] of rows) {
    const response = await through(
      { allow: { 'img-src': [CDN], 'script-src': [CDN] } },
      page(policy),
    );
    t.equal(policyOf(response), policy, reason);
    t.same(heard.splice(0), [{ kind: 'doubt', place: 'header', reason }]);
  }
  const both = await through(
    { allow: { 'img-src': [CDN] } },
    { headers: { ...HTML, [POLICY]: ["img-src 'self'", 'img-src \x01'] } },
  );
  t.same(policyOf(both), [`img-src 'self' ${CDN}`, 'img-src \x01'], 'other lines are edited');
});

const META = '<meta http-equiv="Content-Security-Policy" content="img-src \'self\'">';
const EDITED = `<meta http-equiv="Content-Security-Policy" content="img-src 'self' ${CDN}">`;
const BODY = '</head><body><p>text</p>';
const BROWSER = {
  headers: {
    accept: 'text/html,application/xhtml+xml',
    'accept-encoding': 'br',
    range: 'bytes=0-',
    'if-range': '"x"',
  },
};

/** A page in such pieces, sent through a layer that edits what stands in pages. */
async function streamed(pieces: readonly (string | Buffer)[], type = HTML['content-type']) {
  const body = Readable.from(
    pieces.map((piece) => Buffer.from(piece)),
    { objectMode: false },
  );
  const response = await through(
    { meta: true, allow: { 'img-src': [CDN] } },
    { headers: { 'content-type': type }, body },
    BROWSER,
  );
  return (await readBody(response.body, 1e9)).toString('latin1');
}
const inPage = (...pieces: string[]) => streamed(pieces);

t.test('policies in a page’s head are edited, and no other byte of it', async (t) => {
  const heard = listening(t);
  t.equal(
    await inPage(`\ufeff<!doctype html><title>\u00fc</title>${META}${BODY}`),
    Buffer.from(`\ufeff<!doctype html><title>\u00fc</title>${EDITED}${BODY}`).toString('latin1'),
  );
  t.same(heard, [{ kind: 'edit', place: 'meta', directives: ['img-src'] }]);

  const html = `<title>x</title>${META}<script>"<meta"</script>${META.replace('meta', 'META')}${BODY}`;
  const expected = html.replaceAll("'self'", `'self' ${CDN}`);
  for (let at = 0; at <= html.length; at++)
    if ((await inPage(html.slice(0, at), html.slice(at))) !== expected) t.fail(`cut at ${at}`);
  t.equal(await inPage(...html), expected, 'byte by byte');

  const same: Readonly<Record<string, string>> = {
    'a body': `<title>x</title>${BODY}${META}`,
    'a page that begins with its body': `<p>${META}`,
    'a comment': `<!-- ${META} -->`,
    'a script': `<script>${META}</script>`,
    'another meta':
      '<meta http-equiv=refresh content="img-src \'self\'"><meta name=content-security-policy content="img-src \'self\'">',
    'one without a content': '<meta http-equiv="content-security-policy">',
    'what is allowed already': META.replace("'self'", '*'),
    'a lock': META.replace("img-src 'self'", "default-src 'none'"),
    'an unfinished tag': META.slice(0, -1),
    'nothing at all': '',
  };
  for (const [why, html] of Object.entries(same)) t.equal(await inPage(html), html, why);
});

t.test('what is written into a page is written as the place demands', async (t) => {
  const rows = [
    ["content='img-src &#39;self&#39;'", `content='img-src &#39;self&#39; ${CDN}'`],
    [
      'content="img-src &apos;self&apos; x&amp;y &quot;"',
      `content="img-src 'self' x&#38;y &#34; ${CDN}"`,
    ],
    ['content=img-src', `content=img-src&#32;${CDN}`],
    [
      'content=img-src&#32;&#39;self&#39;&#59;',
      `content=img-src&#32;&#39;self&#39;&#32;${CDN}&#59;`,
    ],
    [
      'content="img-src\n  \'self\';\n  font-src x:"',
      `content="img-src 'self' ${CDN};\n  font-src x:"`,
    ],
    [
      'content="img-src x:" content="img-src y:"',
      `content="img-src x: ${CDN}" content="img-src y:"`,
    ],
  ] as const;
  for (const [before, after] of rows)
    t.equal(
      await inPage(`<meta ${before} http-equiv=Content-SECURITY-policy>`),
      `<meta ${after} http-equiv=Content-SECURITY-policy>`,
      before,
    );
});

t.test('a page that can’t be read for sure passes as it is', async (t) => {
  const heard = listening(t);
  const reason = () => heard.splice(0).map((event) => Reflect.get(event, 'reason'));
  const list = META.replace("'self'", "'self', font-src x:");
  t.equal(await inPage(list), list);
  t.same(reason(), ['list']);
  t.equal(await inPage(`<![CDATA[${META}]]>`), `<![CDATA[${META}]]>`);
  t.same(reason(), ['cdata']);
  t.equal(
    await inPage(META.replace("'self'", '\u00e9')),
    Buffer.from(META.replace("'self'", '\u00e9')).toString('latin1'),
  );
  t.same(reason(), ['characters']);
  t.equal(await streamed([META], 'text/html; charset="UTF-16LE"'), META);
  t.same(reason(), ['charset']);
  for (const [why, changes] of [
    ['encoded', { headers: { ...HTML, 'content-encoding': 'gzip' } }],
    ['partial', { status: 206, headers: HTML }],
  ] as const) {
    const response = aResponse({ body: Buffer.from(META), ...changes });
    t.equal(
      await csp({ meta: true, media: [CDN] })(aRequest(BROWSER), async () => response),
      response,
    );
    t.same(reason(), [why]);
  }
  const identity = {
    headers: { ...HTML, 'content-encoding': 'Identity' },
    body: Buffer.from(META),
  };
  const read = await through({ meta: true, media: [CDN] }, identity, BROWSER);
  t.equal(String(await readBody(read.body, 1e6)), EDITED);
});

t.test('for a page to be read, it is asked for whole and not encoded', async (t) => {
  const origin = upstream({
    headers: { ...HTML, etag: '"x"', 'content-length': '9', 'accept-ranges': 'bytes', digest: 'x' },
    body: Buffer.from(META),
  });
  const layer = csp({ meta: true, allow: { 'img-src': [CDN] } });
  const got = await layer(aRequest(BROWSER), origin);
  t.same(
    { ...origin.asked[0]?.headers },
    { host: 'site.example', accept: BROWSER.headers.accept, 'accept-encoding': 'identity' },
  );
  t.same({ ...got.headers }, { ...HTML, etag: 'W/"x"' });
  t.equal(String(await readBody(got.body, 1e6)), EDITED);

  const head = await layer(
    aRequest({ ...BROWSER, method: 'HEAD' }),
    upstream({ headers: { ...HTML, etag: '"x"', 'content-length': '9' } }),
  );
  t.same({ ...head.headers }, { ...got.headers }, 'HEAD says the same');
  t.same(head.body, Buffer.alloc(0));
  const unchanged = await layer(
    aRequest(BROWSER),
    upstream({ status: 304, headers: { etag: '"x"' } }),
  );
  t.same({ ...unchanged.headers }, { etag: 'W/"x"' }, '304 names the page as it was sent');

  const image = aRequest({ headers: { accept: 'image/*', range: 'bytes=0-' } });
  await layer(image, origin);
  t.equal(origin.asked[1], image, 'what is no page is asked for as it was');
  const asked = aRequest(BROWSER);
  const response = aResponse({ headers: HTML, body: Buffer.from(META) });
  const passed: ProxyRequest[] = [];
  const handler = async (request: ProxyRequest) => {
    passed.push(request);
    return response;
  };
  t.equal(
    await csp({ media: [CDN] })(asked, handler),
    response,
    'and so is all, if not told to look',
  );
  t.equal(passed[0], asked);
});

t.test(
  'a page streams: nothing waits, little is held, an end reaches the other side',
  async (t) => {
    const layer = csp({ meta: true, media: [CDN] });
    const through = async (body: Readable) => {
      const { body: edited } = await layer(aRequest(BROWSER), upstream({ headers: HTML, body }));
      t.ok(edited instanceof Readable);
      return edited as Readable;
    };
    const waiting = new Readable({ read() {} });
    const live = await through(waiting);
    let heard = '';
    live.on('data', (chunk) => {
      heard += chunk;
    });
    const closed = new Promise((resolve) => waiting.once('close', resolve));
    for (const [given, comes] of [
      ['<title>x</title>', '<title>x</title>'],
      [META.slice(0, 50), ''],
      [`${META.slice(50)}<p>`, `${EDITED}<p>`],
      ['<meta', '<meta'],
    ] as const) {
      heard = '';
      waiting.push(given);
      await turn();
      await turn();
      t.equal(heard, comes, given);
    }
    live.destroy();
    await closed;
    t.ok(waiting.destroyed, 'who stops reading stops the source, though it is silent');

    let pulled = 0;
    const endless = new Readable({
      read() {
        pulled += 1;
        this.push(Buffer.alloc(16_384, pulled === 1 ? ' ' : 'x'));
      },
    });
    const unread = await through(endless);
    for (let before = -1; before !== pulled; ) {
      before = pulled;
      await turn();
      await turn();
    }
    t.ok(pulled < 20, `${pulled} are pulled while nobody reads`);
    unread.destroy();

    const broken = new Readable({ read() {} });
    const failing = await through(broken);
    broken.push('<title>');
    broken.destroy(new Error('gone'));
    await t.rejects(
      readBody(failing, 1e6),
      { message: 'gone' },
      'a page that breaks off does so here too',
    );
  },
);

t.test('policies are made to report to Headgate', async (t) => {
  const heard = listening(t);
  const reporting = { report: true };
  const to = (policy: string) => `${policy}; report-uri ${REPORTS}; report-to headgate-csp`;
  const { headers } = await through(reporting, {
    headers: {
      ...HTML,
      [POLICY]: ["img-src 'self', font-src x:"],
      [REPORT_ONLY]: 'img-src y:;',
      'reporting-endpoints': 'a="/b"',
    },
  });
  t.same(
    { ...headers },
    {
      ...HTML,
      [POLICY]: `${to("img-src 'self'")},${to(' font-src x:')}`,
      [REPORT_ONLY]: `${to('img-src y:')};`,
      'reporting-endpoints': ['a="/b"', `headgate-csp="${REPORTS}"`],
    },
  );
  t.same(heard, [
    { kind: 'edit', place: 'header', directives: [] },
    { kind: 'edit', place: 'report-only', directives: [] },
  ]);
  const rows = [
    [
      'img-src x:; report-uri /a',
      `img-src x:; report-uri /a ${REPORTS}`,
      'its own report-uri is kept',
    ],
    [
      'img-src x:; report-to a; report-uri /a',
      'img-src x:; report-to a; report-uri /a',
      'a group of its own is left alone',
    ],
    ["default-src 'none'", "default-src 'none'", 'a lock is left alone'],
    [to('x'), to('x'), 'once is enough'],
    [`x; report-uri ${REPORTS}`, `x; report-uri ${REPORTS}`, 'by whichever way'],
    [' ; ', ' ; ', 'no policy, no reports'],
  ] as const;
  for (const [before, after, why] of rows) {
    const response = await through(reporting, page(before));
    t.equal(policyOf(response), after, why);
    t.equal(response.headers['reporting-endpoints'], undefined, why);
  }
  const plain = await through(reporting, page('x'), { scheme: 'http' });
  t.equal(policyOf(plain), `x; report-uri ${REPORTS}`, 'groups are for HTTPS only');
  t.equal(plain.headers['reporting-endpoints'], undefined);
  const twice = await csp({ report: true, media: [CDN] })(aRequest(), async () =>
    through(reporting, page('img-src x:')),
  );
  t.equal(policyOf(twice), to(`img-src x: ${CDN}`), 'two layers ask once');
  t.same(twice.headers['reporting-endpoints'], [`headgate-csp="${REPORTS}"`]);

  const inPage = await through(
    { report: true, meta: true },
    { headers: HTML, body: Buffer.from(META) },
  );
  t.equal(String(await readBody(inPage.body, 1e6)), META, 'browsers ignore it in a <meta>');
});

const LEGACY = (report: object) => JSON.stringify({ 'csp-report': report });
const MODERN = (...bodies: object[]) =>
  JSON.stringify(
    bodies.map((body) => ({
      type: 'csp-violation',
      age: 1,
      url: 'https://site.example/secret',
      body,
    })),
  );
const send = (layer: Middleware, body: string, changes: Changes<ProxyRequest> = {}) =>
  layer(
    aRequest({
      method: 'POST',
      url: REPORTS,
      body: Readable.from([Buffer.from(body)], { objectMode: false }),
      ...changes,
    }),
    async () => t.fail('a report went upstream') as never,
  );

t.test(
  'reports become events that tell a directive and a known host, and nothing else',
  async (t) => {
    const heard = listening(t);
    const layer = csp({
      report: true,
      media: [CDN],
      assets: ['https://assets.example:8443/a/'],
      allow: { 'font-src': ['https://fonts.example'] },
      remove: ['https://old.example'],
      replace: { 'https://was.example': 'https://is.example' },
    });
    const rows: (readonly [body: string, ...events: (readonly [string, string, string?])[]])[] = [
      [
        LEGACY({
          'document-uri': 'https://site.example/secret',
          'effective-directive': 'img-src',
          'violated-directive': 'x',
          'blocked-uri': `${CDN}/a?b`,
          disposition: 'enforce',
        }),
        ['img-src', 'cdn.example'],
      ],
      [
        LEGACY({
          'violated-directive': "media-src 'self' data:",
          'blocked-uri': 'https://evil.test/x',
          disposition: 'report',
        }),
        ['media-src', 'other', 'report'],
      ],
      [
        LEGACY({ 'effective-directive': 'form-action', 'blocked-uri': 'inline' }),
        ['form-action', 'other'],
      ],
      [
        LEGACY({ 'effective-directive': 'constructor', 'blocked-uri': 17, disposition: {} }),
        ['other', 'other'],
      ],
      [LEGACY({}), ['other', 'other']],
      [
        MODERN(
          {
            effectiveDirective: 'script-src-elem',
            blockedURL: 'https://ASSETS.example:8443/x',
            disposition: 'enforce',
          },
          {
            effectiveDirective: 'font-src',
            blockedURL: 'https://fonts.example/x',
            disposition: 'report',
          },
        ),
        ['script-src-elem', 'assets.example:8443'],
        ['font-src', 'fonts.example', 'report'],
      ],
      [
        MODERN(
          ...['old', 'was', 'is', 'assets'].map((name) => ({
            effectiveDirective: 'img-src',
            blockedURL: `https://${name}.example`,
          })),
        ),
        ['img-src', 'old.example'],
        ['img-src', 'was.example'],
        ['img-src', 'is.example'],
        ['img-src', 'other'],
      ],
      [
        JSON.stringify([
          { type: 'deprecation', body: { id: 'x' } },
          { type: 'csp-violation', body: null },
        ]),
        ['other', 'other'],
      ],
      ['[]'],
    ];
    for (const [body, ...events] of rows) {
      const { status } = await send(layer, body);
      t.equal(status, 204);
      const expected = events.map(([directive, host, disposition = 'enforce']) => ({
        kind: 'violation',
        directive,
        host,
        disposition,
      }));
      t.same(heard.splice(0), expected, body);
    }
    for (const nonsense of ['', 'x', '{}', '17', 'null', '{"csp-report":1}', '[1]'])
      t.equal((await send(layer, nonsense)).status, 400, nonsense);
    t.equal((await send(layer, MODERN(...Array(200).fill({})))).status, 204);
    t.equal(heard.splice(0).length, 100, 'of one message only so many are read');
    t.equal((await send(layer, '[]', { url: `${REPORTS}?x` })).status, 204);
    t.same(heard, []);
  },
);

t.test('what is no report passes', async (t) => {
  for (const [options, changes] of [
    [{ report: true }, { method: 'GET', url: REPORTS }],
    [{ report: true }, { method: 'POST', url: `${REPORTS}/x` }],
    [{}, { method: 'POST', url: REPORTS }],
  ] as const) {
    const request = aRequest(changes);
    const origin = upstream();
    await csp(options)(request, origin);
    t.equal(origin.asked[0], request);
  }
});

t.test('reports are limited in size and number', async (t) => {
  const heard = listening(t);
  let now = 1_000_000;
  const layer = csp({ report: true }, { now: () => now });
  const report = LEGACY({ 'effective-directive': 'img-src' });
  const unread = Readable.from(['x']);
  t.equal(
    (await send(layer, '', { body: unread, headers: { 'content-length': '65537' }, client: 'a' }))
      .status,
    413,
  );
  t.notOk(unread.readableDidRead, 'what says that it is too large is not read');
  t.equal((await send(layer, `${report}${' '.repeat(65_536)}`, { client: 'a' })).status, 413);
  t.equal((await send(layer, report.padEnd(65_536), { client: 'a' })).status, 204);
  t.equal(heard.splice(0).length, 1);
  const gone = new Readable({ read() {} });
  gone.destroy(new Error('gone'));
  await t.rejects(send(layer, '', { body: gone, client: 'a' }), { message: 'gone' });

  const statuses = async (count: number, clientOf: (index: number) => string) => {
    const found: Record<number, number> = {};
    for (let i = 0; i < count; i++) {
      const { status, headers } = await send(layer, report, { client: clientOf(i) });
      found[status] = (found[status] ?? 0) + 1;
      if (status === 429) t.equal(headers['retry-after'], '10');
    }
    return found;
  };
  t.same(await statuses(25, () => 'b'), { 204: 20, 429: 5 }, 'one client');
  t.same(await statuses(2, () => 'c'), { 204: 2 }, 'does not take from others');
  now += 10_000;
  t.same(await statuses(25, () => 'b'), { 204: 20, 429: 5 }, 'and has its turn again');
  t.same(await statuses(30, () => ''), { 204: 30 }, 'clients that nobody knows are not one');
  t.same(await statuses(955, String), { 204: 950, 429: 5 }, 'all together');
});

t.test('wrong options are refused with what to write', async (t) => {
  const noPath = /must be one host with its scheme and no path/;
  const source = /must be one host with its scheme, like https:\/\/cdn\.example/;
  for (const wrong of [
    'cdn.example',
    'https:',
    '*',
    'https://*.example',
    "'self'",
    'data:',
    '',
    'https://',
    'https://https://cdn.example',
    'https://cdn.example/media',
    'https://cdn.example//',
    'https://cdn.example/?x/',
    'https://cdn.example; script-src *',
    'https://cdn.example, default-src *',
    'https://cdn.example\r\nx: y',
    'https://cdn.example ',
    'https://c\u00e4n.example',
    'https://u:p@cdn.example',
    'https://cdn.example/#/',
    'ftp://cdn.example',
    'https://cdn.example:x',
    "https://cdn.example/'/",
    'https://cdn..example',
  ]) {
    for (const name of ['media', 'assets'])
      t.throws(() => csp({ [name]: [wrong] }), { name: 'TypeError', message: source }, wrong);
    t.throws(
      () => csp({ allow: { 'img-src': [wrong] } }),
      { message: /^csp: allow\.img-src\.0: must be one host/ },
      wrong,
    );
    t.throws(
      () => csp({ remove: [wrong] }),
      { message: /^csp: remove\.0: must be one host with its scheme and no path/ },
      wrong,
    );
    t.throws(
      () => csp({ replace: { [CDN]: wrong } }),
      { message: /^csp: replace\.https:\/\/cdn\.example: must be/ },
      wrong,
    );
    t.throws(() => csp({ replace: { [wrong]: CDN } }), { message: noPath }, wrong);
  }
  for (const right of [
    CDN,
    'http://cdn.example',
    'wss://s.example',
    'https://cdn.example:8443',
    `${CDN}/`,
    `${CDN}/a/b-c/`,
    'https://127.0.0.1',
    'https://XN--a.example',
  ])
    t.ok(csp({ media: [right], allow: { 'script-src-elem': [right] } }), right);
  t.throws(() => csp({ remove: [`${CDN}/`] }), { message: /no path/ });
  for (const name of ['default-src', 'frame-ancestors', 'form-action', 'Img-Src', 'x'])
    t.throws(
      () => csp({ allow: { [name]: [CDN] } } as CspOptions),
      { message: `csp: allow: must be of ${LOADING.join(', ')}, got ${name}` },
      name,
    );
  for (const policy of ['', 'a, b', 'a \u00e9', 'a\x00', 'x'.repeat(20_000)])
    t.throws(() => csp({ set: { policy } }), { name: 'TypeError', message: /set\.policy/ }, policy);
  t.throws(() => csp({ other: 1 } as CspOptions), { name: 'TypeError' });
});

t.test('the plugin allows what other plugins send people to', async (t) => {
  const create = (written: CspOptions, mediaHosts: Site['mediaHosts']) =>
    plugin.create(toSettings('csp', plugin.options, written), {
      name: 'test',
      hosts: [],
      mediaHosts,
      store: memoryStore(),
      background: upstream(),
    });
  const { middleware } = await create({ media: ['https://a.example'] }, [
    { origin: CDN, kind: 'media' },
    { origin: 'https://assets.example', kind: 'assets' },
  ]);
  const response = await middleware(
    aRequest(),
    upstream(page("img-src 'self'; script-src 'self'")),
  );
  t.equal(
    policyOf(response),
    `img-src 'self' https://a.example ${CDN} https://assets.example; script-src 'self' https://assets.example`,
  );
  await t.rejects(async () => create({}, [{ origin: 'x', kind: 'media' }]), { name: 'TypeError' });
});
