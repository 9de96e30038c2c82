/** The servers by which Headgate is looked after: who gets in, what they can do, what stays hidden. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { aRequest } from '@headgate/core/testing';
import { memoryStore } from '@headgate/store';
import { gate, type WrittenConfig } from 'headgate';
import t, { type Test } from 'tap';
import { listen, rawOrigin, talk, until } from '../../core/test/wire.ts';
import { type AdminParts, openAdmin } from '../src/admin/admin.ts';
import { refused } from '../src/admin/permit.ts';
import { withoutSecrets } from '../src/admin/without-secrets.ts';
import { configure } from '../src/config/configure.ts';

const TOKEN = 'a-token-that-nobody-guesses';
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const NODE = ['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source', CLI];

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** An application with pages, and the targets that it was asked for. */
async function pages(t: Test) {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${req.headers.host}${req.url}`);
    res.setHeader('content-type', 'text/html; charset=utf-8');
    if (req.url === '/missing') res.statusCode = 404;
    res.end('<!doctype html><html><head><title>A page</title></head><body>text</body></html>');
  });
  return { asked, url: `http://127.0.0.1:${await listen(t, server)}` };
}

/** A gate with its admin server, both listening. */
async function open(t: Test, written: WrittenConfig, parts: Partial<AdminParts> = {}) {
  const { config, expanded, faults } = await configure(written, folder(t));
  if (!config || !expanded) throw new Error(JSON.stringify(faults));
  const store = memoryStore();
  const opened = await gate(config, { store });
  const logged: object[] = [];
  const log = {
    info: (line: object) => void logged.push(line),
    warn: (line: object) => void logged.push(line),
  } as unknown as AdminParts['log'];
  const servers = await openAdmin({
    inForce: () => ({ config, expanded, since: new Date(0), problems: [] }),
    store,
    purge: opened.purge,
    warm: opened.warm,
    reload: async () => [],
    log,
    reports: () => [],
    ...parts,
  });
  t.teardown(async () => {
    await servers.stop(0);
    await opened.close();
  });
  const portOf = (place: object = {}) => ('port' in place ? Number(place.port) : 0);
  return {
    port: portOf(servers.admin),
    metrics: portOf(servers.metrics),
    site: await listen(t, opened.server()),
    logged,
    config,
  };
}

interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
}

/** Asks with exactly these fields, as no `fetch` would. */
async function ask(to: number | string, { method, path = '/', headers, body }: Asking = {}) {
  const place = typeof to === 'number' ? { port: to, host: '127.0.0.1' } : { socketPath: to };
  const isJson = typeof body === 'object';
  const asked = httpRequest({
    ...place,
    path,
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    agent: false,
    headers: { ...(isJson && { 'content-type': 'application/json' }), ...headers },
  });
  asked.on('error', () => {}); // a body that is refused may break off
  asked.end(isJson ? JSON.stringify(body) : body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, text: await text(answer) };
}

const bearer = { authorization: `Bearer ${TOKEN}` };
const json = { 'content-type': 'application/json' };

