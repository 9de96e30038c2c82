/** What becomes of a policy: every rule in a table, and for any policy what must always hold. */
import t from 'tap';
import { type Edits, edit } from '../src/edit.ts';
import { LOADING, type Loading, parse, policyDoubt, serialise } from '../src/policy.ts';
import { evaluator, KINDS, type Kind } from './evaluator.ts';

const CDN = 'https://cdn.example';
const SELF = { scheme: 'https', host: 'site.example' } as const;

const NOTHING: Edits = { allow: new Map(), remove: [], replace: [] };

/** Edits that let each directive allow the same source. */
const allowing = (names: readonly Loading[], source = CDN): Edits => ({
  ...NOTHING,
  allow: new Map(names.map((name) => [name, [source]])),
});
const edited = (policy: string, edits: Edits) => serialise(edit(parse(policy), edits, SELF).policy);

type Row = readonly [why: string, before: string, after: string];

t.test('a directive gets the host, and everything else stays byte for byte', async (t) => {
  const rows: Row[] = [
    ['a list', "img-src 'self'", `img-src 'self' ${CDN}`],
    [
      'nothing but the directive in question',
      'img-src a.example; media-src a.example',
      `img-src a.example ${CDN}; media-src a.example`,
    ],
    ["'none' gives way", "img-src 'none'", `img-src ${CDN}`],
    ["'NONE' too", "img-src 'NONE'", `img-src ${CDN}`],
    [
      "and a 'none' that counts for nothing beside others",
      "img-src 'none' data:",
      `img-src data: ${CDN}`,
    ],
    ['an empty list allows nothing', 'img-src', `img-src ${CDN}`],
    ['an empty list before a semicolon', 'img-src;', `img-src ${CDN};`],
    ['upper case', 'IMG-SRC data:', `IMG-SRC data: ${CDN}`],
    ['tabs and line ends', '\timg-src\t\ndata:\r\n', `\timg-src data: ${CDN}`],
    [
      'the first of two counts',
      'img-src a.example; img-src b.example',
      `img-src a.example ${CDN}; img-src b.example`,
    ],
    [
      'and its name may be in another case',
      'Img-Src a.example; img-src b.example',
      `Img-Src a.example ${CDN}; img-src b.example`,
    ],
    [
      'a semicolon at the end stays there',
      "default-src 'self';",
      `default-src 'self'; img-src 'self' ${CDN};`,
    ],
    [
      'with a space after it too',
      "default-src 'self'; ",
      `default-src 'self'; img-src 'self' ${CDN}; `,
    ],
    ['empty places stay', ";; img-src 'self' ;;", `;; img-src 'self' ${CDN};;`],
    [
      'what nobody knows, nonces and hashes stay',
      "x-new  Y ;script-src 'nonce-AbC=' 'sha256-aB+/='; img-src  'nonce-AbC=' ; sandbox  allow-scripts;report-to x",
      `x-new  Y ;script-src 'nonce-AbC=' 'sha256-aB+/='; img-src 'nonce-AbC=' ${CDN}; sandbox  allow-scripts;report-to x`,
    ],
    [
      'where nothing says anything about images, nothing restricts them',
      "script-src 'self'; form-action 'self'",
      "script-src 'self'; form-action 'self'",
    ],
    ['an empty policy', '', ''],
    ['a name that is only like it', 'img-srcx a.example', 'img-srcx a.example'],
  ];
  for (const [why, before, after] of rows)
    t.equal(edited(before, allowing(['img-src'])), after, why);
});

