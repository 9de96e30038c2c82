/** What of a page survives, byte for byte, and what makes a page go whole. */
import { Readable } from 'node:stream';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { HeadgateError, readBody } from '@headgate/core';
import { html, parse, type DefaultTreeAdapterTypes as Tree } from 'parse5';
import t from 'tap';
import { type TrimOptions, trim } from '../src/trim.ts';

const SIGN = '<!--\u2691\u2691\u2691\u2691-->';
const LIMITS = { maxScan: 1024 * 1024, maxPage: 256 * 1024 };
const METADATA = { keep: 'metadata', ...LIMITS } as const;
const HEAD = { keep: 'head', ...LIMITS } as const;

const inChunks = (page: string | Buffer, size: number) => {
  const bytes = Buffer.from(page);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return Readable.from(chunks, { objectMode: false });
};
const cut = async (page: string | Buffer, options: TrimOptions, size = 10_000) => {
  const result = await trim(inChunks(page, size), options);
  return 'page' in result ? String(result.page) : result;
};

t.test('metadata: what fetchers read, from anywhere, in its order', async (t) => {
  const rows: [what: string, page: string, top: string, head: string, body: string][] = [
    [
      'doctype, root and metadata',
      '<!-- a --><!DOCTYPE html>\n<html lang="de" prefix="og: x"><head><meta charset=utf-8><title>a</title><style>b</style><script>c</script></head><body>d',
      '<!DOCTYPE html><html lang="de" prefix="og: x">',
      '<meta charset=utf-8><title>a</title>',
      '',
    ],
    ['nothing at all', 'just text', '', '', ''],
    ['an implied end', '<title>a</title><p><meta name=b>', '', '<title>a</title>', '<meta name=b>'],
    ['</head> in an attribute', '<meta content="</head>"><p>', '', '<meta content="</head>">', ''],
    ['</head> in a script', '<script>"</head>"</script><base href=x><p>', '', '<base href=x>', ''],
    ['</head> in a comment', '<!-- </head> --><title>a</title>', '', '<title>a</title>', ''],
    [
      'no secrets',
      '<meta name="csrf-token" content=s><meta name=" CSRF-Param " content=s><meta name=csrf><p>',
      '',
      '<meta name=csrf>',
      '',
    ],
    [
      'links that are no stylesheets or hints',
      '<link rel=icon href=a><link rel="STYLESHEET" href=b><link rel="alternate stylesheet" href=c><link rel=preload href=d><link rel="preload icon" href=e><link rel="dns-prefetch preconnect" href=f><link type="application/json+oembed" href=g><p>',
      '',
      '<link rel=icon href=a><link rel="preload icon" href=e><link type="application/json+oembed" href=g>',
      '',
    ],
    [
      'linked data, and no other script',
      '<p><script type=" Application/LD+json">{"a":"<p>"}</script><script>x</script>',
      '',
      '',
      '<script type=" Application/LD+json">{"a":"<p>"}</script>',
    ],
    [
      'behind </head> and before the body: a browser puts it into the head',
      '<head><base href=/></head >\n<title>a</title> <meta name=b><link rel=icon href=c>\n<body><meta name=d>',
      '',
      '<base href=/><title>a</title><meta name=b><link rel=icon href=c>',
      '<meta name=d>',
    ],
    [
      'text behind </head> is the body',
      '<head></head>x<title>a</title>',
      '',
      '',
      '<title>a</title>',
    ],
    [
      'so is a link of another kind',
      '<head></head><a rel=me href=x>a</a><title>a</title>',
      '',
      '',
      '<a rel=me href=x></a><title>a</title>',
    ],
    [
      'rel=me of a, area and link, whatever its case',
      '<head></head><A REL="nofollow ME" HREF=x>y</A><area rel=me href=z><link rel=me href=w><a rel=home>n</a>',
      '',
      '',
      '<A REL="nofollow ME" HREF=x></a><area rel=me href=z><link rel=me href=w>',
    ],
    [
      'titles behind the head, but of no drawing',
      '<body><svg><title>no</title><a rel=me href=n></a></svg><title>yes</title>',
      '',
      '',
      '<title>yes</title>',
    ],
    [
      'what noscript holds, for those who run no scripts',
      '<head><noscript><link rel=stylesheet href=a><meta name=b></noscript></head><body><noscript><p><a rel=me href=c>d</a></noscript><noscript>e</noscript>',
      '',
      '<noscript><meta name=b></noscript>',
      '<noscript><a rel=me href=c></a></noscript>',
    ],
    [
      'several noscripts, between other things',
      '<noscript>a</noscript><noscript><meta name=a><base></noscript><meta name=b><noscript><base></noscript>',
      '',
      '<noscript><meta name=a><base></noscript><meta name=b><noscript><base></noscript>',
      '',
    ],
    [
      'many comments and no doctype',
      `${'<!-- a -->'.repeat(60)}<title>a</title>`,
      '',
      '<title>a</title>',
      '',
    ],
    [
      'templates, around what survives of them',
      '<head></template><template><p></template><template id=a><html lang=b><a rel=me href=c>d</a><template><b></template></template><title>e</title><template><template><meta name=f></template></template>',
      '',
      '<template id=a><a rel=me href=c></a></template><title>e</title><template><template><meta name=f></template></template>',
      '',
    ],
    ['an unclosed comment', '<meta name=a><!-- <title>b</title>', '', '<meta name=a>', ''],
    [
      'a byte order mark',
      '\ufeff<!doctype html><title>a</title>',
      '\ufeff<!doctype html>',
      '<title>a</title>',
      '',
    ],
    ['beyond ASCII', '<title>Ünïcödé 🎉</title>', '', '<title>Ünïcödé 🎉</title>', ''],
  ];
  for (const [what, page, top, head, body] of rows)
    for (const size of [1, 7, 10_000])
      t.equal(
        await cut(page, METADATA, size),
        `${top}<head>${head}</head><body>${SIGN}${body}</body></html>\n`,
        `${what}, ${size} bytes at a time`,
      );
});