t.test(
  'at HOST:PORT it answers to its own names only, and never to a page elsewhere',
  async (t) => {
    const { url: upstream } = await pages(t);
    const { port, logged } = await open(t, {
      admin: {
        listen: '127.0.0.1:0',
        token: TOKEN,
        hosts: ['Headgate', '[fd00::1]'],
      },
      sites: [{ upstream }],
    });
    const all = { all: true };
    const rows: [why: string, asking: Asking, status: number][] = [
      ['localhost', { path: '/status', headers: { host: `localhost:${port}` } }, 200],
      ['another address of loopback', { path: '/status', headers: { host: '127.8.8.8' } }, 200],
      ['IPv6 loopback', { path: '/status', headers: { host: '[::1]:9090' } }, 200],
      ['a name that is configured', { path: '/status', headers: { host: 'headgate:9090' } }, 200],
      ['an address that is configured', { path: '/status', headers: { host: '[fd00::1]' } }, 200],
      ['a rebound name', { path: '/status', headers: { host: 'evil.example' } }, 421],
      ['a name around ours', { path: '/status', headers: { host: 'localhost.evil.example' } }, 421],
      [
        'a name like a loopback address',
        { path: '/', headers: { host: '127.0.0.1.nip.example' } },
        421,
      ],
      [
        'a rebound name with the token',
        { path: '/purge', headers: { host: 'evil.example', ...bearer }, body: all },
        421,
      ],
      [
        'a forwarded name',
        { path: '/status', headers: { host: 'evil.example', 'x-forwarded-host': 'localhost' } },
        421,
      ],
      ['health by a rebound name', { path: '/healthz', headers: { host: 'evil.example' } }, 421],
      [
        'a page elsewhere, CORS',
        { path: '/status', headers: { origin: 'http://evil.example' } },
        403,
      ],
      ['a page in a sandbox', { path: '/status', headers: { origin: 'null' } }, 403],
      [
        'a page elsewhere, no CORS',
        { path: '/status', headers: { 'sec-fetch-site': 'cross-site' } },
        403,
      ],
      ['a page of a sibling', { path: '/status', headers: { 'sec-fetch-site': 'same-site' } }, 403],
      ['somebody who types it in', { path: '/status', headers: { 'sec-fetch-site': 'none' } }, 200],
      [
        'a page elsewhere with the token',
        { path: '/purge', headers: { origin: 'http://localhost', ...bearer }, body: all },
        403,
      ],
      [
        'a preflight',
        {
          method: 'OPTIONS',
          path: '/purge',
          headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
        },
        403,
      ],
      ['OPTIONS', { method: 'OPTIONS', path: '/purge', headers: bearer }, 405],
      ['OPTIONS without the token', { method: 'OPTIONS', path: '/purge' }, 401],
      ['no token', { path: '/purge', body: all }, 401],
      [
        'a wrong token',
        { path: '/purge', headers: { authorization: `Bearer ${TOKEN}x` }, body: all },
        401,
      ],
      [
        'the start of the token',
        { path: '/purge', headers: { authorization: `Bearer ${TOKEN.slice(0, -1)}` }, body: all },
        401,
      ],
      ['an empty token', { path: '/purge', headers: { authorization: 'Bearer ' }, body: all }, 401],
      [
        'the token as a password',
        { path: '/purge', headers: { authorization: `Basic ${btoa(`:${TOKEN}`)}` }, body: all },
        401,
      ],
      ['no token for a reload', { method: 'POST', path: '/reload' }, 401],
      [
        'a reload by X-Forwarded-For',
        { method: 'POST', path: '/reload', headers: { 'x-forwarded-for': '127.0.0.1' } },
        401,
      ],
      ['the token', { path: '/purge', headers: bearer, body: all }, 200],
      [
        'the token, the scheme in small letters',
        { path: '/purge', headers: { authorization: `bearer ${TOKEN}` }, body: all },
        200,
      ],
      [
        'a simple type',
        {
          path: '/purge',
          headers: { ...bearer, 'content-type': 'text/plain' },
          body: '{"all":true}',
        },
        415,
      ],
      [
        'a form',
        {
          path: '/purge',
          headers: { ...bearer, 'content-type': 'application/x-www-form-urlencoded' },
          body: 'all=true',
        },
        415,
      ],
      ['no type', { path: '/purge', headers: bearer, body: '{"all":true}' }, 415],
      ['GET of what changes', { path: '/purge' }, 405],
      ['GET of a reload', { path: '/reload', headers: bearer }, 405],
      ['POST of what is read', { path: '/status', headers: bearer, body: all }, 405],
      ['DELETE', { method: 'DELETE', path: '/status', headers: bearer }, 405],
      ['PURGE', { method: 'PURGE', path: '/purge', headers: bearer }, 405],
      ['a doubled slash', { path: '//purge', headers: bearer, body: all }, 404],
      ['capitals', { path: '/PURGE', headers: bearer, body: all }, 404],
      ['a dot segment', { path: '/./purge', headers: bearer, body: all }, 404],
      ['a slash more', { path: '/purge/', headers: bearer, body: all }, 404],
      ['an escaped letter', { path: '/%70urge', headers: bearer, body: all }, 404],
      ['nothing', { path: '/' }, 404],
      ['what a record has anyway', { path: '/constructor' }, 404],
      ['metrics that nobody gathers', { path: '/metrics' }, 404],
      ['HEAD', { method: 'HEAD', path: '/status' }, 200],
      [
        'an own target in absolute-form',
        { path: `http://localhost/status`, headers: { host: 'localhost' } },
        200,
      ],
      [
        'a target in absolute-form that names another',
        { path: 'http://evil.example/status', headers: { host: 'localhost' } },
        421,
      ],
      [
        'a target in absolute-form, rebound',
        { path: 'http://evil.example/status', headers: { host: 'evil.example' } },
        421,
      ],
    ];
    for (const [why, asking, status] of rows) {
      const answer = await ask(port, asking);
      t.equal(answer.status, status, why);
      const cors = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'));
      t.same(cors, [], `${why}: no CORS`);
    }
    t.equal((await ask(port, { path: '/purge' })).headers.allow, 'POST');
    t.equal(
      (await ask(port, { path: '/status', headers: bearer, body: {} })).headers.allow,
      'GET, HEAD',
    );
    t.notMatch(JSON.stringify(logged), TOKEN, 'no token in the log');
    t.match(logged[0], { method: 'GET', path: '/status', status: 421, client: '127.0.0.1' });
    const twice = 'GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n';
    t.match((await talk(port, twice)).text, /^HTTP\/1\.1 400 /, 'two Hosts');
    t.match((await talk(port, 'GET /status HTTP/1.1\r\n\r\n')).text, /^HTTP\/1\.1 400 /, 'no Host');
  },
);