t.test('a missing directive takes over what stands in for it', async (t) => {
  const rows: (readonly [asked: Loading, before: string, after: string])[] = [];
  for (const name of [
    'img-src',
    'media-src',
    'font-src',
    'connect-src',
    'style-src',
    'manifest-src',
    'object-src',
    'script-src',
    'child-src',
    'frame-src',
    'worker-src',
    'script-src-elem',
    'style-src-elem',
  ] as const)
    rows.push(
      [
        name,
        "default-src 'self' x:; base-uri y",
        `default-src 'self' x:; base-uri y; ${name} 'self' x: ${CDN}`,
      ],
      [
        name,
        "default-src 'none'; prefetch-src y; font-src-x",
        `default-src 'none'; prefetch-src y; font-src-x; ${name} ${CDN}`,
      ],
    );
  rows.push(
    [
      'script-src-elem',
      "default-src d:; script-src s: 'nonce-x'",
      `default-src d:; script-src s: 'nonce-x'; script-src-elem s: 'nonce-x' ${CDN}`,
    ],
    [
      'style-src-elem',
      'default-src d:; style-src s:',
      `default-src d:; style-src s:; style-src-elem s: ${CDN}`,
    ],
    [
      'worker-src',
      'default-src d:; script-src s:; child-src c:',
      `default-src d:; script-src s:; child-src c:; worker-src c: ${CDN}`,
    ],
    [
      'worker-src',
      'default-src d:; script-src s:',
      `default-src d:; script-src s:; worker-src s: ${CDN}`,
    ],
    [
      'frame-src',
      'default-src d:; child-src c:',
      `default-src d:; child-src c:; frame-src c: ${CDN}`,
    ],
    ['frame-src', 'script-src s:', 'script-src s:'],
    // A child-src of its own would take workers away from script-src.
    [
      'child-src',
      'default-src d:; script-src s:',
      `default-src d:; script-src s:; worker-src s:; child-src d: ${CDN}`,
    ],
    [
      'child-src',
      'default-src d:; script-src',
      `default-src d:; script-src; worker-src 'none'; child-src d: ${CDN}`,
    ],
    [
      'child-src',
      'default-src d:; script-src s:; worker-src w:',
      `default-src d:; script-src s:; worker-src w:; child-src d: ${CDN}`,
    ],
    // Elements don't go by script-src where they have a directive of their own.
    [
      'script-src',
      'script-src s:; script-src-elem e:',
      `script-src s: ${CDN}; script-src-elem e: ${CDN}`,
    ],
    [
      'script-src',
      'default-src d:; script-src-elem e:',
      `default-src d:; script-src-elem e: ${CDN}; script-src d: ${CDN}`,
    ],
    [
      'style-src',
      'style-src s:; style-src-elem e:; script-src-elem e:',
      `style-src s: ${CDN}; style-src-elem e: ${CDN}; script-src-elem e:`,
    ],
  );
  for (const [asked, before, after] of rows)
    t.equal(edited(before, allowing([asked])), after, `${asked}: ${before}`);
});

t.test('what is allowed already is not added', async (t) => {
  const is = [
    '*',
    'https:',
    'HTTPS:',
    'http:',
    'cdn.example',
    'CDN.example',
    CDN,
    `${CDN}/`,
    `${CDN}:443`,
    'cdn.example:443',
    'cdn.example:*',
    '*.example',
    'https://*.example',
    'https://*',
    'http://*:*',
    '*:443',
    'http://cdn.example',
  ];
  const isNot = [
    'data:',
    'wss:',
    "'self'",
    'example',
    '*.cdn.example',
    'xcdn.example',
    `${CDN}/media/`,
    `${CDN}/x`,
    'cdn.example:8443',
    '*:8443',
    'wss://cdn.example',
    'http://cdn.example:80',
    "'nonce-https:'",
    'https',
    'xhttps:',
  ];
  for (const source of is)
    t.equal(edited(`img-src ${source}`, allowing(['img-src'])), `img-src ${source}`, source);
  for (const source of isNot)
    t.equal(edited(`img-src ${source}`, allowing(['img-src'])), `img-src ${source} ${CDN}`, source);

  const others: (readonly [asked: string, given: string, isAllowed: boolean])[] = [
    [`${CDN}:8443`, 'cdn.example:8443', true],
    [`${CDN}:8443`, 'cdn.example:*', true],
    [`${CDN}:8443`, CDN, false],
    [`${CDN}/a/b/`, `${CDN}/a/`, true],
    [`${CDN}/a/`, `${CDN}/a`, false],
    [`${CDN}/a/`, `${CDN}/A/`, false],
    [`${CDN}/a/`, CDN, true],
    ['http://cdn.example', CDN, false],
    ['http://cdn.example', 'cdn.example', false],
    ['wss://cdn.example', 'ws:', true],
    ['wss://cdn.example', '*', true],
    ['http://cdn.example', '*', true],
    ['wss://cdn.example', 'https:', false],
  ];
  for (const [asked, given, isAllowed] of others)
    t.equal(
      edited(`img-src ${given}`, allowing(['img-src'], asked)),
      isAllowed ? `img-src ${given}` : `img-src ${given} ${asked}`,
      `${asked} by ${given}`,
    );
});