t.test('head: its bytes as they are, and what fetchers read behind it', async (t) => {
  const rows: [what: string, page: string, head: string, rest: string][] = [
    [
      'an explicit end',
      '<head> <title>a</title><!-- b --></head>c',
      '<head> <title>a</title><!-- b -->',
      '',
    ],
    ['an implied end', '<title>a</title><p>b', '<title>a</title>', ''],
    [
      '</head> in a script',
      '<head><script>"</head>"</script></head>b',
      '<head><script>"</head>"</script>',
      '',
    ],
    [
      'metas, links, titles',
      '<head><style></style></head><meta name=a><link rel=canonical href=b><title>c</title><style></style>',
      '<head><style></style></head><meta name=a><link rel=canonical href=b><title>c</title>',
      '',
    ],
    [
      'metas, links, titles in the body',
      '<head><style></style></head><p><meta name=a><link rel=canonical href=b><title>c</title><style></style>',
      '<head><style></style>',
      '<meta name=a><link rel=canonical href=b><title>c</title>',
    ],
  ];
  for (const [what, page, head, rest] of rows)
    for (const size of [1, 7, 10_000])
      t.equal(
        await cut(page, HEAD, size),
        `${head}</head><body>${SIGN}${rest}</body></html>\n`,
        `${what}, ${size} bytes at a time`,
      );
  const late = '<title>a</title><p><html lang=de><meta name=b>';
  t.match(await cut(late, HEAD), `${SIGN}<html lang=de><meta name=b></body>`, 'a late root');
  t.equal(await cut('<title>a</title>', HEAD), '<title>a</title>', 'all head: as it is');
});

t.test('a page is cut alike wherever its chunks end', async (t) => {
  const pieces = [
    '<meta name="a" content="ü</head>">',
    '<title>a</title>',
    '<p>text</p>',
    '<a rel=me href=x>y</a>',
    '<noscript><meta name=n></noscript>',
    '<script type="application/ld+json">{"<a rel=me>": 1}</script>',
    '<!-- </head><title>no</title> -->',
    '<link rel=icon href="🎉">',
    '</head>',
    '<svg><title>z</title></svg>',
    '<style>"</head>"</style>',
  ];
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let run = 0; run < 200; run++) {
    const page = Array.from({ length: 12 }, () => pieces[random(pieces.length)]).join('');
    const bytes = Buffer.from(page);
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random(40);
      chunks.push(bytes.subarray(at, at + length));
      at += length;
    }
    for (const options of [METADATA, HEAD]) {
      const result = await trim(Readable.from(chunks, { objectMode: false }), options);
      if (!('page' in result) || String(result.page) !== (await cut(bytes, options)))
        return t.fail(`run ${run}, ${options.keep}: ${page}`);
    }
  }
  t.pass('200 pages');
});

