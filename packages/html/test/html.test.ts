import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Tokenizer } from 'htmlparser2';
import {
  type DefaultTreeAdapterMap,
  defaultTreeAdapter,
  Parser,
  parse,
  serialize,
  type Token,
} from 'parse5';
import t from 'tap';
import { attribute, type Doubt, type OpenTag, scanner } from '../src/index.ts';
import {
  danglingBracket,
  isInCdata,
  tokenizer,
  unfinishedAttributeName,
  unnamedTag,
} from '../src/tokenizer.ts';

interface Told {
  readonly tags: string[];
  readonly head: number | undefined;
  readonly doubt: Doubt | undefined;
}

/** All that a scanner tells about a page that comes in pieces of these sizes, and what is off. */
function scan(html: string, nextSize = () => html.length || 1): Told & { faults: string[] } {
  const bytes = Buffer.from(html, 'latin1');
  const tags: string[] = [];
  const faults: string[] = [];
  let head: number | undefined;
  let doubt: Doubt | undefined;
  let pending = 0;

  const expectUpTo = (offset: number) => {
    if (offset < pending) faults.push(`speaks of ${offset} after letting go of ${pending}`);
    if (doubt !== undefined) faults.push('speaks after a doubt');
  };
  const page = scanner({
    onOpenTag(tag) {
      expectUpTo(tag.start);
      for (const { value, start, end } of tag.attributes)
        if (html.slice(start, end) !== value) faults.push(`${value} is not at ${start}`);
      tags.push(toLine(tag));
    },
    onCloseTag({ name, start, end }) {
      expectUpTo(start);
      tags.push(`${start}-${end} /${asRead(name)}`);
    },
    onHeadEnd(offset) {
      expectUpTo(offset);
      if (head !== undefined) faults.push('two head ends');
      head = offset;
    },
    onDoubt(reason) {
      if (doubt !== undefined) faults.push('two doubts');
      doubt = reason;
    },
  });
  for (let from = 0; from < bytes.length; ) {
    const to = from + nextSize();
    page.write(bytes.subarray(from, to));
    from = to;
    if (page.pending < pending) faults.push('pending went back');
    pending = page.pending;
  }
  page.end();
  return { tags, head, doubt, faults };
}

function toLine(tag: OpenTag): string {
  const names = new Set(tag.attributes.map(({ name }) => name));
  const list = Array.from(names, (name) => [asRead(name), asRead(attribute(tag, name) ?? '')]);
  const flags = (tag.isSelfClosing ? ' /' : '') + (tag.isForeign ? ' foreign' : '');
  return `${tag.start}-${tag.end} ${asRead(tag.name)}${flags} ${JSON.stringify(list)}`;
}

/** What the standard makes of a name or value, which the scanner leaves as it is in the page. */
function asRead(text: string): string {
  return text.replace(/\r\n?/g, '\n').replaceAll('\0', '\ufffd');
}

/** parse5, which does what the standard says, telling the same. */
class Browser extends Parser<DefaultTreeAdapterMap> {
  readonly tags: string[] = [];
  head: number | undefined;
  #latest = -1;

  override onStartTag(token: Token.TagToken): void {
    const { attrs, tagName, selfClosing, location } = token;
    const { startOffset = 0, endOffset = 0 } = location ?? {};
    const flags = (selfClosing ? ' /' : '') + (this.currentNotInHTML ? ' foreign' : '');
    const list = JSON.stringify(attrs.map(({ name, value }) => [name, value]));
    this.tags.push(`${startOffset}-${endOffset} ${tagName}${flags} ${list}`);
    super.onStartTag(token);
    this.#watchHead(startOffset);
  }
  override onEndTag(token: Token.TagToken): void {
    const { startOffset = 0, endOffset = 0 } = token.location ?? {};
    // It hands some to itself a second time.
    if (startOffset > this.#latest) this.tags.push(`${startOffset}-${endOffset} /${token.tagName}`);
    this.#latest = startOffset;
    super.onEndTag(token);
    this.#watchHead(startOffset);
  }
  override onCharacter(token: Token.CharacterToken): void {
    super.onCharacter(token);
    this.#watchHead(token.location?.startOffset);
  }
  override onNullCharacter(token: Token.CharacterToken): void {
    super.onNullCharacter(token);
    this.#watchHead(token.location?.startOffset);
  }
  #watchHead(offset: number | undefined): void {
    const { headElement, openElements } = this;
    if (headElement === null) return;
    // What is above the top of that stack was popped.
    const depth = openElements.items.indexOf(headElement);
    if (depth < 0 || depth > openElements.stackTop) this.head ??= offset;
  }
}