t.test("'self' is the page's own origin, or its secure form on the usual ports", async (t) => {
  const rows: (readonly [self: string, source: string, isSelf: boolean])[] = [
    ['https://site.example', 'https://site.example', true],
    ['https://SITE.example:443', 'https://site.example', true],
    ['http://site.example', 'https://site.example', true],
    ['http://site.example:80', 'https://site.example:443', true],
    ['https://site.example', 'http://site.example', false],
    ['https://site.example', 'https://site.example:8443', false],
    ['http://site.example:8080', 'https://site.example', false],
    ['http://site.example', 'https://site.example:8443', false],
    ['http://site.example:8080', 'http://site.example:8080', true],
    ['https://other.example', 'https://site.example', false],
    ['https://', 'https://site.example', false],
  ];
  for (const [origin, source, isSelf] of rows) {
    const [scheme, host] = origin.split('://') as ['http' | 'https', string];
    const after = serialise(
      edit(parse("img-src 'SELF'"), allowing(['img-src'], source), { scheme, host }).policy,
    );
    t.equal(
      after,
      isSelf ? "img-src 'SELF'" : `img-src 'SELF' ${source}`,
      `${source} at ${origin}`,
    );
  }
});

t.test("'strict-dynamic' makes hosts mean nothing, which is told", async (t) => {
  const rows: (readonly [asked: Loading, before: string, after?: string])[] = [
    ['script-src', "script-src 'nonce-x' 'STRICT-dynamic'"],
    ['script-src-elem', "script-src 'strict-dynamic'"],
    ['script-src', "default-src 'strict-dynamic'"],
    ['worker-src', "script-src 'strict-dynamic'"],
    ['child-src', "default-src d:; script-src 'strict-dynamic'"],
  ];
  for (const [asked, policy] of rows) {
    const { policy: after, isDynamic } = edit(parse(policy), allowing([asked]), SELF);
    t.equal(serialise(after), policy, `${asked}: ${policy}`);
    t.ok(isDynamic, `${asked}: ${policy}`);
  }
  const means: typeof rows = [
    [
      'img-src',
      "default-src 'strict-dynamic'",
      `default-src 'strict-dynamic'; img-src 'strict-dynamic' ${CDN}`,
    ],
    ['worker-src', "worker-src 'strict-dynamic'", `worker-src 'strict-dynamic' ${CDN}`],
    [
      'worker-src',
      "child-src c:; script-src 'strict-dynamic'",
      `child-src c:; script-src 'strict-dynamic'; worker-src c: ${CDN}`,
    ],
  ];
  for (const [asked, policy, after = ''] of means) {
    const result = edit(parse(policy), allowing([asked]), SELF);
    t.equal(serialise(result.policy), after, `${asked}: ${policy}`);
    t.notOk(result.isDynamic);
  }
});