t.test('what cannot be judged comes back whole, every byte of it', async (t) => {
  const rows: [why: string, page: Buffer, reason: string][] = [
    ['latin1', Buffer.from('<title>Ünïcödé</title>', 'latin1'), 'charset'],
    ['an unclosed title', Buffer.from('<meta name=a><title>b<meta name=c>'), 'markup'],
    ['UTF-16', Buffer.from('<title>a</title>', 'utf16le'), 'charset'],
    ['UTF-16 with its mark', Buffer.from('\ufeff<title>a</title>', 'utf16le'), 'markup'],
    ['ISO-2022-JP', Buffer.from('<title>\x1b$B%F%9%H\x1b(B</title>'), 'charset'],
    ['a NUL', Buffer.from('<title>a\0b</title>'), 'charset'],
    ['a script in a script', Buffer.from('<script><!-- <script> </script><p>'), 'markup'],
    [
      'tags that end a drawing in a noscript',
      Buffer.from('<noscript><svg><p><title>a</title></noscript><p>'),
      'markup',
    ],
    [
      'a noscript whose comment goes on behind it for who runs no scripts',
      Buffer.from('<noscript><!-- </noscript><title>a</title> --><noscript></noscript>'),
      'markup',
    ],
    [
      'a noscript whose tag does',
      Buffer.from('<noscript></noscript><noscript><p a="</noscript><meta name=a>">'),
      'markup',
    ],
    ['tags that end a drawing', Buffer.from('<svg><p><title>a</title>'), 'markup'],
  ];
  for (const [why, page, reason] of rows) {
    for (const size of [3, 10_000]) {
      const result = await trim(inChunks(page, size), METADATA);
      t.match(result, { reason }, why);
      if ('whole' in result) t.same(await readBody(result.whole, 1e6), page, why);
    }
  }
});

t.test('codings are read through, bombs included, and go back as they came', async (t) => {
  const page = `<title>ü</title><p>${'x'.repeat(300_000)}<meta name=a>`;
  const small = await cut(page, METADATA);
  for (const [coding, coded] of [
    ['gzip', gzipSync(page)],
    ['X-GZIP', gzipSync(page)],
    ['br', brotliCompressSync(page)],
    ['zstd', zstdCompressSync(page)],
  ] as const)
    for (const size of [11, 1_000_000])
      t.equal(await cut(coded, { ...METADATA, coding }, size), small, `${coding} by ${size}`);

  const foreign = await trim(inChunks('x', 1), { ...METADATA, coding: 'gzip, br' });
  t.match(foreign, { reason: 'coding' });

  const odd = gzipSync(Buffer.from('<title>Ü</title>', 'latin1'));
  const whole = await trim(inChunks(odd, 5), { ...METADATA, coding: 'gzip' });
  t.match(whole, { reason: 'charset' });
  if ('whole' in whole) t.same(await readBody(whole.whole, 1e6), odd, 'still coded');

  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, '<p>boom'));
  const defused = await trim(inChunks(bomb, 65_536), { ...METADATA, coding: 'gzip' });
  t.match(defused, { read: LIMITS.maxScan, limit: 'maxScan' }, 'no further than the limit');

  const truncated = trim(inChunks(gzipSync(page).subarray(0, -9), 100), {
    ...METADATA,
    coding: 'gzip',
  });
  await t.rejects(truncated, { code: 'UPSTREAM_BROKEN' }, 'a coding without its end');
  const garbage = trim(inChunks('no gzip at all', 5), { ...METADATA, coding: 'gzip' });
  await t.rejects(garbage, { code: 'UPSTREAM_BROKEN' }, 'what is not in the coding');
});

