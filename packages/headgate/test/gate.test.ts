/** A configuration at work, through real sockets: hosts, routes, limits, who is believed, reloads. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Finished } from '@headgate/core';
import { type GateParts, gate, toConfig, type WrittenConfig } from 'headgate';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { listen, rawOrigin, talk, until } from '../../core/test/wire.ts';
import { hostTable } from '../src/hosts.ts';
import { redirectTo, routeTable } from '../src/routes.ts';

/** A gate that listens, and what it says. */
async function open(t: Test, written: WrittenConfig, parts: GateParts = {}) {
  const reports: Finished[] = [];
  const warned: string[] = [];
  const opened = await gate(await toConfig(written), {
    finished: (exchange) => reports.push(exchange),
    warn: (message) => warned.push(message),
    ...parts,
  });
  t.teardown(() => opened.close());
  const port = await listen(t, opened.server());
  const reload = async (next: WrittenConfig) => opened.reload(await toConfig(next));
  return { port, reports, warned, reload, opened };
}

const get = (host: string, path = '/', fields = '') =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`;

/** An origin that answers with its name, what it was asked, and the fields that it got. */
async function named(t: Test, name: string) {
  return rawOrigin(t, (socket, { head, body }) => {
    const text = `${name} ${head.split(' ')[1]} ${body.length}`;
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  });
}

t.test('the most exact name has the site', async (t) => {
  const find = hostTable([
    { name: 'every', hosts: [] },
    { name: 'wild', hosts: ['*.example.org'] },
    { name: 'deeper', hosts: ['*.b.example.org'] },
    { name: 'exact', hosts: ['Example.org', 'a.b.example.org', '[::1]'] },
  ]);
  const rows: [host: string | undefined, site: string][] = [
    ['example.org', 'exact'],
    ['EXAMPLE.ORG', 'exact'],
    ['example.org:8080', 'exact'],
    ['example.org.', 'exact'],
    ['[::1]:80', 'exact'],
    ['a.b.example.org', 'exact'],
    ['c.b.example.org', 'deeper'],
    ['b.example.org', 'wild'],
    ['x.y.example.org', 'wild'],
    ['notexample.org', 'every'],
    ['example.org.evil.example', 'every'],
    ['.example.org', 'every'],
    [undefined, 'every'],
  ];
  for (const [host, site] of rows) t.equal(find(host)?.name, site, String(host));
  t.equal(hostTable([{ hosts: ['a.example'] }])('b.example'), undefined);
});

t.test('a path takes what begins with it up to the end of a segment, byte for byte', async (t) => {
  const find = routeTable([
    { path: '/api/v1/streaming' },
    { path: '/system/' },
    { path: '/a%2Db' },
    { path: '/api' },
  ]);
  const rows: [target: string, path: string | undefined][] = [
    ['/api/v1/streaming', '/api/v1/streaming'],
    ['/api/v1/streaming/', '/api/v1/streaming'],
    ['/api/v1/streaming/user?x', '/api/v1/streaming'],
    ['/api/v1/streaming?stream=user', '/api/v1/streaming'],
    ['/api/v1/streamings', '/api'],
    ['/api/v1/Streaming', '/api'],
    ['/apis', undefined],
    ['/system/a', '/system/'],
    ['/system', undefined],
    ['/system?/system/', undefined],
    ['/x?/api', undefined],
    ['//api', undefined],
    ['/a%2Db/c', '/a%2Db'],
    ['/a-b/c', undefined],
    ['/a%2db/c', undefined],
    ['/system/../etc', undefined],
    ['/system/./x', undefined],
    ['/system/%2e%2E/x', undefined],
    ['/system/.%2e', undefined],
    ['/system/a%2Fb', undefined],
    ['/system/a%5cb', undefined],
    ['/system/a..b', '/system/'],
    ['/system/.well-known', '/system/'],
    ['/system/a?b=../c%2Fd', '/system/'],
  ];
  for (const [target, path] of rows) t.equal(find(target)?.path, path, target);
  const every = routeTable([{ path: '/' }]);
  t.equal(every('/any')?.path, '/');
  t.equal(every('/any/../thing'), undefined);
});

t.test('a redirect appends what follows, and never names another host by it', async (t) => {
  const rows: [location: string, path: string, target: string, to: string][] = [
    ['https://new.example/', '/', '/', 'https://new.example/'],
    ['https://new.example', '/', '/', 'https://new.example'],
    ['https://new.example', '/', '/a/b?c', 'https://new.example/a/b?c'],
    ['https://new.example/', '/', '/a', 'https://new.example/a'],
    ['https://new.example', '/', '/.evil.example', 'https://new.example/.evil.example'],
    ['https://new.example', '/', '/@evil.example', 'https://new.example/@evil.example'],
    ['https://new.example/x', '/old', '/old/y', 'https://new.example/x/y'],
    ['https://new.example/x', '/old', '/old?y', 'https://new.example/x?y'],
    ['/new', '/old', '/old', '/new'],
    ['/', '/old', '/old//evil.example', '/evil.example'],
  ];
  for (const [location, path, target, to] of rows)
    t.equal(redirectTo(location, path, target), to, target);
});

t.test(
  'hosts and routes lead to their targets, and an unknown host is told what to do',
  async (t) => {
    const [one, two, streaming] = [
      await named(t, 'one'),
      await named(t, 'two'),
      await named(t, 'ws'),
    ];
    const { port, reports } = await open(t, {
      sites: [
        {
          hosts: ['one.example'],
          upstream: one.url,
          routes: [
            { path: '/api/v1/streaming', upstream: streaming.url },
            { path: '/old', redirect: 'https://new.example/x' },
            { path: '/gone', status: 410 },
          ],
        },
        { hosts: ['*.two.example'], upstream: two.url },
      ],
    });
    const ask = async (host: string, path: string) =>
      (await talk(port, get(host, path))).messages[0];
    t.match(await ask('one.example', '/%7euser?q'), { body: 'one /%7euser?q 0' });
    t.match(await ask('a.two.example:8080', '/'), { body: 'two / 0' });
    t.match(await ask('one.example', '/api/v1/streaming?x'), { body: 'ws /api/v1/streaming?x 0' });
    t.match(await ask('one.example', '/old/page?q'), {
      head: /^HTTP\/1\.1 301 [\s\S]*^location: https:\/\/new\.example\/x\/page\?q$/im,
    });
    t.match(await ask('one.example', '/gone'), { head: /^HTTP\/1\.1 410 /, body: '410 Gone\n' });
    const { messages } = await talk(
      port,
      'POST /old HTTP/1.1\r\nHost: one.example\r\nContent-Length: 0\r\n\r\n',
    );
    t.match(messages[0]?.head, 'HTTP/1.1 308 ', 'so that a form stays a form');

    t.match(await ask('two.example', '/'), {
      head: /^HTTP\/1\.1 421 /,
      body: /"two\.example"[\s\S]*hosts[\s\S]*HEADGATE_HOST/,
    });
    await until(() => reports.length === 7);
    t.same(
      reports.map(({ request }) => request.site),
      [
        'one.example',
        '*.two.example',
        'one.example',
        'one.example',
        'one.example',
        'one.example',
        '',
      ],
    );
  },
);

t.test('WebSockets take the same routes; where none can be, it is a plain request', async (t) => {
  const origin = createServer();
  new WebSocketServer({ server: origin }).on('connection', (socket, { url }) =>
    socket.send(String(url)),
  );
  const streaming = `http://127.0.0.1:${await listen(t, origin)}`;
  const { port } = await open(t, {
    sites: [
      {
        hosts: ['one.example'],
        upstream: (await rawOrigin(t)).url,
        routes: [
          { path: '/live', upstream: streaming },
          { path: '/no', status: 403 },
        ],
      },
    ],
  });
  const socket = (path: string, host: string) =>
    new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { host } });
  const live = socket('/live?stream', 'one.example');
  t.equal(String((await once(live, 'message'))[0]), '/live?stream');
  live.terminate();
  for (const [path, host, status] of [
    ['/no', 'one.example', 403],
    ['/live', 'other.example', 421],
  ] as const) {
    const refused = socket(path, host);
    refused.on('error', () => {});
    const [, response] = await once(refused, 'unexpected-response');
    t.equal(response.statusCode, status, path);
    refused.terminate();
  }
});