t.test('the address that it listens at is a name of it', async (t) => {
  const rows: [listening: string | undefined, asked: string, isRefused: boolean][] = [
    ['10.0.0.5', '10.0.0.5:9090', false],
    ['10.0.0.5', '10.0.0.6:9090', true],
    ['fd00::5', '[FD00::5]:9090', false],
    ['Headgate.internal', 'headgate.internal.', false],
    [undefined, 'localhost:9090', false],
    [undefined, '10.0.0.5:9090', true],
  ];
  for (const [host, asked, isRefused] of rows) {
    const listen = { port: 9090, ...(host && { host }) };
    const request = aRequest({ headers: { host: asked } });
    const answer = refused(request, { listen, hosts: [] }, false);
    t.equal(answer?.status, isRefused ? 421 : undefined, `${host} ${asked}`);
  }
});

t.test('without a token HOST:PORT changes nothing, and the Unix socket everything', async (t) => {
  const { url: upstream } = await pages(t);
  const sites = [{ upstream }];
  const { port } = await open(t, { admin: { listen: '127.0.0.1:0' }, sites });
  t.equal((await ask(port, { path: '/status' })).status, 200);
  for (const headers of [{}, bearer, { authorization: 'Bearer ' }])
    t.match(await ask(port, { path: '/purge', headers, body: { all: true } }), {
      status: 403,
      text: /admin\.token/,
    });

  const path = join(folder(t), 'admin.sock');
  const before = process.umask();
  await open(t, { admin: { listen: `unix:${path}`, token: TOKEN }, sites });
  t.equal(statSync(path).mode & 0o777, 0o600, 'for its user alone');
  t.equal(process.umask(), before);
  t.match(await ask(path, { path: '/purge', body: { all: true } }), {
    status: 200,
    text: '{"purged":0}\n',
  });
  t.match(await ask(path, { method: 'POST', path: '/reload' }), { status: 200 });
  const rows = [
    { headers: { host: 'evil.example' }, status: 421 },
    { headers: { origin: 'http://evil.example' }, status: 403 },
  ];
  for (const { headers, status } of rows)
    for (const asking of [{ path: '/config' }, { method: 'POST', path: '/reload' }])
      t.equal(
        (await ask(path, { ...asking, headers })).status,
        status,
        'SSH may carry it to a browser',
      );
  t.equal(
    (await ask(path, { path: '/purge', headers: { 'content-type': 'text/plain' }, body: '{}' }))
      .status,
    415,
  );
});