t.test('it reads no further than its limit, and lets go of the rest', async (t) => {
  let given = 0;
  const endless = new Readable({
    read() {
      given += 1;
      this.push(given === 1 ? '<head><title>ü</title></head>' : 'ü'.repeat(10_000));
    },
  });
  const result = await trim(endless, { ...METADATA, maxScan: 100_001 });
  t.match(result, { limit: 'maxScan', page: /^<head><title>ü<\/title><\/head>/ });
  t.ok(given < 20);
  t.equal(endless.destroyed, true);

  const large = Buffer.from(`<title>a</title>${'<meta name=a>'.repeat(10_000)}`);
  t.match(
    await trim(large, { ...METADATA, maxScan: 1000 }),
    { read: 1000, limit: 'maxScan' },
    'at once',
  );

  let received = 0;
  const endlessName = new Readable({
    read() {
      const start = Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]); // a gzip file's, with a name
      received += 1000;
      if (received > 1e6) this.push(null);
      else this.push(received === 1000 ? start : Buffer.alloc(1000, 'a'));
    },
  });
  const nothing = await trim(endlessName, { ...METADATA, maxScan: 100_000, coding: 'gzip' });
  t.match(nothing, { read: 0, limit: 'maxScan' }, 'a coding that says nothing');
  t.ok(received < 500_000);

  let dropped = false;
  let isSilent = false;
  const doubtful = new Readable({
    read() {
      if (!isSilent) this.push('<svg><p>');
      isSilent = true;
    },
    destroy(error, done) {
      dropped = true;
      done(error);
    },
  });
  const whole = await trim(doubtful, METADATA);
  t.equal(dropped, false);
  if ('whole' in whole) whole.whole.destroy();
  await new Promise((done) => setImmediate(done));
  t.equal(dropped, true, 'who drops the whole drops the origin');
});

t.test('what becomes too large loses what does not fit, nothing else', async (t) => {
  const big = `<meta name=big content="${'x'.repeat(2000)}">`;
  const page = `<head><style>${'y'.repeat(5000)}</style><meta name=a>${big}<meta name=b></head>`;
  const expected = `<head><meta name=a><meta name=b></head><body>${SIGN}</body></html>\n`;
  for (const options of [METADATA, HEAD]) {
    const result = await trim(inChunks(page, 100), { ...options, maxPage: 1024 });
    t.match(result, { limit: 'maxPage' });
    t.equal('page' in result && String(result.page), expected, options.keep);
  }
  const fits = await trim(inChunks(page, 100), { ...HEAD, maxPage: 5000 });
  t.equal('page' in fits && String(fits.page).includes('yyy'), false, 'the head is reduced first');
  t.equal('limit' in fits, false, 'and nothing that survives is missing');
});

t.test('a body that breaks off is no page; one cut by a deadline is, with its head', async (t) => {
  const breaking = (start: string, error: Error) =>
    Readable.from(
      (async function* () {
        yield Buffer.from(start);
        throw error;
      })(),
      { objectMode: false },
    );
  const late = new HeadgateError('UPSTREAM_TIMEOUT', 'too late');
  const broken = new HeadgateError('UPSTREAM_BROKEN', 'broken');
  const start = '<title>a</title><p>';
  await t.rejects(trim(breaking(start, broken), METADATA), broken);
  await t.rejects(
    trim(breaking('<title>a</title>', late), METADATA),
    late,
    'a head without its end',
  );
  t.match(await trim(breaking(start, late), METADATA), { isPartial: true, page: /<title>a/ });
});

t.test('pages made to hurt take linear time', async (t) => {
  const MB = 1024 * 1024;
  for (const [what, unit] of [
    ['end tags of nothing', '</x>'],
    ['one attribute', 'a'],
    ['open tags', '<a '],
    ['rel=me', '<a rel=me '],
    ['noscripts', '<noscript><a rel=me></noscript>'],
    ['comments', '<!--'],
    ['titles', '<title>'],
  ] as const) {
    const start = what === 'one attribute' ? '<p a="' : '';
    const costOf = async (size: number) => {
      const page = Buffer.from(start + unit.repeat(Math.ceil(size / unit.length)));
      const began = process.cpuUsage().user;
      await trim(inChunks(page, 65_536), { ...METADATA, maxScan: 8 * MB }).then((result) => {
        if ('whole' in result) result.whole.destroy();
      });
      return process.cpuUsage().user - began;
    };
    await costOf(MB / 4);
    const [one, eight] = [await costOf(MB / 4), await costOf(2 * MB)];
    t.ok(eight < 40 * one + 100_000, `${what}: ${one} and ${eight} µs`);
  }
});