t.test('fields are set on 2xx and 3xx, where the application sent none', async (t) => {
  const origin = await rawOrigin(t, (socket, { head }) => {
    const status = head.split(' ')[1]?.slice(-3);
    socket.write(
      `HTTP/1.1 ${status} X\r\nX-Frame-Options: SAMEORIGIN\r\nContent-Length: 0\r\n\r\n`,
    );
  });
  const { port } = await open(t, {
    trusted: ['loopback'],
    sites: [
      {
        upstream: origin.url,
        hsts: true,
        headers: { 'X-Frame-Options': 'DENY', 'X-A': 'site', 'X-B': 'site' },
        routes: [{ path: '/r', headers: { 'x-a': 'route', 'x-b': null } }],
      },
    ],
  });
  const ask = async (path: string, fields = '') =>
    (await talk(port, get('a.example', path, fields))).messages[0]?.head ?? '';
  const plain = await ask('/200');
  t.match(plain, /^x-frame-options: SAMEORIGIN$/im);
  t.notMatch(plain, /DENY/);
  t.match(plain, /^x-a: site$/im);
  t.notMatch(plain, /strict-transport/i, 'not over http');
  const secure = await ask('/304', 'X-Forwarded-Proto: https\r\n');
  t.match(secure, /^strict-transport-security: max-age=63072000$/im);
  const route = await ask('/r/302');
  t.match(route, /^x-a: route$/im);
  t.notMatch(route, /x-b/i);
  t.notMatch(await ask('/404', 'X-Forwarded-Proto: https\r\n'), /x-a|x-b|strict/i);
});

