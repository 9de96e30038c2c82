/** The words of the contract: headers, bodies, errors, the chain, and who is asking. */
import { Readable } from 'node:stream';
import {
  compose,
  discard,
  EMPTY,
  field,
  fields,
  HeadgateError,
  type Middleware,
  type Quantity,
  readBody,
  SIZE,
  STATUS_OF,
  TIME,
  toEndToEnd,
  toHeaders,
  withBody,
  withFields,
} from '@headgate/core';
import { aRequest, aResponse, upstream } from '@headgate/core/testing';
import t from 'tap';
import { forwardedFields, originationBy, plainAddress } from '../src/forwarded.ts';

t.test('headers: names in lower case, repeated fields as lists, Cookie as one', async (t) => {
  const headers = toHeaders([
    'A',
    '1',
    'a',
    '2',
    'COOKIE',
    'x=1',
    'Cookie',
    'y=2',
    'b',
    '3',
    'A',
    '4',
  ]);
  t.same({ ...headers }, { a: ['1', '2', '4'], cookie: 'x=1; y=2', b: '3' });
  t.equal(field(headers, 'a'), '1, 2, 4');
  t.same(fields(headers, 'a'), ['1', '2', '4']);
  t.same(fields(headers, 'b'), ['3']);
  t.same(fields(headers, 'c'), []);
  t.equal(field(headers, 'c'), undefined);
});

t.test('headers: a field named like something of Object is just a field, or absent', async (t) => {
  const headers = toHeaders(['__proto__', 'x', 'constructor', 'y']);
  t.equal(field(headers, '__proto__'), 'x');
  t.equal(field(headers, 'constructor'), 'y');
  t.equal(field(toHeaders([]), 'constructor'), undefined);
  t.equal(field({ a: '1' }, 'toString'), undefined, 'in a plain object too');
  t.equal(Object.getPrototypeOf(withFields(headers, {})), null);
});

t.test('headers: a copy is a copy', async (t) => {
  const before = toHeaders(['a', '1', 'b', '2']);
  const after = withFields(before, { a: undefined, b: ['3', '4'], c: '5' });
  t.same({ ...before }, { a: '1', b: '2' });
  t.same({ ...after }, { b: ['3', '4'], c: '5' });
});

t.test('headers: what Connection names goes, unless somebody behind decides by it', async (t) => {
  const raw = [
    'Connection',
    'close, X-A , Cookie',
    'connection',
    'vary',
    'X-A',
    '1',
    'X-B',
    '2',
    'Cookie',
    'c',
    'Vary',
    'v',
  ];
  t.same({ ...toEndToEnd(raw) }, { 'x-b': '2', cookie: 'c', vary: 'v' });
  t.same({ ...toEndToEnd(['A', '1', 'B', '2'], (name) => name === 'b') }, { a: '1' });
});

t.test('a chain is an onion, the first layer outermost, and a layer may ask twice', async (t) => {
  const layer =
    (name: string): Middleware =>
    async (request, next) => {
      const response = await next({ ...request, url: `${request.url}${name}` });
      return {
        ...response,
        headers: withFields(response.headers, {
          via: `${field(response.headers, 'via') ?? ''}${name}`,
        }),
      };
    };
  const origin = upstream({ status: 201 });
  const again: Middleware = async (request, next) => {
    discard((await next(request)).body);
    return next(request);
  };
  const response = await compose([layer('a'), again, layer('b')], origin)(aRequest());
  t.same(
    origin.asked.map(({ url }) => url),
    ['/ab', '/ab'],
  );
  t.equal(response.status, 201);
  t.equal(field(response.headers, 'via'), 'ba');
});

t.test('bodies: read to the end, or not at all', async (t) => {
  t.equal(String(await readBody(Buffer.from('abc'), 3)), 'abc');
  t.equal(String(await readBody(Readable.from([Buffer.from('ab'), Buffer.from('c')]), 3)), 'abc');
  const long = Readable.from([Buffer.from('ab'), Buffer.from('cd')]);
  await t.rejects(readBody(long, 3), { code: 'BODY_TOO_LARGE', status: 413 });
  t.equal(long.destroyed, true, 'and what is too long is given up');
  const broken = new Readable({ read: () => {} });
  const reading = readBody(broken, 10);
  broken.destroy(new Error('gone'));
  await t.rejects(reading, { message: 'gone' });
});

t.test('bodies: a discarded one that fails harms nobody', async (t) => {
  const body = new Readable({ read: () => {} });
  discard(body);
  body.destroy(new Error('late'));
  await new Promise((done) => setImmediate(done));
  t.equal(body.destroyed, true);
  discard(EMPTY);
});