/** What a reader of the whole tree finds: each thing once, in order, and the title that counts. */
function readBy(page: string, scriptingEnabled: boolean, isIntoTemplates: boolean) {
  const found = new Set<string>();
  let title = '';
  const read = (node: Tree.Node, isHead: boolean) => {
    const children = 'childNodes' in node ? node.childNodes : [];
    if ('tagName' in node && node.namespaceURI === html.NS.HTML) {
      const { tagName } = node;
      const attributes = Object.fromEntries(node.attrs.map(({ name, value }) => [name, value]));
      const relations = (attributes.rel ?? '').toLowerCase().split(' ');
      const text = children.map((child) => ('value' in child ? child.value : '')).join('');
      const isRead =
        ['title', 'meta', 'base'].includes(tagName) ||
        (tagName === 'link' && !relations.includes('stylesheet')) ||
        (tagName === 'script' && attributes.type === 'application/ld+json') ||
        (['a', 'area'].includes(tagName) && relations.includes('me'));
      if (isRead) found.add(`${tagName} ${JSON.stringify(attributes)} ${tagName === 'a' || text}`);
      if (tagName === 'html') found.add(`lang ${attributes.lang}`);
      if (tagName === 'title' && isHead) title ||= text;
    }
    for (const child of children) read(child, node.nodeName === 'head');
    if (isIntoTemplates && 'content' in node) read(node.content, false);
  };
  read(parse(page, { scriptingEnabled }), false);
  return { found: [...found], title };
}

t.test('readers of a cut page find what they find in all of it', async (t) => {
  const survivors = [
    ...['<meta name=N content="\u00fc>">', "<META property='og:title' content='N' />"],
    ...['<title>N &amp; <b></title >', '<base href=N>', '<html lang=N>'],
    ...['<link rel=icon href=N>', '<link type="application/json+oembed" href=N>'],
    ...['<script type="application/ld+json">{"<meta>": N}</script>'],
    ...['<a rel=me href=N>me</a>', '<A HREF=N REL="nofollow ME" title=">"><i>x</i></A>'],
    ...['<area rel=me href=N>', '<a rel="m&#101;" href=N></a>', '<a rel=x rel=me href=N></a>'],
  ];
  const others = [
    ...[
      'text',
      ' ',
      '<p>',
      '</p>',
      '<div>',
      '</div>',
      '</x>',
      '</>',
      '< a',
      '<br>',
      '</br>',
      '<b>',
    ],
    ...['<!-- <meta name=no> -->', '<!-->', '<!--->', '<!-- a --!>', '<!x>', '<?php ?>', '&lt;'],
    ...[
      '<head>',
      '<body>',
      '</body>',
      '</html>',
      '<style></head></style>',
      '<link rel=stylesheet>',
    ],
    ...['<script>"</head>"</script>', '<script><!-- x --></script>', '<textarea><meta></textarea>'],
    ...['<iframe><meta></iframe>', '<xmp><title>no</title></xmp>', '<svg><title>no</title></svg>'],
    ...['<svg/>', '<math><mi></mi></math>', '<img alt="<title>">', '<select><option>x</select>'],
    ...[
      '<p title="',
      '">',
      '<template>',
      '</template>',
      '<h1>',
      '<ul><li>',
      '<form>',
      '<noscript>',
    ],
    ...['</noscript>', '<body></head>'],
  ];
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const soup = () => {
    const parts = Array.from({ length: 2 + random(14) }, (_, index) => {
      const from = random(2) === 0 ? survivors : others;
      return (from[random(from.length)] ?? '').replace('N', `n${index}`);
    });
    return (random(2) === 0 ? '<!doctype html><html lang=de><head>' : '') + parts.join('');
  };
  let cuts = 0;
  for (let run = 0; run < 2000; run++) {
    const page = soup();
    for (const options of [METADATA, HEAD]) {
      const small = await cut(page, options);
      if (typeof small !== 'string') continue;
      cuts += 1;
      for (const isScripting of [false, true])
        for (const isIntoTemplates of [false, true]) {
          const whole = readBy(page, isScripting, isIntoTemplates);
          const read = readBy(small, isScripting, isIntoTemplates);
          if (
            String(whole.found) !== String(read.found) ||
            (whole.title && whole.title !== read.title)
          )
            return t.same(
              read,
              whole,
              `${options.keep}, scripting ${isScripting}: ${page}\n${small}`,
            );
        }
    }
  }
  t.ok(cuts > 2000, `${cuts} cuts`);
});