function browse(html: string): Browser {
  const browser = new Browser({ sourceCodeLocationInfo: true });
  browser.tokenizer.write(html, true);
  return browser;
}

/** True when a tag that is put in there lands in the head, and all else stays as it was. */
function isInsertable(html: string, offset: number): boolean {
  const marked = browse(`${html.slice(0, offset)}<meta name=MARK>${html.slice(offset)}`);
  const isMark = (node: object) =>
    'attrs' in node &&
    Array.isArray(node.attrs) &&
    node.attrs.some(({ value }) => value === 'MARK');
  const mark = marked.headElement?.childNodes.find(isMark);
  if (mark === undefined) return false;
  defaultTreeAdapter.detachNode(mark);
  return serialize(marked.document) === serialize(parse(html));
}

for (const [what, page] of [
  ['at </head>', '<!doctype html><html><head><title>a</title>|</head><body>'],
  ['at </head> in any case and with space', '<HEAD>|</HeAd\n ><body>'],
  ['at </head> with an attribute', '<head>|</head x=y>'],
  ['at </head/>', '<head>|</head/>'],
  ['at <body> without </head>', '<head><meta charset=utf-8>|<body>'],
  ['at </body>', '<title>a</title>|</body>'],
  ['at </html>', '<head>|</html>'],
  ['at </br>', '<head>|</br>'],
  ['not at other end tags', '<head></p></div></title></template>|<p>'],
  ['at the first tag of the body', '<link rel=a>|<img><meta>'],
  ['at a tag whose name only begins like one of the head', '<head>|<metadata></head>'],
  ['at <head/> no more than at <head>', '<head/><meta>|<p>'],
  ['at text', '<head> \n\f\t\rtext'.replace('text', '|text')],
  ['at text without any tag', '|text'],
  ['at text of one byte beyond ASCII', '<head>|\xe9'],
  ['at a NUL', '<head>|\0</head>'],
  ['at a < that begins no tag', '<head> |<3 </head>'],
  ['at a < that is the last byte', '<head>|<'],
  ['at a </ that is the last', '<head>|</'],
  ['not at </>', '<head></>|</head>'],
  ['not at a comment', '<head><!-- </head><body> -->|</head>'],
  ['not at an empty comment', '<!--><!---><!-- a --!>|<p>'],
  ['not at a bogus comment', '<?php </head ?><!x </head></ </head>|</head>'],
  ['not at a doctype', '<head><!doctype a ">|</head>'],
  ['not in an attribute', '<meta content="</head><body>" a=\'</head>\' b=</head>|</head>'],
  ['not in a title', '<title></head><p></titles></title >|<p>'],
  ['not in a script', '<script></head>"</script\t>|<p>'],
  ['not in an escaped script', '<script><!--</head><script></head>--></script>|<p>'],
  ['not in a style', '<style/></head></style>|<p>'],
  ['not in noframes', '<noframes><p></head></noframes>|<p>'],
  ['not in a noscript, which is text where scripts run', '<noscript><img></head></noscript>|<p>'],
  ['not in a template', '<template></head><p>text<template></template></body></template>|<p>'],
  ['not in a noscript in a template', '<template><noscript></template></noscript></template>|<p>'],
  ['not in svg in a template', '<template><svg><title><!-- a --></title></svg></template>|<p>'],
  ['at a textarea', '|<textarea></head></textarea>'],
  ['at a frameset', '<head>|<frameset>'],
  ['after a byte order mark', '\xef\xbb\xbf <title>a</title>|text'],
  ['at a byte order mark that comes too late', ' |\xef\xbb\xbf'],
  ['at half a byte order mark', '|\xef\xbb<title>'],
  ['at a page of two bytes', '|\xef\xbb'],
  ['nowhere in an unfinished head', '<head><title>a</title><meta content="'],
  ['nowhere in a page that ends in a script', '<script></head></scrip'],
  ['nowhere in an unfinished end tag', '<head></title '],
  ['nowhere in an unfinished self-closing tag', '<head><meta /'],
  ['nowhere in an empty page', ''],
  ['nowhere in a byte order mark', '\xef\xbb\xbf'],
] as const) {
  t.test(`the scanner finds the end of the head ${what}`, async (t) => {
    const html = page.replace('|', '');
    const offset = page.includes('|') ? page.indexOf('|') : undefined;
    t.equal(scan(html).head, offset);
    t.equal(scan(html, () => 1).head, offset, 'byte by byte');
    // parse5 leaves byte order marks to whoever decodes the bytes.
    if (html.startsWith('\xef\xbb\xbf')) return;
    t.equal(browse(html).head, offset, 'parse5 agrees');
    if (offset !== undefined) t.ok(isInsertable(html, offset), 'a tag can be put in there');
  });
}