t.test('bodies: a new body drops what described the old one', async (t) => {
  const described = aResponse({
    headers: {
      'content-length': '3',
      etag: '"x"',
      digest: 'd',
      'repr-digest': 'd',
      'content-digest': 'd',
      'content-md5': 'd',
      'accept-ranges': 'bytes',
      'content-type': 'text/html',
    },
  });
  const changed = withBody(described, Buffer.from('new'));
  t.same({ ...changed.headers }, { etag: 'W/"x"', 'content-type': 'text/html' });
  t.equal(String(changed.body), 'new');
  t.equal(field(withBody(changed, EMPTY).headers, 'etag'), 'W/"x"', 'weak once');
});

t.test('quantities: times and sizes with their units, or as numbers', async (t) => {
  const rows: [quantity: Quantity, written: string, meant: number][] = [
    [TIME, '500ms', 500],
    [TIME, '1.5s', 1_500],
    [TIME, '5 m', 300_000],
    [TIME, '24h', 86_400_000],
    [TIME, '1d', 86_400_000],
    [SIZE, '256B', 256],
    [SIZE, '64kB', 64_000],
    [SIZE, '64KiB', 65_536],
    [SIZE, '0.5MiB', 524_288],
    [SIZE, '1GB', 1_000_000_000],
  ];
  for (const [{ pattern, parse }, written, meant] of rows) {
    t.match(written, pattern);
    t.equal(parse(written), meant, written);
    t.equal(parse(meant), meant);
  }
  for (const written of ['', '5', '-5m', '5 minutes', '1h30m', '5KiB', ' 5m'])
    t.notMatch(written, TIME.pattern);
  for (const written of ['1MB/s', '1kb', '5m']) t.notMatch(written, SIZE.pattern);
});

t.test('errors: the status follows from the code', async (t) => {
  const cause = new Error('x');
  const error = new HeadgateError('UPSTREAM_TIMEOUT', 'too slow', cause);
  t.match(error, { code: 'UPSTREAM_TIMEOUT', status: 504, message: 'too slow', cause });
  t.equal(STATUS_OF.CLIENT_GONE, 499);
});