t.test('a lock stays a lock', async (t) => {
  const edits = { ...allowing(LOADING), remove: ['https://a.example'] };
  const locks = [
    "default-src 'none'",
    "default-src 'none'; form-action 'none'",
    "sandbox; Default-Src 'NONE' ; frame-ancestors 'none';",
    'default-src',
    "default-src 'none'; default-src *",
  ];
  for (const lock of locks) t.equal(edited(lock, edits), lock);
  for (const list of [
    "default-src 'none'; img-src 'self'",
    "default-src 'none' x:",
    "img-src 'none'",
    "default-src *; default-src 'none'",
  ])
    t.not(edited(list, allowing(['img-src', 'media-src'])), `${list} is none`);
});

t.test('hosts are removed, and replaced by others', async (t) => {
  const remove: Edits = { ...NOTHING, remove: ['https://old.example'] };
  const replace: Edits = { ...NOTHING, replace: [['https://old.example', 'https://new.example']] };
  const rows: (readonly [before: string, removed: string, replaced: string])[] = [
    [
      "img-src  'self'  https://old.example",
      "img-src 'self'",
      "img-src 'self' https://new.example",
    ],
    ['img-src OLD.example', "img-src 'none'", 'img-src https://new.example'],
    ['img-src https://old.example/a/ x:', 'img-src x:', 'img-src https://new.example/a/ x:'],
    ['img-src http://old.example', "img-src 'none'", 'img-src https://new.example'],
    ['img-src old.example:443 old.example:*', "img-src 'none'", 'img-src https://new.example'],
    [
      'img-src old.example https://new.example x:',
      'img-src https://new.example x:',
      'img-src https://new.example x:',
    ],
    [
      'default-src old.example; worker-src old.example',
      "default-src 'none'; worker-src 'none'",
      'default-src https://new.example; worker-src https://new.example',
    ],
  ];
  for (const [before, removed, replaced] of rows) {
    t.equal(edited(before, remove), removed, before);
    t.equal(edited(before, replace), replaced, before);
  }
  for (const other of [
    'img-src  wss://old.example',
    'img-src  *.example',
    'img-src  x.old.example',
    'img-src  old.example:8443',
    'form-action  old.example',
    'report-uri  https://old.example',
    'img-src;  img-src old.example',
  ]) {
    t.equal(edited(other, remove), other);
    t.equal(edited(other, replace), other);
  }
  const both: Edits = { ...allowing(['img-src', 'media-src']), remove: ['https://old.example'] };
  t.equal(
    edited("default-src 'self' old.example", both),
    `default-src 'self'; img-src 'self' ${CDN}; media-src 'self' ${CDN}`,
    'what is removed does not come back by fallback',
  );
});

t.test('policies that browsers could read in two ways are in doubt', async (t) => {
  t.equal(policyDoubt("img-src 'self'\t\r\n; x"), undefined);
  for (const text of ['img-src \u00e9', 'img-src \x00', 'img-src \x7f', 'img-src \x0b'])
    t.equal(policyDoubt(text), 'characters', JSON.stringify(text));
  t.equal(policyDoubt('x'.repeat(16 * 1024)), undefined);
  t.equal(policyDoubt('x'.repeat(16 * 1024 + 1)), 'too-long');
});

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
function randomness(seed: number) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SOURCES =
  "* https: http: HTTPS: wss: data: blob: 'self' 'SELF' 'none' 'nonce-x' 'sha256-x' 'unsafe-inline' 'strict-dynamic' 'report-sample' a.example https://a.example http://a.example *.a.example a.example:8443 a.example:* https://a.example/m/ https://a.example/m cdn.example http://cdn.example https://cdn.example/m/ https://cdn.example:8443 https://*.example *.cdn.example https://site.example".split(
    ' ',
  );