for (const [what, html, doubt, tags] of [
  ['CDATA outside of svg', '<p><![CDATA[ > ]]><a>', 'cdata', ['p']],
  ['CDATA that never ends', '<p><![CDATA[ > <a>', 'cdata', ['p']],
  ['CDATA where HTML may stand', '<svg><title><![CDATA[ > ]]>', 'cdata', ['svg', 'title']],
  ['CDATA in svg', '<svg><![CDATA[ <a> ]]><g>', undefined, ['svg', 'g']],
  ['CDATA in a script', '<script><![CDATA[ > ]]></script>', undefined, ['script', '/script']],
  ['double quotes in an end tag', '<p></p x=">"><a>', 'end-tag-attribute', ['p']],
  ['single quotes in an end tag', "<p></p\nx='>'><a>", 'end-tag-attribute', ['p']],
  ["quotes in a script's end tag", '<script></script x=">">', 'end-tag-attribute', ['script']],
  ['an end tag with an attribute', '</p x=y><a>', undefined, ['/p', 'a']],
  ['a script in a comment', '<script><!-- <script> </script>', 'escaped-script', ['script']],
  ['... in capitals', '<script><!--<SCRIPT/</script>', 'escaped-script', ['script']],
  ['... that is over', '<script><!--<script>--></script>', undefined, ['script', '/script']],
  ['... that never began', '<script><!--><script></script>', undefined, ['script', '/script']],
  ['... that is none', '<script><!--<scripts></script>', undefined, ['script', '/script']],
  ['... without a comment', '<script><script></script>', undefined, ['script', '/script']],
  [
    '... of another script',
    '<script><!--</script><script><script></script>',
    undefined,
    ['script', '/script', 'script', '/script'],
  ],
  ['HTML in svg', '<svg><p><style>', 'foreign-content', ['svg']],
  ['HTML in math', '<math><mi><b>', 'foreign-content', ['math', 'mi']],
  [
    'HTML in a foreignObject',
    '<svg><foreignObject><i>',
    'foreign-content',
    ['svg', 'foreignobject'],
  ],
  [
    'a link in a foreignObject',
    '<svg><foreignObject><a>',
    'foreign-content',
    ['svg', 'foreignobject'],
  ],
  ['a link in mi', '<math><mi><a>', 'foreign-content', ['math', 'mi']],
  ["a link in math's title", '<math><title><a>', undefined, ['math', 'title', 'a']],
  ['an end tag in svg that closes more', '<p><svg><g></p>', 'foreign-content', ['p', 'svg', 'g']],
  ['svg in svg 129 deep', '<svg>'.repeat(129), 'foreign-content', Array(128).fill('svg')],
  [
    'svg that is balanced',
    '<svg><g><path/></svg><p>',
    undefined,
    ['svg', 'g', 'path', '/svg', 'p'],
  ],
  ['a frameset', '<frameset><style>', 'frameset', []],
  ['svg in a select', '<select><svg>', 'select', ['select']],
  ['a style in a select', '<select><option><style>', 'select', ['select', 'option']],
  ['a style after a select', '<select></select><style>', undefined, ['select', '/select', 'style']],
  ['a script in a select', '<select><script></select>', undefined, ['select', 'script']],
  ['a column in a template', '<template><col><style>', 'template-column', ['template']],
  ['a column elsewhere', '<template></template><col>', undefined, ['template', '/template', 'col']],
  ['UTF-16, big end first', '\xfe\xff\0<\0p', 'utf-16', []],
  ['UTF-16, little end first', '\xff\xfe<\0p\0', 'utf-16', []],
  ['UTF-16 and nothing else', '\xff\xfe', 'utf-16', []],
] as const) {
  t.test(
    `${doubt === undefined ? 'the scanner trusts' : 'the scanner doubts'} ${what}`,
    async (t) => {
      for (const size of [html.length, 1, 3]) {
        const told = scan(html, () => size);
        t.equal(told.doubt, doubt);
        t.same(
          told.tags.map((line) => line.split(' ')[1]),
          tags,
        );
        t.same(told.faults, []);
      }
    },
  );
}