t.test(
  'a body over the limit is 413: before it comes if it says so, else when it shows',
  async (t) => {
    const origin = await named(t, 'got');
    const { port, reports } = await open(t, {
      sites: [
        {
          upstream: origin.url,
          bodyLimit: '10B',
          routes: [{ path: '/big', bodyLimit: 1000 }],
        },
      ],
    });
    const post = async (path: string, body: string, framing: string) => {
      const head = `POST ${path} HTTP/1.1\r\nHost: a.example\r\n${framing}\r\n\r\n`;
      return (await talk(port, [head, body])).messages[0];
    };
    const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
    const ten = 'x'.repeat(10);
    t.match(await post('/', ten, 'Content-Length: 10'), { body: 'got / 10' });
    t.match(await post('/', '', 'Content-Length: 11'), { head: /^HTTP\/1\.1 413 / });
    t.match(await post('/', chunked(ten), 'Transfer-Encoding: chunked'), { body: /^got / });
    t.match(await post('/', chunked(`${ten}x`), 'Transfer-Encoding: chunked'), {
      head: /^HTTP\/1\.1 413 /,
    });
    t.match(await post('/big', `${ten}x`, 'Content-Length: 11'), { body: 'got /big 11' });
    await until(() => reports.length === 5);
    t.same(
      reports.map(({ error }) => error && 'code' in error && error.code),
      [undefined, 'BODY_TOO_LARGE', undefined, 'BODY_TOO_LARGE', undefined],
    );
    t.equal(origin.requests.length, 3);
  },
);