const NAMES = [
  ...LOADING,
  'default-src',
  'Default-Src',
  'default-src',
  'IMG-SRC',
  'script-src',
  'form-action',
  'x-src',
  'sandbox',
  'upgrade-insecure-requests',
  '',
];
const NEW = [
  CDN,
  CDN,
  `${CDN}:8443`,
  `${CDN}/m/`,
  'wss://cdn.example',
  'http://cdn.example',
  'https://site.example',
];
const URLS = ['http', 'https', 'wss'].flatMap((scheme) =>
  ['site.example', 'cdn.example', 'x.cdn.example', 'a.example', 'b.a.example', 'evil.test'].flatMap(
    (host) => ['/m/x', '/m', ':8443/m/x'].map((rest) => new URL(`${scheme}://${host}${rest}`)),
  ),
);

t.test('whatever the policy, nobody loses, the host gains, and nobody else does', async (t) => {
  const random = randomness(20_240_611);
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const some = <T>(from: readonly T[], most: number) =>
    Array.from({ length: Math.floor(random() * (most + 1)) }, () => pick(from));
  const wrong: string[] = [];
  let gained = 0;

  for (let round = 0; round < 600 && wrong.length === 0; round++) {
    const before = some(NAMES, 7)
      .map((name) => [name, ...some(SOURCES, 4)].join(pick([' ', '  ', '\t'])))
      .join(pick([';', '; ', ' ;']));
    const asked = new Set<string>(some(LOADING, 4));
    const source = pick(NEW);
    const self = {
      scheme: pick(['http', 'https'] as const),
      host: pick(['site.example', 'site.example:8443']),
    };
    const result = edit(parse(before), allowing([...asked] as Loading[], source), self);
    const after = serialise(result.policy);
    const say = (what: string) =>
      wrong.push(
        `${what}\n  ${before}\n  ${after}\n  for ${[...asked]} ${source} at ${self.scheme}://${self.host}`,
      );

    const again = edit(parse(after), allowing([...asked] as Loading[], source), self);
    if (serialise(again.policy) !== after) say('it is not the same when edited again');
    const kept = (text: string) =>
      parse(text)
        .filter(({ name }) => !result.changed.includes(name))
        .map(({ text }) => text.trim());
    if (kept(before).join('\n') !== kept(after).join('\n')) say('another directive changed');

    const counting = parse(before).filter(
      ({ name }, index, all) =>
        /-src/.test(name) &&
        name !== 'x-src' &&
        all.findIndex((other) => other.name === name) === index,
    );
    const isLocked =
      counting.length === 1 &&
      counting.every(
        ({ name, value }) => name === 'default-src' && /^('none',?)*$/.test(`${value}`),
      );
    if (isLocked && before !== after) say('it was a lock');

    const [was, is] = [evaluator(before, self), evaluator(after, self)];
    const isNew = evaluator(`img-src ${source}`, self);
    for (const kind of KINDS)
      for (const url of URLS)
        for (const isByParser of kind === 'img-src' ? [false] : [true, false]) {
          const [old, now] = [was(kind, url, isByParser), is(kind, url, isByParser)];
          const isOfNew = isNew('img-src', url, false);
          const gains = !old && now;
          if (old && !now) say(`${kind} lost ${url}`);
          if (gains && !isOfNew) say(`${kind} gained ${url}`);
          if (gains && !reaches(kind, asked)) say(`${kind} gained ${url} unasked`);
          const isWanted = asked.has(kind) && isOfNew && !isLocked && !result.isDynamic;
          if (isWanted && !now) say(`${kind} did not gain ${url}`);
          gained += Number(gains);
        }
  }
  t.same(wrong, []);
  t.ok(gained > 1_000, `there was something to see: ${gained}`);
});

/** Whether a kind may gain by what was asked: for itself, or for what stands in for it. */
function reaches(kind: Kind, asked: ReadonlySet<string>): boolean {
  const standIns: Readonly<Record<string, readonly string[]>> = {
    'frame-src': ['child-src'],
    'worker-src': ['child-src', 'script-src'],
    'script-src-elem': ['script-src'],
    'style-src-elem': ['style-src'],
  };
  return [kind, ...(standIns[kind] ?? [])].some((name) => asked.has(name));
}