t.test('the scanner reports tags with their places and attributes', async (t) => {
  const html = `<A HREF=b Href=c rel='me' x="">&amp;</A ><br/><p / ><svg><title/><A></svg>`;
  t.same(scan(html).tags, [
    '0-31 a [["href","b"],["rel","me"],["x",""]]',
    '36-41 /a',
    '41-46 br / []',
    '46-52 p []',
    '52-57 svg []',
    '57-65 title / foreign []',
    '65-68 a foreign []',
    '68-74 /svg',
  ]);
  t.same(scan(html).tags, browse(html).tags, 'parse5 agrees');
});

t.test('an attribute has the bytes as they are and the place that they have', async (t) => {
  const html = `<meta content="&#39;self&#39; \xe9" checked http-equiv = x>`;
  const tags: OpenTag[] = [];
  const page = scanner({ onOpenTag: (tag) => tags.push(tag) });
  page.write(Buffer.from(html, 'latin1'));
  t.same(tags[0]?.attributes, [
    { name: 'content', value: '&#39;self&#39; \xe9', start: 15, end: 31 },
    { name: 'checked', value: '', start: 40, end: 40 },
    { name: 'http-equiv', value: 'x', start: 54, end: 55 },
  ]);
});

t.test('attribute() takes the first of a name and decodes character references', async (t) => {
  for (const [value, decoded] of [
    ['&#39;self&#39;', "'self'"],
    ['application/ld&#x2b;json', 'application/ld+json'],
    ['a&amp;b&ampc&lt', 'a&b&ampc<'],
    [`"'&quot;`, `"'"`],
    [`'&quot;`, `'"`],
    ['&nbsp;&unknown;', '\xa0&unknown;'],
    ['', ''],
  ] as const) {
    const place = { start: 0, end: 0 };
    const attributes = [value, 'second'].map((text) => ({ name: 'a', value: text, ...place }));
    t.equal(attribute({ attributes }, 'a'), decoded);
  }
  t.equal(attribute({ attributes: [] }, 'a'), undefined);
});

t.test('the scanner reports only tags that were asked for', async (t) => {
  const told: string[] = [];
  const page = scanner(
    { onOpenTag: ({ name }) => told.push(name), onCloseTag: ({ name }) => told.push(`/${name}`) },
    { tags: new Set(['a', 'title']) },
  );
  page.write(Buffer.from('<title><a></title><META content=a><p><A></p></a><a'));
  page.end();
  t.same(told, ['title', '/title', 'a', '/a']);
});

t.test('a stopped scanner says nothing more', async (t) => {
  for (const html of ['<p><svg>', '</head><p>', '</head x="">', 'text<p>', '<frameset>', '<']) {
    const told: string[] = [];
    const page = scanner({
      onHeadEnd() {
        told.push('head');
        page.stop();
      },
      onOpenTag: ({ name }) => told.push(name),
      onCloseTag: ({ name }) => told.push(name),
      onDoubt: (doubt) => told.push(doubt),
    });
    page.write(Buffer.from(html));
    page.write(Buffer.from('<i></i>'));
    page.end();
    t.same(told, ['head'], html);
    t.equal(page.pending, html.length + 7);
  }
});

t.test('a scanner that was stopped does not take the end of the page for news', async (t) => {
  const page = scanner({ onHeadEnd: () => t.fail('told') });
  page.write(Buffer.from('<title></title><'));
  page.stop();
  page.end();
});

t.test("a script's end is not judged by what comes after it", async (t) => {
  const sizes = [12, 100];
  const html = '<script></script><!--<script>xxxxxxxx';
  t.equal(scan(html, () => sizes.shift() ?? 1).doubt, undefined);
});