t.test('an upstream is asked as it is configured, for requests and WebSockets', async (t) => {
  const fixture = (name: string) =>
    fileURLToPath(new URL(`../../core/test/fixtures/${name}`, import.meta.url));
  const pem = (name: string) => readFileSync(fixture(name));
  const hosts: (string | undefined)[] = [];
  const origins = await Promise.all(
    ['one', 'two'].map(async (name) => {
      const server = createTlsServer(
        { cert: pem('localhost.pem'), key: pem('localhost-key.pem') },
        ({ headers }, res) => {
          hosts.push(headers.host);
          res.end(name);
        },
      );
      new WebSocketServer({ server }).on('connection', (socket, { headers }) => {
        hosts.push(headers.host);
        socket.send(name);
      });
      return `https://127.0.0.1:${await listen(t, server)}`;
    }),
  );
  const ca = fixture('localhost.pem');
  const both = async (written: WrittenConfig) => {
    const { port } = await open(t, written);
    const heard = new Set<string>();
    for (let i = 0; i < 2; i++) {
      heard.add((await talk(port, get('a.example'))).messages[0]?.body ?? '');
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers: { host: 'a.example' } });
      socket.on('error', () => {});
      const first = once(socket, 'message').then(([data]) => String(data));
      heard.add(await first.catch(() => 'refused'));
      socket.terminate();
    }
    return [...heard].toSorted();
  };
  const name = 'internal.example';
  t.same(await both({ sites: [{ upstream: { to: origins, ca, host: 'upstream' } }] }), [
    'one',
    'two',
  ]);
  t.same([...new Set(hosts.splice(0))].toSorted(), origins.map((url) => url.slice(8)).toSorted());
  t.same(await both({ sites: [{ upstream: { to: origins, verify: false, host: name } }] }), [
    'one',
    'two',
  ]);
  t.same([...new Set(hosts.splice(0))], [name]);
  const misnamed = { to: origins, ca, servername: name };
  t.same((await both({ sites: [{ upstream: misnamed }] })).at(-1), 'refused');
  t.same(hosts, []);
});

t.test('connections are limited where it is said, through all routes together', async (t) => {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const origin = await rawOrigin(t, (socket, { head }) => {
    asked.push(head.split(' ')[1] ?? '');
    answers.push(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
  });
  const { port } = await open(t, {
    sites: [
      {
        upstream: { to: origin.url, connections: 1 },
        routes: [{ path: '/b', timeouts: { connect: '1s', idle: '1s' } }],
      },
    ],
  });
  const both = [talk(port, get('a.example', '/a')), talk(port, get('a.example', '/b'))];
  await until(() => asked.length > 0);
  await new Promise((done) => setTimeout(done, 50));
  t.equal(asked.length, 1);
  answers[0]?.();
  await until(() => asked.length > 1);
  answers[1]?.();
  for (const { messages } of await Promise.all(both)) t.equal(messages[0]?.body, 'ok');
});

t.test('a silent WebSocket is closed after its own time', async (t) => {
  const origin = createServer();
  new WebSocketServer({ server: origin });
  const upstream = `http://127.0.0.1:${await listen(t, origin)}`;
  const { port } = await open(t, { sites: [{ upstream, timeouts: { tunnel: 100 } }] });
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, 'open');
  t.same(await once(socket, 'close').then(([code]) => code), 1006);
});

t.test("a route's patience is its own", async (t) => {
  const origin = await rawOrigin(t, () => {});
  const { port } = await open(t, {
    sites: [{ upstream: origin.url, routes: [{ path: '/hasty', timeouts: { head: 50 } }] }],
  });
  t.match((await talk(port, get('a.example', '/hasty'))).messages[0]?.head, 'HTTP/1.1 504 ');
  t.equal((await talk(port, get('a.example', '/'), { patience: 300 })).end, 'hung');
});

t.test('who shows the secret is believed; it goes no further', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'secret');
  const addresses = join(folder, 'addresses');
  writeFileSync(file, 'a-long-enough-secret\n');
  writeFileSync(addresses, '# the CDN\n198.51.100.0/24\n\n');
  const origin = await rawOrigin(t);
  const { port, reports } = await open(t, {
    trusted: [{ secret: { header: 'X-CDN-Key', file } }, { file: addresses }],
    sites: [{ upstream: origin.url }],
  });
  const ask = (fields: string) => talk(port, get('a.example', '/', fields));
  const claim = 'X-Forwarded-For: 192.0.2.9, 198.51.100.7\r\nX-Forwarded-Proto: https\r\n';
  await ask(`${claim}X-CDN-Key: a-long-enough-secret\r\n`);
  await ask(`${claim}X-CDN-Key: a-long-enough-guess!\r\n`);
  await ask(claim);
  await until(() => reports.length === 3);
  t.same(
    reports.map(({ request: { client, scheme } }) => [client, scheme]),
    [
      ['192.0.2.9', 'https'],
      ['127.0.0.1', 'http'],
      ['127.0.0.1', 'http'],
    ],
  );
  t.notMatch(origin.bytes, /x-cdn-key/i);
});