t.test(
  'a socket that a killed daemon left is replaced, another file or daemon is not',
  async (t) => {
    const { url: upstream } = await pages(t);
    const sites = [{ upstream }];
    const here = folder(t);
    const left = join(here, 'left.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(left)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '-e', script]), 'exit');
    t.ok(existsSync(left));
    await open(t, { admin: { listen: `unix:${left}` }, sites });
    t.equal((await ask(left, { path: '/healthz' })).status, 200);

    await t.rejects(open(t, { admin: { listen: `unix:${left}` }, sites }), { code: 'EADDRINUSE' });
    t.equal((await ask(left, { path: '/healthz' })).status, 200, 'who was there stays there');
    const file = join(here, 'precious');
    writeFileSync(file, 'text');
    await t.rejects(open(t, { admin: { listen: `unix:${file}` }, sites }), { code: 'EADDRINUSE' });
    t.equal(readFileSync(file, 'utf8'), 'text');
  },
);

t.test('purge forgets a URL, a prefix, a host or all; warm fetches', async (t) => {
  const { url: upstream, asked } = await pages(t);
  const { port, site, logged } = await open(t, {
    admin: { listen: '127.0.0.1:0', token: TOKEN },
    sites: [
      { hosts: ['a.example', 'b.example'], upstream },
      { hosts: ['plain.example'], upstream, middleware: [] },
    ],
  });
  /** Has a preview kept, and tells whether the application was asked for it. */
  const isFetched = async (url: string) => {
    const { host, pathname, search } = new URL(url);
    const before = asked.length;
    const headers = { host, 'user-agent': MASTODON, accept: 'text/html' };
    await ask(site, { path: pathname + search, headers });
    return asked.length > before;
  };
  const post = async (path: string, body: object) => {
    const { status, text } = await ask(port, { path, headers: bearer, body });
    return [status, JSON.parse(text)];
  };
  const all = [
    'http://a.example/',
    'http://a.example/x/1',
    'http://a.example/x/2?q',
    'http://b.example/',
  ];
  const rows: [what: object, gone: string[]][] = [
    [{ url: 'http://a.example/x/2?q' }, ['http://a.example/x/2?q']],
    [{ url: 'http://A.example:80/' }, ['http://a.example/']],
    [{ url: 'http://a.example/x/2' }, []],
    [{ prefix: 'http://a.example/x/' }, ['http://a.example/x/1', 'http://a.example/x/2?q']],
    [{ prefix: 'HTTP://A.EXAMPLE/x/1' }, ['http://a.example/x/1']],
    [{ prefix: 'http://a.example/X' }, []],
    [{ host: 'B.example' }, ['http://b.example/']],
    [{ host: 'a.example' }, all.slice(0, 3)],
    [{ all: true }, all],
  ];
  for (const [what, gone] of rows) {
    for (const url of all) await isFetched(url);
    t.same(await post('/purge', what), [200, { purged: gone.length }], JSON.stringify(what));
    for (const url of all)
      t.equal(await isFetched(url), gone.includes(url), `${JSON.stringify(what)} ${url}`);
  }
  t.match(logged.at(-1), { all: true, count: 4 });

  t.same(await post('/purge', { all: true }), [200, { purged: 4 }]);
  t.same(await post('/warm', { url: 'http://A.example/x/1' }), [
    200,
    { warmed: 'http://A.example/x/1' },
  ]);
  t.equal(asked.at(-1), 'GET a.example/x/1');
  t.equal(await isFetched('http://a.example/x/1'), false, 'it is there before anybody asks');
  t.match(await post('/warm', { url: 'http://a.example/missing' }), [502, { error: /404/ }]);
  t.match(await post('/warm', { url: 'http://plain.example/' }), [422, { error: /keeps pages/ }]);
  for (const path of ['/warm', '/purge'])
    t.match(await post(path, { url: 'http://strange.example/' }), [
      400,
      { error: 'no site here is called "strange.example"' },
    ]);
  t.match(await post('/purge', { host: 'strange.example' }), [400, { error: /no site/ }]);
});

t.test('nobody can make purge work hard', async (t) => {
  const { url: upstream } = await pages(t);
  const { port } = await open(t, {
    admin: { listen: '127.0.0.1:0', token: TOKEN },
    sites: [{ upstream }],
  });
  const rows: [body: unknown, status: number][] = [
    [{ url: '*' }, 400],
    [{ url: '..' }, 400],
    [{ url: '/path' }, 400],
    [{ url: 'https://a.example' }, 400],
    [{ url: 'https://a.example/ü' }, 400],
    [{ url: 'https://a.example/a b' }, 400],
    [{ url: 'https://a.example/#a' }, 400],
    [{ url: 'https://user@a.example/' }, 400],
    [{ url: 'ftp://a.example/' }, 400],
    [{ url: 'https://a.example/\u0000' }, 400],
    [{ url: 'https://[::1/' }, 400],
    [{ prefix: 'https://' }, 400],
    [{ prefix: '' }, 400],
    [{ prefix: '(a+)+$' }, 400],
    [{ host: '*' }, 400],
    [{ host: '*.example' }, 400],
    [{ host: 'a.example/' }, 400],
    [{ host: '' }, 400],
    [{ all: false }, 400],
    [{ all: true, url: 'https://a.example/' }, 400],
    [{}, 400],
    [[], 400],
    [null, 400],
    ['all', 400],
    [{ urls: [] }, 400],
    [{ prefix: 'https://a.example/(a+)+$' }, 200],
    [{ keys: Array.from({ length: 1e6 }, (_, index) => index) }, 413],
    [{ url: `https://a.example/${'a'.repeat(20_000)}` }, 413],
  ];
  for (const [body, status] of rows) {
    const answer = await ask(port, {
      method: 'POST',
      path: '/purge',
      headers: { ...bearer, ...json },
      body: JSON.stringify(body),
    });
    t.equal(answer.status, status, JSON.stringify(body).slice(0, 60));
  }
  for (const body of ['', '{', '{"all":true}x', '\ufeff'])
    t.equal(
      (await ask(port, { method: 'POST', path: '/purge', headers: { ...bearer, ...json }, body }))
        .status,
      400,
      body,
    );

  const head = `POST /purge HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
  const big = await talk(port, [`${head}Content-Length: 1073741824\r\n\r\n`, 'a'.repeat(20_000)]);
  t.match(big.text, /^HTTP\/1\.1 413 [\s\S]*connection: close/i, 'a gigabyte is not waited for');
  const polite = await talk(
    port,
    `${head.replace(TOKEN, 'x')}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
  );
  t.match(polite.text, /^HTTP\/1\.1 401 /, 'nobody without the token is invited to send');
});