t.test('a tag to report may have 64 KiB, and so may the name of any tag', async (t) => {
  const limit = 65_536;
  for (const [what, before, after, tail] of [
    ['a tag', '<a ', '>', 0],
    ['an end tag', '</a ', '>', 0],
    ['a name', '<', '>', 1],
    ['the name of an end tag', '</', '>', 1],
  ] as const) {
    for (const length of [limit, limit + 1]) {
      const tag = before + 'a'.repeat(length - before.length - after.length + tail) + after;
      for (const size of [1, 1000, limit - 1, limit, tag.length + 1]) {
        let doubt: Doubt | undefined;
        const page = scanner(
          {
            onOpenTag() {},
            onCloseTag() {},
            onDoubt: (reason) => {
              doubt = reason;
            },
          },
          { tags: new Set(['a']) },
        );
        const bytes = Buffer.from(` ${tag}`);
        for (let from = 0; from < bytes.length; from += size)
          page.write(bytes.subarray(from, from + size));
        const expected = length > limit ? 'tag-too-long' : undefined;
        t.equal(doubt, expected, `${what} of ${length} bytes in pieces of ${size}`);
      }
    }
  }
});

t.test('a scanner that ended reads no more', async (t) => {
  const page = scanner({ onOpenTag: () => t.fail('told') });
  page.end();
  page.write(Buffer.from('<p>'));
  t.equal(page.pending, 3);
});

/** Pseudo-random numbers from 0 to below 1, the same ones for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const NAMES =
  'a annotation-xml b base body br caption col colgroup desc div font foreignObject form frame ' +
  'frameset g head html iframe image input li link math meta mi mtext noembed noframes noscript ' +
  'option p path plaintext SCRIPT select span style sVg table td template textarea title tr xmp';
const ATTRIBUTES = ` a="x>y"| a='</head>'| a=b/| a="&#39;q&quot;&x"| a A=1 a=2|=x="y"| a=x"&amp;'&lt| color=red|/| /`;
const SPLINTERS =
  `<!doctype html>| |\n|x|<!-- |-->|<!-->|<!--->|--!>|<!-|<!x|<?php |>|<|</|</ |</>|<3|/>|/|"|'|=| a=` +
  `| a="| b='| c=d|&amp;|&|<![CDATA[|]]>|\0|\r|\r\n|\t|\f|\x1c/script>|<\x0ftitle>|\xc9|<scr|ipt|script`;
const SCRIPTS =
  '<script>|<script>|</script>|<!--|-->|<script |</scr|<SCRIPT/|-|--|!|<|>|x|<!-->|--!>|<scripts>|' +
  '<title>|</title>|<noscript>|</noscript>|<style>|</style>';
const TABLES =
  '<template>|</template>|<table>|</table>|<tr>|<td>|</td>|<colgroup>|</colgroup>|<col>|<select>|' +
  '</select>|<option>|<style>|</style>|<script>|</script>|<title>|</title>|<svg>|</svg>|<caption>|' +
  '<input>|<textarea>|</textarea>|<noscript>|</noscript>|<div>|</div>|<body>|<p>|<a>|</a>|x';

/** A page made of tags, splinters of tags and text, half of them in no order at all. */
function soup(seed: number): string {
  const next = random(seed);
  const pick = (list: string, separator = '|') => {
    const items = list.split(separator);
    return items[Math.floor(next() * items.length)] ?? '';
  };
  const anything = () => {
    const kind = next();
    if (kind > 0.6) return pick(SPLINTERS);
    const attributes = next() < 0.8 ? '' : pick(ATTRIBUTES);
    const end = next() < 0.9 ? '>' : '';
    if (kind > 0.35) return `</${pick(NAMES, ' ')}${next() < 0.9 ? '' : attributes}${end}`;
    return `<${pick(NAMES, ' ')}${attributes}${end}`;
  };
  const kind = next();
  let html = '';
  for (let left = 1 + next() * 20; left > 0; left -= 1)
    html += kind < 0.2 ? pick(SCRIPTS) : kind < 0.4 ? pick(TABLES) : anything();
  return html;
}

const SOUPS = Array.from({ length: 3000 }, (_, seed) => soup(seed));