t.test(
  'claims that are not believed are told once for each peer, with what to write',
  async (t) => {
    const origin = await rawOrigin(t);
    const written = { sites: [{ upstream: origin.url }] };
    const { port, warned, reload } = await open(t, written);
    await talk(port, get('a.example'));
    t.same(warned, []);
    await talk(port, get('a.example', '/', 'X-Forwarded-Proto: https\r\n'));
    await reload(written);
    await talk(port, get('a.example', '/', 'X-Forwarded-For: 192.0.2.1\r\n'));
    t.match(warned, [/^x-forwarded-proto from 127\.0\.0\.1 .*trusted: \[127\.0\.0\.1\]/]);
    t.equal(warned.length, 1);
    await reload({ trusted: ['loopback'], ...written });
    await talk(port, get('a.example', '/', 'X-Forwarded-Proto: https\r\n'));
    t.match(origin.requests.at(-1)?.head, /^x-forwarded-proto: https\r?$/im);
    t.equal(warned.length, 1);
  },
);

t.test('a redirect to itself over https is told once; scheme ends it', async (t) => {
  const origin = await rawOrigin(t, (socket, { head }) => {
    const isSecure = /^x-forwarded-proto: https\r?$/im.test(head);
    const path = head.split(' ')[1];
    socket.write(
      isSecure
        ? 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
        : `HTTP/1.1 301 Moved\r\nLocation: https://a.example${path}\r\nContent-Length: 0\r\n\r\n`,
    );
  });
  const written: WrittenConfig = { sites: [{ upstream: origin.url }] };
  const { port, warned, reload } = await open(t, written);
  for (let i = 0; i < 2; i++) await talk(port, get('a.example', '/x?secret=1'));
  await until(() => warned.length > 0);
  t.match(warned, [/^redirect loop: .*trusted.*scheme: https/]);
  t.equal(warned.length, 1);
  t.notMatch(warned[0], /secret/);
  await reload({ scheme: 'https', ...written });
  t.match((await talk(port, get('a.example'))).messages[0]?.head, 'HTTP/1.1 200 ');
});

t.test(
  'a middleware is a file, a package or one of ours, and gets what it was promised',
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'headgate-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const check =
      "{ '~standard': { version: 1, vendor: 'mine', validate: (value) => ({ value }) } }";
    writeFileSync(
      join(folder, 'mine.mjs'),
      `export const plugin = {
      name: 'mine',
      options: ${check},
      mediaHosts: ({ cdn }) => (cdn ? [{ origin: cdn, kind: 'media' }] : []),
      create: ({ word }, site) => ({
        middleware: async (request, next) => {
          const response = await next(request);
          const told = [word, site.name, site.hosts, site.mediaHosts.map(({ origin }) => origin)].join(' ');
          return { ...response, headers: { ...response.headers, ['x-' + word]: told } };
        },
      }),
    };`,
    );
    const origin = await rawOrigin(t);
    const opened = await gate(
      await toConfig(
        {
          sites: [
            {
              name: 'blog',
              hosts: ['a.example'],
              upstream: origin.url,
              middleware: [
                { use: './mine.mjs', word: 'outer' },
                { use: './mine.mjs', word: 'inner', cdn: 'https://cdn.example' },
                'fedicache',
              ],
            },
          ],
        },
        folder,
      ),
    );
    t.teardown(() => opened.close());
    const port = await listen(t, opened.server());
    const { messages } = await talk(port, get('a.example'));
    t.match(messages[0]?.head, /^x-outer: outer blog a\.example https:\/\/cdn\.example$/im);
    t.match(messages[0]?.head, /^x-inner: inner blog a\.example https:\/\/cdn\.example$/im);
  },
);