t.test(
  'origination: nobody is believed unless trusted, and then the right-most untrusted address counts',
  async (t) => {
    const rows: [
      why: string,
      trusted: string[],
      peer: string,
      raw: string[],
      client: string,
      scheme: string,
    ][] = [
      [
        'nobody trusted',
        [],
        '192.0.2.9',
        ['X-Forwarded-For', '6.6.6.6', 'X-Forwarded-Proto', 'https'],
        '192.0.2.9',
        'http',
      ],
      [
        'another one trusted',
        ['10.0.0.1'],
        '192.0.2.9',
        ['X-Forwarded-For', '6.6.6.6'],
        '192.0.2.9',
        'http',
      ],
      [
        'trusted',
        ['loopback'],
        '127.0.0.1',
        ['X-Forwarded-For', '6.6.6.6', 'X-Forwarded-Proto', 'https'],
        '6.6.6.6',
        'https',
      ],
      [
        'trusted, over a dual-stack socket',
        ['loopback'],
        '::ffff:127.0.0.1',
        ['X-Forwarded-For', '6.6.6.6'],
        '6.6.6.6',
        'http',
      ],
      ['trusted, IPv6', ['::1'], '::1', ['X-Forwarded-For', '2001:db8::1'], '2001:db8::1', 'http'],
      [
        'a spoofed one in front',
        ['loopback'],
        '127.0.0.1',
        ['X-Forwarded-For', '6.6.6.6, 198.51.100.7'],
        '198.51.100.7',
        'http',
      ],
      [
        'a chain of trusted proxies',
        ['loopback', 'private'],
        '127.0.0.1',
        ['X-Forwarded-For', '6.6.6.6, 198.51.100.7, 10.1.2.3'],
        '198.51.100.7',
        'http',
      ],
      [
        'two lines',
        ['loopback', 'private'],
        '127.0.0.1',
        ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-For', '10.1.2.3'],
        '198.51.100.7',
        'http',
      ],
      [
        'all trusted',
        ['private', 'loopback'],
        '127.0.0.1',
        ['X-Forwarded-For', '10.0.0.1, 10.0.0.2'],
        '10.0.0.1',
        'http',
      ],
      ['rubbish', ['loopback'], '127.0.0.1', ['X-Forwarded-For', '<script>'], '127.0.0.1', 'http'],
      [
        'rubbish behind an address',
        ['loopback', 'private'],
        '127.0.0.1',
        ['X-Forwarded-For', 'unknown, 10.0.0.1'],
        '10.0.0.1',
        'http',
      ],
      [
        'with ports',
        ['loopback'],
        '127.0.0.1',
        ['X-Forwarded-For', '198.51.100.7:4711'],
        '198.51.100.7',
        'http',
      ],
      [
        'IPv6 with a port',
        ['loopback'],
        '127.0.0.1',
        ['X-Forwarded-For', '[2001:db8::1]:4711'],
        '2001:db8::1',
        'http',
      ],
      [
        'Forwarded',
        ['loopback'],
        '127.0.0.1',
        ['Forwarded', 'for=6.6.6.6, For="[2001:db8::1]:80";proto=https'],
        '2001:db8::1',
        'https',
      ],
      [
        'Forwarded with a comma in quotes',
        ['loopback'],
        '127.0.0.1',
        ['Forwarded', 'for=198.51.100.7;by="a,b";proto=https'],
        '198.51.100.7',
        'https',
      ],
      [
        'X-Forwarded-For before Forwarded',
        ['loopback'],
        '127.0.0.1',
        ['Forwarded', 'for=6.6.6.6', 'X-Forwarded-For', '198.51.100.7'],
        '198.51.100.7',
        'http',
      ],
      [
        'the nearest scheme',
        ['loopback'],
        '127.0.0.1',
        ['X-Forwarded-For', '198.51.100.7', 'X-Forwarded-Proto', 'https, http'],
        '198.51.100.7',
        'http',
      ],
      [
        'a scheme named like something of Object',
        ['loopback'],
        '127.0.0.1',
        ['X-Forwarded-Proto', 'constructor'],
        '127.0.0.1',
        'http',
      ],
      ['wss', ['loopback'], '127.0.0.1', ['X-Forwarded-Proto', 'wss'], '127.0.0.1', 'https'],
      [
        'the end of a Forwarded that is too long to be read whole',
        ['loopback', 'private'],
        '127.0.0.1',
        [
          'Forwarded',
          `for=6.6.6.6, ${'for=10.0.0.1, '.repeat(2_000)}for=198.51.100.7, for=10.0.0.2`,
        ],
        '198.51.100.7',
        'http',
      ],
      [
        'what stands further in front of it',
        ['loopback', 'private'],
        '127.0.0.1',
        ['Forwarded', `for=6.6.6.6, ${'for=10.0.0.1, '.repeat(2_000)}for=10.0.0.2`],
        '10.0.0.1',
        'http',
      ],
      [
        'a scheme that is none',
        ['loopback'],
        '127.0.0.1',
        ['X-Forwarded-Proto', 'javascript'],
        '127.0.0.1',
        'http',
      ],
      [
        'a CIDR',
        ['10.0.0.0/8'],
        '10.200.1.1',
        ['X-Forwarded-For', '198.51.100.7'],
        '198.51.100.7',
        'http',
      ],
      [
        'outside the CIDR',
        ['10.0.0.0/9'],
        '10.200.1.1',
        ['X-Forwarded-For', '198.51.100.7'],
        '10.200.1.1',
        'http',
      ],
    ];
    for (const [why, trusted, peer, raw, client, scheme] of rows)
      t.same(
        originationBy(trusted)(peer, false, () => toHeaders(raw)),
        { client, scheme },
        why,
      );
    t.equal(originationBy()('192.0.2.1', true, () => toHeaders([])).scheme, 'https');
    for (const wrong of ['10.0.0.0/33', 'localhost', '10.0.0.1/8/8', '', '10.0.0.0/x', '::/129'])
      t.throws(
        () => originationBy([wrong]),
        { name: 'TypeError', message: /trusted must list .* got "/ },
        wrong,
      );
  },
);

t.test('origination: who is trusted is a list of addresses', async (t) => {
  for (const [trusted, message] of [
    ['loopback', /^trusted must be a list, such as \['loopback'\], got "loopback"$/],
    [['nobody'], /^trusted .*nobody/],
  ] as const)
    t.throws(() => originationBy(trusted as unknown as string[]), { name: 'TypeError', message });
});

t.test('forwarding: what is said of a client, and of nobody', async (t) => {
  t.same(forwardedFields(aRequest({ client: '2001:db8::1' })), {
    'x-forwarded-for': '2001:db8::1',
    'x-real-ip': '2001:db8::1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'site.example',
    forwarded: 'for="[2001:db8::1]";host="site.example";proto=https',
  });
  t.same(forwardedFields(aRequest({ client: '' })), {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'site.example',
  });
  t.equal(plainAddress('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(plainAddress('::1'), '::1');
});