t.test('the listener of the site knows nothing of it', async (t) => {
  const origin = await rawOrigin(t);
  const { site } = await open(t, {
    admin: { listen: '127.0.0.1:0', token: TOKEN },
    metrics: '127.0.0.1:0',
    sites: [{ upstream: origin.url }],
  });
  const rows: Asking[] = [
    { path: '/healthz' },
    { path: '/readyz' },
    { path: '/metrics' },
    { path: '/status' },
    { path: '/config' },
    { path: '/purge', headers: bearer, body: { all: true } },
    { path: '/warm', headers: bearer, body: { url: 'http://a.example/' } },
    { path: '/reload', headers: { ...bearer, 'x-forwarded-for': '127.0.0.1' }, body: {} },
    { path: '/status', headers: { host: '127.0.0.1' } },
  ];
  for (const [index, asking] of rows.entries()) {
    t.match(
      await ask(site, asking),
      { status: 200, text: 'ok' },
      `${asking.path} is the application's`,
    );
    t.match(origin.requests[index]?.head, new RegExp(`^(GET|POST) ${asking.path} `));
  }
});

t.test('it speaks HTTP/1.1 and nothing else', async (t) => {
  const { url: upstream } = await pages(t);
  const { port, metrics } = await open(t, {
    admin: { listen: '127.0.0.1:0' },
    metrics: '127.0.0.1:0',
    sites: [{ upstream }],
  });
  for (const to of [port, metrics]) {
    t.match(
      (await talk(to, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')).text,
      /^HTTP\/1\.1 (400|505) /,
      'h2',
    );
    const upgrade =
      'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
    t.match((await talk(to, upgrade)).text, /^HTTP\/1\.1 200 /, 'a WebSocket');
    t.match(
      (await talk(to, 'CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n')).text,
      /^HTTP\/1\.1 4\d\d /,
      'CONNECT',
    );
  }
});

t.test('the listener for metrics is read-only, and takes every name', async (t) => {
  const { url: upstream } = await pages(t);
  const { metrics } = await open(
    t,
    { metrics: '127.0.0.1:0', sites: [{ upstream }] },
    { metrics: async () => '# HELP x\nx 1\n' },
  );
  const rows: [Asking, number][] = [
    [{ path: '/healthz', headers: { host: 'headgate:9091' } }, 200],
    [{ path: '/readyz' }, 200],
    [{ path: '/metrics' }, 200],
    [{ path: '/metrics?name[]=x' }, 200],
    [{ path: '/status' }, 404],
    [{ path: '/config' }, 404],
    [{ path: '/purge', headers: bearer, body: { all: true } }, 404],
    [{ path: '/reload', headers: bearer, body: {} }, 404],
    [{ path: '/healthz', body: {} }, 405],
  ];
  for (const [asking, status] of rows)
    t.equal((await ask(metrics, asking)).status, status, `${asking.path}`);
  t.match(await ask(metrics, { path: '/metrics' }), {
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    text: '# HELP x\nx 1\n',
  });
});

t.test('it is not ready while it stops, though all is well behind it', async (t) => {
  const { url: upstream } = await pages(t);
  let isStopping = false;
  const written = {
    metrics: '127.0.0.1:0',
    admin: { listen: '127.0.0.1:0' },
    sites: [{ upstream }],
  };
  const { metrics, port } = await open(t, written, { isStopping: () => isStopping });
  const probe = async () => (await ask(metrics, { path: '/readyz' })).status;
  const shown = async () => JSON.parse((await ask(port, { path: '/status' })).text).ready;
  t.same([await probe(), await shown()], [200, true]);
  isStopping = true;
  t.same([await probe(), await shown()], [503, false]);
  t.equal((await ask(metrics, { path: '/healthz' })).status, 200, 'nobody should kill it for that');
});

t.test('it is ready when every upstream can be reached at one address', async (t) => {
  const up = createTcpServer();
  const there = `http://127.0.0.1:${await listen(t, up)}`;
  const gone = createTcpServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as { port: number };
  const nowhere = `http://127.0.0.1:${port}`;
  gone.close();
  await once(gone, 'close');
  const socket = join(folder(t), 'app.sock');
  const app = createTcpServer().listen(socket);
  await once(app, 'listening');
  t.teardown(() => app.close());

  const rows: [sites: WrittenConfig['sites'], status: number, text: string][] = [
    [[{ upstream: there }], 200, 'ready\n'],
    [[{ upstream: `unix:${socket}` }], 200, 'ready\n'],
    [[{ upstream: nowhere }], 503, "the upstream can't be reached: default\n"],
    [[{ upstream: `unix:${socket}.not` }], 503, "the upstream can't be reached: default\n"],
    [[{ upstream: [nowhere, there] }], 200, 'ready\n'],
    [
      [{ upstream: there, routes: [{ path: '/s', upstream: nowhere }] }],
      503,
      "the upstream can't be reached: default\n",
    ],
    [
      [
        { upstream: there, hosts: ['a.example'] },
        { upstream: nowhere, hosts: ['b.example'] },
      ],
      503,
      "the upstream can't be reached: b.example\n",
    ],
  ];
  for (const [sites, status, text] of rows) {
    const { metrics, port } = await open(t, {
      metrics: '127.0.0.1:0',
      admin: { listen: '127.0.0.1:0' },
      sites,
    });
    t.match(await ask(metrics, { path: '/readyz' }), { status, text });
    const shown = JSON.parse((await ask(port, { path: '/status' })).text);
    t.equal(shown.ready, status === 200);
    t.equal(
      (await ask(metrics, { path: '/healthz' })).status,
      200,
      'it is healthy whatever is behind',
    );
  }
});

t.test('status and configuration tell no secrets', async (t) => {
  const { url: upstream } = await pages(t);
  const here = folder(t);
  const file = join(here, 'token');
  writeFileSync(file, `${TOKEN}\n`);
  const { port } = await open(t, {
    admin: { listen: '127.0.0.1:0', tokenFile: file },
    trusted: ['loopback', { secret: { header: 'x-cdn', file } }],
    sites: [{ upstream, preset: 'site', compress: false }],
  });
  t.equal(
    (await ask(port, { path: '/purge', headers: bearer, body: { all: true } })).status,
    200,
    'the token is the one in the file',
  );
  const shown = await ask(port, { path: '/config' });
  t.notMatch(shown.text, TOKEN);
  t.match(
    JSON.parse(shown.text),
    {
      admin: { tokenFile: file },
      trusted: ['loopback', { secret: { header: 'x-cdn', file } }],
      sites: [{ upstream: { to: upstream, connections: 64 }, middleware: ['fedicache'] }],
    },
    'presets are written out',
  );
  t.match(shown.headers, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  const status = await ask(port, { path: '/status' });
  t.notMatch(status.text, TOKEN);
  t.match(JSON.parse(status.text), {
    version: /^\d+\.\d+\.\d+$/,
    pid: process.pid,
    configuration: { file: null, since: '1970-01-01T00:00:00.000Z', problems: [] },
    ready: true,
    sites: [{ name: 'default', hosts: [], upstreams: [{ url: upstream, reachable: true }] }],
    store: { entries: 0, bytes: 0, maxBytes: 64 * 1024 * 1024 },
  });

  t.same(
    withoutSecrets({
      admin: { listen: ':1', token: 's', tokenFile: './t' },
      trusted: [{ secret: { header: 'x-s', file: './s' } }],
      layers: [
        {
          use: 'x',
          secret: { header: 'X-Pull', value: 's' },
          apiKey: 's',
          password: 12,
          keys: ['s'],
        },
        { use: 'redis://user:s@127.0.0.1:6379/0', key_file: 'f', hotkey: true, monkeys: null },
      ],
      text: 'https://a.example/@user',
    }),
    {
      admin: { listen: ':1', token: '***', tokenFile: './t' },
      trusted: [{ secret: { header: 'x-s', file: './s' } }],
      layers: [
        {
          use: 'x',
          secret: { header: 'X-Pull', value: '***' },
          apiKey: '***',
          password: '***',
          keys: ['***'],
        },
        { use: 'redis://***@127.0.0.1:6379/0', key_file: 'f', hotkey: true, monkeys: null },
      ],
      text: 'https://a.example/@user',
    },
  );
});

t.test('what is wrong with its settings is said', async (t) => {
  const here = folder(t);
  writeFileSync(join(here, 'short'), 'short\n');
  writeFileSync(join(here, 'good'), TOKEN);
  const rows: [admin: unknown, fault: RegExp][] = [
    [{}, /admin\.listen.*is missing/],
    [{ listen: '9090' }, /must be HOST:PORT, .*or unix:PATH, got "9090"/],
    [{ listen: 'unix:' }, /unix:PATH/],
    [{ listen: `unix:${'a'.repeat(100)}` }, /too long for a socket/],
    [{ listen: ':0', token: 'short' }, /at least 16 characters/],
    [{ listen: ':0', token: 'sixteen and more but spaces' }, /without spaces/],
    [{ listen: ':0', token: 1_234_567_890_123_456 }, /must be a text of at least 16/],
    [{ listen: ':0', tokenFile: 'short' }, /admin\.tokenFile.*must hold at least 16 characters/],
    [{ listen: ':0', tokenFile: 'absent' }, /can't be read/],
    [{ listen: ':0', tokenFile: 'good', token: TOKEN }, /one token too many/],
    [{ listen: ':0', hosts: ['*.example'] }, /one name, without \*/],
    [{ listen: ':0', tokn: TOKEN }, /admin\.tokn.*did you mean token/],
  ];
  for (const [admin, fault] of rows) {
    const { faults } = await configure(
      { admin, sites: [{ upstream: 'http://127.0.0.1:1' }] },
      here,
    );
    const told = faults.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
    t.match(told, fault);
    t.notMatch(
      told,
      /1234567890123456|spaces but|a-token/,
      'what might be a secret is not repeated',
    );
  }
  const { faults } = await configure(
    { purge: { from: ['everybody'] }, metrics: '1', sites: [{ upstream: 'http://127.0.0.1:1' }] },
    here,
  );
  t.same(faults.map(({ path }) => path.join('.')).toSorted(), ['metrics', 'purge.from.0']);
});

t.test('PURGE is obeyed from purge.from and does not exist for others', async (t) => {
  const { url: upstream, asked } = await pages(t);
  const sites = [{ hosts: ['a.example', 'b.example'], upstream }];
  const preview = { 'user-agent': MASTODON, accept: 'text/html' };
  const ways: [
    from: string[] | undefined,
    trusted: string[],
    fields: Record<string, string>,
    isObeyed: boolean,
  ][] = [
    [undefined, [], {}, false],
    [['192.0.2.0/24'], [], {}, false],
    [['192.0.2.0/24'], [], { 'x-forwarded-for': '192.0.2.1' }, false],
    [['loopback'], ['loopback'], { 'x-forwarded-for': '203.0.113.9' }, false],
    [['loopback'], ['loopback'], { 'x-forwarded-for': '127.0.0.1, 203.0.113.9' }, false],
    [['192.0.2.0/24'], ['loopback'], { 'x-forwarded-for': '192.0.2.1' }, true],
    [['loopback'], [], {}, true],
    [['127.0.0.1'], ['loopback'], {}, true],
  ];
  for (const [from, trusted, fields, isObeyed] of ways) {
    const { site } = await open(t, { trusted, ...(from && { purge: { from } }), sites });
    const before = asked.length;
    const answer = await ask(site, {
      method: 'PURGE',
      path: '/',
      headers: { host: 'a.example', ...fields },
    });
    t.equal(answer.status, isObeyed ? 200 : 405, JSON.stringify([from, trusted, fields]));
    t.equal(asked.length, before, 'the application is never asked');
  }

  const { site } = await open(t, { trusted: ['loopback'], purge: { from: ['loopback'] }, sites });
  const rows: [path: string, fields: Record<string, string>, expected: string][] = [
    ['/x/1?q', {}, '2 purged\n'],
    ['/x/1', {}, '0 purged\n'],
    ['/x/1?q', { 'x-purge-method': 'default' }, '2 purged\n'],
    ['/.*', {}, '0 purged\n'],
    ['/.*', { 'x-purge-method': 'regex' }, '4 purged\n'],
    ['/x/.*', { 'x-purge-method': 'Regex' }, '2 purged\n'],
    [
      '/x/',
      { 'x-purge-method': 'regex' },
      '400 Bad Request: a pattern can only be the start of a target and .*\n',
    ],
    [
      '/(a+)+$',
      { 'x-purge-method': 'regex' },
      '400 Bad Request: a pattern can only be the start of a target and .*\n',
    ],
    ['/(x|y)/.*', { 'x-purge-method': 'regex' }, '0 purged\n'],
  ];
  for (const [path, fields, expected] of rows) {
    for (const host of ['a.example', 'b.example'])
      for (const scheme of ['http', 'https'])
        for (const page of ['/', '/x/1?q'])
          await ask(site, {
            path: page,
            headers: { host, ...preview, 'x-forwarded-proto': scheme },
          });
    const answer = await ask(site, {
      method: 'PURGE',
      path,
      headers: { host: 'a.example', ...fields },
    });
    t.equal(answer.text, expected, `${path} ${JSON.stringify(fields)}`);
  }
  const unknown = await ask(site, { method: 'PURGE', path: '/', headers: { host: 'c.example' } });
  t.equal(unknown.status, 421, "another's name");
});

t.test('headgate status, purge, warm and reload ask the daemon that runs', async (t) => {
  const { url: upstream, asked } = await pages(t);
  const here = folder(t);
  const file = join(here, 'headgate.yaml');
  const write = (...lines: string[]) =>
    writeFileSync(
      file,
      [
        'listen: 127.0.0.1:0',
        'admin: { listen: unix:admin.sock }',
        ...lines,
        `sites: [{ upstream: "${upstream}" }]`,
      ].join('\n'),
    );
  write();
  const child = spawn('env', [...NODE, 'run'], { cwd: here });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  for (let i = 0; i < 10 && !existsSync(join(here, 'admin.sock')); i++)
    await until(() => existsSync(join(here, 'admin.sock')));
  const headgate = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      execFile('env', [...NODE, ...args], { cwd: here }, (error, out, err) =>
        resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });

  const [status, warm, nothing] = await Promise.all([
    headgate('status'),
    headgate('warm', 'https://a.example/1', 'https://a.example/2'),
    headgate('purge'),
  ]);
  t.match(
    status,
    { code: 0, out: /^version: [\s\S]*ready: true[\s\S]*upstreams:[\s\S]*reachable: true/ },
    err,
  );
  t.match(status.out, `pid: ${child.pid}`, 'it is the process that env became');
  t.match(
    warm,
    { code: 0, out: 'https://a.example/1 is fetched\nhttps://a.example/2 is fetched\n' },
    warm.err,
  );
  t.equal(asked.length, 2);
  t.match(nothing, { code: 1, err: /tell what to forget: one of URL, --prefix URL/ });
  const purged = await headgate('purge', '--prefix', 'https://a.example/');
  t.match(purged, { code: 0, out: '2 forgotten\n' }, purged.err);

  write('scheme: https');
  t.match(await headgate('reload'), { code: 0, out: 'reloaded\n' });
  write('shceme: https');
  const wrong = await headgate('reload');
  t.match(wrong, {
    code: 1,
    err: /headgate\.yaml:3:1: shceme: is not known here; did you mean scheme\?/,
  });
  t.notMatch(wrong.err, /\n {4}at /, 'no stack trace');
  const [after, elsewhere] = await Promise.all([
    headgate('status', '--json'),
    headgate('purge', '--all', '--admin', 'unix:nowhere.sock'),
  ]);
  t.match(
    JSON.parse(after.out),
    { configuration: { file: 'headgate.yaml', problems: [/shceme/] } },
    'the rest of the file may be wrong',
  );
  t.match(elsewhere, { code: 1, err: /nobody answers at .*nowhere\.sock .*is Headgate running\?/ });
  t.match(out, '"problems":', 'it is logged too');

  child.kill('SIGTERM');
  await once(child, 'exit');
  t.notOk(existsSync(join(here, 'admin.sock')), 'nothing is left');
});