/** The bytes that came. */
const told = async (...args: Parameters<typeof talk>) => (await talk(...args)).text;

t.test('files of a folder, compressed; what is not there is asked of the site', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-files-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'a.css'), 'b{}'.repeat(1000));
  const origin = await named(t, 'site');
  const { port } = await open(t, {
    sites: [{ upstream: origin.url, compress: true, routes: [{ path: '/', files: folder }] }],
  });
  const file = await told(
    port,
    get('x', '/a.css', 'Accept-Encoding: gzip\r\nConnection: close\r\n'),
  );
  t.match(file, /^HTTP\/1\.1 200 /);
  t.match(file, /\r\ncontent-encoding: gzip\r\n/i);
  t.match(await told(port, get('x', '/b.css', 'Connection: close\r\n')), /site \/b\.css 0$/);
});

t.test('a folder for everything is one for the paths of a preset, with their fields', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-files-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'packs'));
  writeFileSync(join(folder, 'packs/a.css'), 'b{}');
  const origin = await named(t, 'web');
  const route = { path: '/', files: folder };
  const upstream = { upstream: origin.url, streaming: origin.url };
  const { port } = await open(t, { sites: [{ preset: 'mastodon', ...upstream, routes: [route] }] });
  const closing = 'Connection: close\r\n';
  const file = await told(port, get('x', '/packs/a.css', closing));
  t.match(file, /^HTTP\/1\.1 200 [\s\S]*cache-control: public, max-age=2419200[\s\S]*b\{\}$/i);
  t.match(await told(port, get('x', '/packs/b.css', closing)), /web \/packs\/b\.css 0$/);
});

t.test('a page of one’s own where there is no answer, and another after a reload', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-page-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const errorPage = join(folder, 'error.html');
  writeFileSync(errorPage, '<h1>Our own</h1>');
  const nobody = await rawOrigin(t, (socket) => socket.destroy());
  const sites = [{ upstream: nobody.url }];
  const { port, reload } = await open(t, { errorPage, sites });
  const asked = get('x', '/', 'Accept: text/html\r\nConnection: close\r\n');
  t.match(await told(port, asked), /^HTTP\/1\.1 502 [\s\S]*<h1>Our own<\/h1>$/);
  await reload({ sites });
  t.match(await told(port, asked), /^HTTP\/1\.1 502 [\s\S]*<h1>This site isn/);
  await t.rejects(toConfig({ errorPage: `${errorPage}x`, sites }), /errorPage: can't be read/);
});

t.test('the three middlewares together: one setting for the CDN, and all follows', async (t) => {
  const origin = await rawOrigin(t, (socket, { head }) => {
    const isPage = head.startsWith('GET / ');
    const fields = isPage
      ? "Content-Type: text/html\r\nContent-Security-Policy: default-src 'none'; img-src 'self'\r\n"
      : 'Content-Type: image/png\r\n';
    socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`);
  });
  const cdn = 'https://127.0.0.1:1';
  const { port } = await open(t, {
    sites: [{ upstream: origin.url, preset: 'plume', cdn, hosts: ['plume.example'] }],
  });
  const ask = (path: string, agent: string) =>
    told(port, get('plume.example', path, `User-Agent: ${agent}\r\nConnection: close\r\n`));
  t.match(await ask('/', 'Mozilla/5.0'), /img-src 'self' https:\/\/127\.0\.0\.1:1\b/);
  t.match(
    await ask('/static/media/1.png', 'Mozilla/5.0'),
    /^HTTP\/1\.1 301 [\s\S]*\r\nlocation: https:\/\/127\.0\.0\.1:1\/static\/media\/1\.png\r\n/i,
  );
  t.match(await ask('/static/media/1.png', 'Plume/0.7.2'), /^HTTP\/1\.1 200 [\s\S]*ok$/);
});