t.test('the scanner tells of any page what parse5 tells, or doubts', async (t) => {
  const doubts = new Map<Doubt | undefined, number>();
  const wrong: unknown[] = [];
  let heads = 0;
  for (const html of SOUPS) {
    const { tags, head, doubt } = scan(html);
    const browser = browse(html);
    doubts.set(doubt, (doubts.get(doubt) ?? 0) + 1);
    const expected = doubt === undefined ? browser.tags : browser.tags.slice(0, tags.length);
    if (tags.join('\n') !== expected.join('\n')) wrong.push({ html, tags, expected });
    if (head === undefined) {
      if (browser.head !== undefined && doubt === undefined) wrong.push({ html, head });
      continue;
    }
    heads += 1;
    // A tag that the page ends in is none, but its name is read before.
    const { head: expectedHead = head } = browser;
    // parse5 places text before a `</>` that it follows, and after its first character reference.
    const between = html.slice(Math.min(head, expectedHead), Math.max(head, expectedHead));
    if (!/^(?:(?:<\/>)*|&\w*;?)$/.test(between)) wrong.push({ html, head, expectedHead });
    if (!isInsertable(html, head)) wrong.push({ html, head, isInsertable: false });
  }
  t.same(wrong.slice(0, 5), []);
  t.ok(heads > SOUPS.length / 2, 'most heads end');
  t.ok((doubts.get(undefined) ?? 0) > SOUPS.length / 2, 'most pages raise no doubt');
  for (const doubt of [
    'cdata',
    'end-tag-attribute',
    'escaped-script',
    'foreign-content',
    'frameset',
    'select',
    'template-column',
  ] as const)
    t.ok((doubts.get(doubt) ?? 0) > 0, `some pages raise ${doubt}`);
});

t.test('it does not matter in which pieces a page comes', async (t) => {
  const wrong: unknown[] = [];
  for (const [seed, html] of SOUPS.entries()) {
    const next = random(seed);
    const longest = next() < 0.3 ? 1 : 1 + next() * 8;
    const whole = scan(html);
    const pieces = scan(html, () => Math.ceil(next() * longest) || 1);
    if (JSON.stringify(pieces) !== JSON.stringify({ ...whole, faults: [] }))
      wrong.push({ html, whole, pieces });
  }
  t.same(wrong.slice(0, 5), []);
});

t.test('the tokenizer has the private fields that are used', async (t) => {
  const fields = [
    'state',
    'sectionStart',
    'currentSequence',
    'isSpecial',
    'buffer',
    'offset',
    'index',
  ];
  for (const field of fields) t.ok(Object.hasOwn(tokenizer({}), field), field);
  for (const [text, unnamed, dangling, attributeName, isCdata] of [
    ['x<', 1, 1, undefined, false],
    ['x</', 1, 1, undefined, false],
    ['x<a', 1, undefined, undefined, false],
    ['x<scr', 1, undefined, undefined, false],
    ['x</a', 1, undefined, undefined, false],
    ['x<a ', undefined, undefined, undefined, false],
    ['x<a b', undefined, undefined, 4, false],
    ['x<a b=', undefined, undefined, undefined, false],
    ['x</a b', undefined, undefined, undefined, false],
    ['<!--x', undefined, undefined, undefined, false],
    ['<![CDATA[x', undefined, undefined, undefined, true],
    ['<script>x', undefined, undefined, undefined, false],
  ] as const) {
    const html = tokenizer({});
    html.write(text);
    t.equal(unnamedTag(html), unnamed, `unnamedTag after ${text}`);
    t.equal(danglingBracket(html), dangling, `danglingBracket after ${text}`);
    t.equal(unfinishedAttributeName(html), attributeName, `unfinishedAttributeName after ${text}`);
    t.equal(isInCdata(html), isCdata, `isInCdata after ${text}`);
  }
});

t.test("fastForwardTo does what the tokenizer's own does", async (t) => {
  const theirs: unknown = Reflect.get(Tokenizer.prototype, 'fastForwardTo');
  if (typeof theirs !== 'function') return t.fail('the tokenizer has none');
  let calls = 0;
  for (const text of ['a<b<', 'ab', '<', 'a', '>a<']) {
    const html = tokenizer({});
    const ours = html.fastForwardTo;
    t.not(ours, theirs);
    html.fastForwardTo = function (character) {
      calls += 1;
      const before = this.index;
      const expected = [theirs.call(this, character), this.index];
      this.index = before;
      t.same([ours.call(this, character), this.index], expected, text);
      return expected[0];
    };
    html.write('text');
    html.write(text);
  }
  t.ok(calls > 5, 'the tokenizer calls it');
});

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes on the heap that are really in use. */
function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

const MEGABYTE = 2 ** 20;

for (const [megabytes, what, before, filling, after, doubt] of [
  [64, 'an attribute that is not reported', '<div a="', 'x', '">', undefined],
  [64, 'a comment', '<!--', 'x', '-->', undefined],
  [64, 'a script', '<script>', 'x', '</script>', undefined],
  [64, 'an escaped script', '<script><!--', 'x', '--></script>', undefined],
  [64, 'a noscript', '<noscript>', '\0', '</noscript>', undefined],
  [64, 'CDATA', '<svg><![CDATA[', 'x', ']]></svg>', undefined],
  [64, 'a doctype', '<!doctype ', 'x', '>', undefined],
  [64, 'an end tag that is not reported', '</div ', 'x', '>', undefined],
  [64, 'text', '<p>', '\0', '', undefined],
  [64, "a tag's name", '<', 'x', '>', 'tag-too-long'],
  [64, "an end tag's name", '</', 'x', '>', 'tag-too-long'],
  [64, 'an end tag that is reported', '</a ', 'x', '>', 'tag-too-long'],
  [64, 'a value that is reported', '<a href="', 'x', '">', 'tag-too-long'],
  [64, "an attribute's name that is reported", '<a ', 'x', '>', 'tag-too-long'],
  [64, 'attributes that are reported', '<a ', 'b ', '>', 'tag-too-long'],
  [64, 'attributes like tags', '', '<a ', '>', 'tag-too-long'],
  [64, 'svg in svg', '', '<svg>', '', 'foreign-content'],
  [1, "an attribute's name that is not reported", '<div ', 'x', '>', undefined],
  [1, 'attributes that are not reported', '<div', ' a=b', '>', undefined],
  [1, 'almost a comment', '<!--', '--!', '-->', undefined],
  [1, 'almost the end of a script', '<script><!--', '</scrip<script', '--></script>', undefined],
  [1, 'almost the end of a title', '<title>', '</titl', '</title>', undefined],
  [1, 'brackets', '<p>', '<', '', undefined],
  [1, 'end tags without a name', '', '</>', '', undefined],
  [1, 'end tags that close nothing', '', '</x>', '', undefined],
  [1, 'tags that nothing closes', '', '<b>', '', undefined],
  [1, 'templates', '', '<template>', '', undefined],
  [1, 'scripts', '', '<script></script>', '', undefined],
] as const) {
  t.test(`${megabytes} MB of ${what} cost little memory and time`, async (t) => {
    const fillings = Math.floor((megabytes * MEGABYTE) / 16 / filling.length);
    const chunk = Buffer.alloc(fillings * filling.length, filling);
    const told: string[] = [];
    const begun = performance.now();
    const heap = heapInUse();
    const page = scanner(
      { onOpenTag: ({ name }) => told.push(name), onDoubt: (reason) => told.push(reason) },
      { tags: new Set(['a', 'base']) },
    );
    page.write(Buffer.from(before));
    let written = before.length;
    for (let left = 16; left > 0; left -= 1) {
      page.write(chunk);
      written += chunk.length;
      if (written - page.pending > 65_536) return t.fail('too much is pending');
    }
    t.ok(heapInUse() - heap < MEGABYTE, 'holds less than 1 MB');
    page.write(Buffer.from(`${after}<base>`));
    t.same(told, [doubt ?? 'base'], 'reads on behind it, or doubts');
    t.ok(performance.now() - begun < 30_000, 'takes less than 30 s');
  });
}

t.test('a page in one buffer is not made one string', async (t) => {
  const page = Buffer.concat([Buffer.alloc(64 * MEGABYTE, 'x'), Buffer.from('<p>')]);
  const heap = heapInUse();
  let held = Number.POSITIVE_INFINITY;
  const onOpenTag = () => {
    held = heapInUse() - heap;
  };
  scanner({ onOpenTag }).write(page);
  t.ok(held < MEGABYTE, `holds ${held} bytes`);
});
