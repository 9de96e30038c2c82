/** HTTPS as operators set it up: files, names, renewals, what is sent on from http, what is refused. */
import { type ChildProcess, spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { aRequest } from '@headgate/core/testing';
import { gate, toConfig, type WrittenConfig } from 'headgate';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { listen, rawOrigin, talk, until } from '../../core/test/wire.ts';
import { configure } from '../src/config/configure.ts';
import { load } from '../src/config/load.ts';
import { pemFiles } from '../src/tls/pem-files.ts';
import { toHttps } from '../src/tls/to-https.ts';
import { certificate, folder, withoutOpenssl } from './certificates.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = ['--conditions=@headgate/source', join(ROOT, 'packages/headgate/src/cli.ts')];
const skip = withoutOpenssl;

/** An application that says what it was asked, and echoes WebSockets. */
async function application(t: Test) {
  const asked: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  const server = createServer(({ url, headers }, res) => {
    asked.push({ url, headers });
    res.end('from the application');
  });
  new WebSocketServer({ server }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(data)),
  );
  return { asked, url: `http://127.0.0.1:${await listen(t, server)}` };
}

/** A gate in this process: a port that speaks TLS, and one that doesn't. */
async function opened(t: Test, written: WrittenConfig, warn?: (message: string) => void) {
  const whole = { listen: ['127.0.0.1:0', 'https://127.0.0.1:0'], ...written };
  const at = await gate(await toConfig(whole), warn ? { warn } : {});
  t.teardown(() => at.close());
  const port = await listen(t, at.server(true));
  return { ...at, port, plain: await listen(t, at.server()) };
}

/** What the server shows to who asks for a name; nobody checks whether it is good. */
async function shown(port: number, servername?: string): Promise<string | undefined> {
  const socket = connect({ port, rejectUnauthorized: false, ...(servername && { servername }) });
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().subjectaltname;
  } finally {
    socket.destroy();
  }
}

/** Asks over https; the certificate is not checked unless there is a `ca`. */
async function ask(port: number, options: RequestOptions = {}) {
  const asked = request({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: options.ca !== undefined,
    agent: false,
    ...options,
  });
  asked.end();
  const [response] = await once(asked, 'response');
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

/** The daemon in a process of its own. */
async function daemon(t: Test, environment: NodeJS.ProcessEnv, args: readonly string[] = ['run']) {
  const { PATH } = process.env;
  const child: ChildProcess = spawn(process.execPath, [...CLI, ...args], {
    cwd: folder(t),
    env: { PATH, ...environment },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => (said.out += chunk));
  child.stderr?.on('data', (chunk) => (said.err += chunk));
  const exit = once(child, 'close').then(([code]) => code);
  for (let i = 0; i < 1_000 && !said.err.includes('Look:') && child.exitCode === null; i++)
    await new Promise((done) => setTimeout(done, 10));
  const ports = Array.from(said.err.matchAll(/https?:\/\/127\.0\.0\.1:(\d+)[,\n]/g), ([, port]) =>
    Number(port),
  );
  return { child, said, exit, ports };
}

t.test('two variables give HTTPS, and http leads there', { skip }, async (t) => {
  const { url: upstream, asked } = await application(t);
  const { cert, key, certText } = certificate(folder(t), 'site', ['site.example']);
  const { ports, said, child, exit } = await daemon(t, {
    HEADGATE_UPSTREAM: upstream,
    HEADGATE_HOST: 'site.example',
    HEADGATE_LISTEN: '127.0.0.1:0,https://127.0.0.1:0',
    HEADGATE_TLS_CERT: cert,
    HEADGATE_TLS_KEY: key,
  });
  const [plain = 0, port = 0] = ports;
  t.match(said.err, /Look: {2}http:\/\/127\.0\.0\.1:\d+, https:\/\/127\.0\.0\.1:\d+/);

  const options = { ca: certText, servername: 'site.example', headers: { host: 'site.example' } };
  const page = await ask(port, { ...options, path: '/a' });
  t.match(page, { status: 200, body: 'from the application' });
  t.match(asked[0]?.headers, { 'x-forwarded-proto': 'https', host: 'site.example' });

  const { messages } = await talk(plain, 'GET /a?b HTTP/1.1\r\nHost: site.example\r\n\r\n');
  t.match(messages[0]?.head, /^HTTP\/1\.1 301 [\s\S]*location: https:\/\/site\.example\/a\?b\r\n/i);
  t.equal(asked.length, 1, 'the application is not asked');

  child.kill('SIGTERM');
  t.equal(await exit, 0);
  t.match(said.out, '"names":["site.example"]', 'what is in use is logged');
});

t.test('each name has its certificate', { skip }, async (t) => {
  const { url: upstream } = await application(t);
  const here = folder(t);
  const made = [['one.example'], ['*.two.example', 'two.example'], ['x.two.example']].map(
    (names, index) => certificate(here, `c${index}`, names),
  );
  const certificates = made.map(({ cert, key }) => ({ cert, key }));
  const { port } = await opened(t, { tls: { certificates }, sites: [{ upstream }] });
  const rows = [
    ['one.example', 'DNS:one.example'],
    ['X.TWO.example', 'DNS:x.two.example'],
    ['two.example', 'DNS:*.two.example, DNS:two.example'],
    ['a.two.example', 'DNS:*.two.example, DNS:two.example'],
    ['x.two.example', 'DNS:x.two.example'],
    ['a.b.two.example', 'DNS:one.example'],
    ['nobody.example', 'DNS:one.example'],
    [`${'a'.repeat(60)}.example`, 'DNS:one.example'],
    [undefined, 'DNS:one.example'],
  ] as const;
  for (const [name, expected] of rows) t.equal(await shown(port, name), expected, name ?? 'none');
});

t.test('a host that the certificate is not for is a 421', { skip }, async (t) => {
  const { url: upstream, asked } = await application(t);
  const here = folder(t);
  const certificates = [['a.example', 'b.example'], ['c.example']].map((names, index) => {
    const { cert, key } = certificate(here, `c${index}`, names);
    return { cert, key };
  });
  const { port } = await opened(t, { tls: { certificates }, sites: [{ upstream }] });
  const rows = [
    ['a.example', 'a.example', 200],
    ['a.example', 'A.example.:443', 200],
    ['a.example', 'b.example', 200],
    ['a.example', 'c.example', 421],
    ['c.example', 'a.example', 421],
    ['other.example', 'other.example', 200], // a CDN that is told not to look
    ['other.example', 'c.example', 421],
    ['', 'c.example', 200],
  ] as const;
  for (const [servername, host, status] of rows) {
    const before = asked.length;
    const { status: answered } = await ask(port, { servername, headers: { host } });
    t.equal(answered, status, `${servername || 'nobody'} was promised, ${host} is asked`);
    t.equal(asked.length - before, status === 200 ? 1 : 0);
  }
});

t.test('only what is safe is agreed upon', { skip }, async (t) => {
  const { url: upstream } = await application(t);
  const { cert, key } = certificate(folder(t), 'a', ['a.example']);
  const sites = [{ upstream }];
  const { port } = await opened(t, { tls: { certificates: [{ cert, key }] }, sites });
  const strict = await opened(t, {
    tls: { certificates: [{ cert, key }], minVersion: 'TLSv1.3' },
    sites,
  });
  const agreed = async (at: number, options: object) => {
    const given = { port: at, host: '127.0.0.1', rejectUnauthorized: false, ...options };
    const socket: TLSSocket = connect(given);
    try {
      await once(socket, 'secureConnect');
      return `${socket.getProtocol()} ${socket.getCipher().standardName}`;
    } catch {
      return 'refused';
    } finally {
      socket.destroy();
    }
  };
  const TLS12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', servername: 'a.example' };
  const rows = [
    [port, {}, 'TLSv1.3 TLS_AES_128_GCM_SHA256'],
    [port, TLS12, 'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
    [port, { ...TLS12, servername: '' }, 'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
    [port, { ...TLS12, ciphers: 'ECDHE-ECDSA-AES128-SHA' }, 'refused'],
    [port, { ...TLS12, ciphers: 'ECDHE-ECDSA-AES128-SHA', servername: '' }, 'refused'],
    [port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }, 'refused'],
    [strict.port, TLS12, 'refused'],
    [strict.port, { ...TLS12, servername: '' }, 'refused'],
    [strict.port, {}, 'TLSv1.3 TLS_AES_128_GCM_SHA256'],
  ] as const;
  for (const [at, options, expected] of rows)
    t.equal(await agreed(at, options), expected, JSON.stringify(options));

  const socket = connect({ port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  await once(socket, 'secureConnect');
  socket.renegotiate({ rejectUnauthorized: false }, () => {});
  const [error] = await once(socket, 'error');
  t.match(error, { code: /NO_RENEGOTIATION/ });

  const { end } = await talk(port, 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
  t.not(end, 'hung', 'who speaks http there is told no secrets, but goes');
  t.equal((await ask(port)).status, 200, 'all others are well');
});

t.test('a renewal by certbot is taken, and nobody notices', { skip }, async (t) => {
  const { url: upstream } = await application(t);
  const here = folder(t);
  const [archive, live] = [join(here, 'archive/site'), join(here, 'live/site')];
  for (const path of [archive, live]) mkdirSync(path, { recursive: true });
  /** As certbot does: new files in archive, then the links in live. */
  const issue = (round: number, change: (text: string) => string = (text) => text) => {
    const { certText, keyText } = certificate(here, 'issued', [
      'site.example',
      `r${round}.example`,
    ]);
    for (const [name, content] of [
      ['fullchain', certText],
      ['privkey', change(keyText)],
    ] as const) {
      writeFileSync(join(archive, `${name}${round}.pem`), content);
      rmSync(join(live, `${name}.pem`), { force: true });
      symlinkSync(`../../archive/site/${name}${round}.pem`, join(live, `${name}.pem`));
    }
  };
  issue(1);
  const files = [{ cert: join(live, 'fullchain.pem'), key: join(live, 'privkey.pem') }];
  const told: unknown[] = [];
  const onTold = (message: unknown) => told.push(message);
  subscribe('headgate:certificate', onTold);
  t.teardown(() => unsubscribe('headgate:certificate', onTold));

  t.test('within a minute', async (t) => {
    const warned: string[] = [];
    const source = pemFiles(files, { warn: (message) => warned.push(message), every: 10 });
    t.teardown(() => source.stop());
    let changes = 0;
    source.onChange(() => {
      changes += 1;
    });
    const before = source.pairFor('site.example');
    await new Promise((done) => setTimeout(done, 50));
    t.equal(source.pairFor('site.example'), before, 'what is the same stays');
    t.match(told, [{ names: ['site.example', 'r1.example'], notAfter: Number }]);
    issue(2, () => 'not a key');
    await until(() => warned.length > 0);
    await new Promise((done) => setTimeout(done, 50));
    t.equal(source.pairFor('site.example'), before);
    t.same([warned.length, changes], [1, 0]);
    t.match(warned[0], /the certificate before stays in use: .*privkey\.pem holds no private key/);
    issue(3);
    await until(() => changes > 0);
    t.ok(source.pairFor('r3.example'));
    t.equal(source.pairFor('r1.example'), undefined);
    t.same([warned.length, changes, told.length], [1, 1, 2]);

    const chain = join(live, 'fullchain.pem');
    const whole = readFileSync(chain, 'utf8');
    const half = whole.slice(0, 200);
    const another = certificate(here, 'another', ['half.example']);
    writeFileSync(chain, `${another.certText}${half}`);
    writeFileSync(join(live, 'privkey.pem'), another.keyText);
    await until(() => warned.length > 1);
    t.match(warned[1], /fullchain\.pem can't be used for TLS: /, 'a chain that is half written');
    t.same([warned.length, changes], [2, 1]);
  });

  t.test('at a reload, while connections are in use', async (t) => {
    issue(4);
    const at = await opened(t, { tls: { certificates: files }, sites: [{ upstream }] });
    const socket = new WebSocket(`wss://127.0.0.1:${at.port}`, { rejectUnauthorized: false });
    await once(socket, 'open');
    const kept = connect({ port: at.port, rejectUnauthorized: false });
    await once(kept, 'secureConnect');
    issue(5);
    const config = { listen: 'https://127.0.0.1:0', sites: [{ upstream }] };
    await at.reload(await toConfig({ ...config, tls: { certificates: files } }));
    t.match(await shown(at.port, 'site.example'), 'r5.example');
    t.match(await shown(at.port), 'r5.example', 'who asks for no name gets it too');
    socket.send('still here');
    t.equal(String((await once(socket, 'message'))[0]), 'still here');
    kept.write('GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n');
    t.match(await text(kept), /^HTTP\/1\.1 200 /);
    socket.terminate();

    issue(6, () => 'broken');
    await t.rejects(
      toConfig({ ...config, tls: { certificates: files } }),
      /certificates\[0\]\.key/,
    );
    t.match(await shown(at.port, 'site.example'), 'r5.example');
  });

  t.test('on SIGHUP', async (t) => {
    issue(7);
    const { child, ports, said } = await daemon(t, {
      HEADGATE_UPSTREAM: upstream,
      HEADGATE_LISTEN: 'https://127.0.0.1:0',
      HEADGATE_TLS_CERT: join(live, 'fullchain.pem'),
      HEADGATE_TLS_KEY: join(live, 'privkey.pem'),
    });
    const [port = 0] = ports;
    t.match(await shown(port), 'r7.example');
    issue(8);
    child.kill('SIGHUP');
    await until(() => said.out.includes('"reloaded"'));
    t.match(await shown(port), 'r8.example');
    issue(9, () => 'broken');
    child.kill('SIGHUP');
    await until(() => said.out.includes('not reloaded'));
    t.match(said.out, /HEADGATE_TLS_KEY: holds no private key in PEM/);
    t.match(await shown(port), 'r8.example', 'the one before stays');
  });
});

t.test('a key that is closed to the user is told with both ways out', { skip }, async (t) => {
  const here = folder(t);
  chmodSync(here, 0o755);
  const { cert, key } = certificate(here, 'a', ['a.example']);
  mkdirSync(join(here, 'archive'), { mode: 0o700 });
  const inside = join(here, 'archive', 'a.key');
  copyFileSync(key, inside);
  chmodSync(key, 0);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) chmodSync(join(here, 'archive'), 0);
  t.teardown(() => chmodSync(join(here, 'archive'), 0o700));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const checked = async (file: string) => {
    const program = `
      import { readPair } from ${JSON.stringify(join(ROOT, 'packages/headgate/src/tls/pair.ts'))};
      ${isRoot ? 'process.setgroups([]); process.setgid(65534); process.setuid(65534);' : ''}
      console.log(readPair(${JSON.stringify({ cert, key: file })}).fault);`;
    const flags = ['--conditions=@headgate/source', '--input-type=module', '-e', program];
    const child = spawn(process.execPath, flags, { env });
    return text(child.stdout);
  };
  const user = isRoot ? 'nobody' : '\\S+';
  t.match(
    await checked(key),
    new RegExp(
      `^can't be read: ${key} is closed to ${user}, .*setfacl -R -m u:${user}:rX ${key}.*--deploy-hook "install -o ${user}`,
    ),
  );
  t.match(
    await checked(inside),
    new RegExp(`can't be read: ${join(here, 'archive')} is closed to ${user}, `),
    'it is the folder',
  );
});

t.test('what does not fit is told in its place, what is odd is a warning', { skip }, async (t) => {
  const here = folder(t);
  const a = certificate(here, 'a', ['a.example', '*.wild.example']);
  const b = certificate(here, 'b', ['b.example']);
  writeFileSync(join(here, 'encrypted.key'), '-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n');
  writeFileSync(join(here, 'empty'), '');
  const file = join(here, 'headgate.yaml');
  const loaded = async (lines: readonly string[]) => {
    writeFileSync(file, lines.join('\n'));
    const found = await load({ file, environment: {}, settings: [] });
    const local = (list: readonly string[] = []) =>
      list.map((line) => line.replaceAll(`${here}/`, ''));
    return { ...found, problems: local(found.problems), warnings: local(found.warnings) };
  };
  const site = ['sites: [{ upstream: "http://127.0.0.1:1" }]'];
  const { problems } = await loaded([
    'listen: [":80", "https://:443"]',
    'tls:',
    '  challenge: nowhere',
    '  certificates:',
    '    - { cert: a.crt, key: b.key }',
    '    - { cert: a.key, key: a.key }',
    '    - { cert: a.crt, key: a.crt }',
    '    - { cert: a.crt, key: encrypted.key }',
    '    - { cert: gone.crt, key: a.key }',
    ...site,
  ]);
  t.same(problems, [
    'headgate.yaml:3:14: tls.challenge: must be a folder that is there, a URL like http://127.0.0.1:8888, or upstream, got "nowhere"',
    'headgate.yaml:5:27: tls.certificates[0].key: is not the key of the certificate that comes first in a.crt',
    'headgate.yaml:6:15: tls.certificates[1].cert: holds no certificate in PEM',
    'headgate.yaml:7:27: tls.certificates[2].key: holds no private key in PEM',
    'headgate.yaml:8:27: tls.certificates[3].key: is encrypted, and nobody is there to type the passphrase: openssl pkey -in encrypted.key writes it without one',
    "headgate.yaml:9:15: tls.certificates[4].cert: can't be read: ENOENT: no such file or directory, open 'gone.crt'",
  ]);
  const nothing = await loaded(['listen: :80', 'tls: {}', ...site]);
  t.match(nothing.problems, [
    /^headgate\.yaml:2:6: tls: is for nothing: no place in listen speaks TLS/,
  ]);
  const without = await loaded(['listen: https://:443', ...site]);
  t.match(without.problems, [/tls\.certificates: is missing, .*HEADGATE_TLS_CERT/]);
  const wrong = await loaded(['listen: ftp://:443', 'tls: { challenge: "http://a/b" }', ...site]);
  t.match(wrong.problems, [/listen: must be HOST:PORT, .* with https:\/\/ in front/, /challenge/]);

  const hosts = '[a.example, x.wild.example, "*.wild.example", y.x.wild.example, b.example, "*"]';
  const odd = [
    'tls: { certificates: [{ cert: a.crt, key: a.key }] }',
    `sites: [{ upstream: "http://127.0.0.1:1", hosts: ${hosts} }]`,
  ];
  const { config, warnings } = await loaded(odd);
  t.match(config?.listen, [
    { at: { port: 80 }, isTls: false },
    { at: { port: 443 }, isTls: true },
  ]);
  t.match(warnings, [
    /^headgate\.yaml:2:\d+: sites\[0\]\.hosts\[3\]: no certificate is for y\.x\.wild\.example: who asks for it is shown the one for a\.example, \*\.wild\.example$/,
    /no certificate is for b\.example/,
  ]);
  t.equal(warnings.length, 2);
  const { now } = Date;
  t.teardown(() => Object.assign(Date, { now }));
  for (const [days, expected] of [
    [2, /expired on \d{4}-\d\d-\d\d: browsers refuse it/],
    [-2, /is not valid before .* is the clock right\?/],
  ] as const) {
    Object.assign(Date, { now: () => now() + days * 86_400_000 });
    const certificates = [{ cert: b.cert, key: b.key }];
    const sites = [{ upstream: 'http://127.0.0.1:1' }];
    const late = await configure({ tls: { certificates }, sites }, here);
    t.match(late.warnings, [{ path: ['tls', 'certificates', 0, 'cert'], message: expected }]);
  }
  t.ok(a);
});

t.test('http leads to https, but for challenges', { skip }, async (t) => {
  const { url: upstream, asked } = await application(t);
  const here = folder(t);
  const { cert, key } = certificate(here, 'a', ['a.example']);
  const webroot = join(here, 'webroot');
  mkdirSync(join(webroot, '.well-known/acme-challenge'), { recursive: true });
  writeFileSync(join(webroot, '.well-known/acme-challenge/tok-en_1'), 'tok-en_1.print');
  writeFileSync(join(webroot, '.well-known/secret'), 'no');
  const renewer = await rawOrigin(t, 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nrenewer');
  const certificates = [{ cert, key }];
  const sites = [{ hosts: ['a.example'], upstream }];
  const purge = { from: ['loopback'] };
  const trusted = ['127.0.0.1'];
  const by = async (tls: object) =>
    (await opened(t, { tls: { certificates, ...tls }, sites, purge, trusted })).plain;
  const redirecting = await by({});
  const fromFolder = await by({ challenge: webroot });
  const fromUrl = await by({ challenge: renewer.url });
  const staying = await by({ redirect: false });
  const token = '/.well-known/acme-challenge/tok-en_1';
  const rows = [
    [redirecting, 'GET /a?b=c', '', '301', 'https://a.example/a?b=c'],
    [redirecting, 'HEAD /', '', '301', 'https://a.example/'],
    [redirecting, 'POST /', '', '308', 'https://a.example/'],
    [redirecting, 'GET //evil.example/', '', '301', 'https://a.example//evil.example/'],
    [redirecting, 'GET /', 'X-Forwarded-Proto: https\r\n', '200', 'from the application'],
    [redirecting, 'PURGE /', '', '200', '0 purged'],
    [redirecting, `GET ${token}`, '', '200', 'from the application'],
    [fromFolder, `GET ${token}`, '', '200', 'tok-en_1.print'],
    [fromFolder, 'GET /.well-known/acme-challenge/other', '', '404', 'length: 0'],
    [fromFolder, 'GET /.well-known/acme-challenge/../secret', '', '301', 'https://a.example/'],
    [fromFolder, 'GET /.well-known/acme-challenge/', '', '301', 'https://a.example/'],
    [fromFolder, 'GET /.well-known/secret', '', '301', 'https://a.example/'],
    [fromUrl, `GET ${token}`, '', '200', 'renewer'],
    [fromUrl, 'GET /', '', '301', 'https://a.example/'],
    [staying, 'GET /', '', '200', 'from the application'],
  ] as const;
  for (const [port, line, more, status, expected] of rows) {
    const isHead = line.startsWith('HEAD');
    const asking = `${line} HTTP/1.1\r\nHost: a.example\r\n${more}Content-Length: 0\r\n\r\n`;
    const { text: said } = await talk(port, asking, { isHead });
    t.match(said, `HTTP/1.1 ${status} `, `${line} ${more}`);
    t.match(said, expected);
  }
  const elsewhere = await talk(redirecting, 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n');
  t.match(elsewhere.text, 'HTTP/1.1 421 ', 'a name that is no site leads nowhere');

  const before = asked.length;
  const socket = new WebSocket(`ws://127.0.0.1:${redirecting}`, { headers: { host: 'a.example' } });
  const [error] = await once(socket, 'error');
  t.match(error, { message: /301/ }, 'a WebSocket too');
  t.equal(asked.length, before);

  const tls = {
    certificates,
    minVersion: 'TLSv1.2',
    redirect: true,
    challenge: 'upstream',
  } as const;
  const next = () => Promise.reject(new Error('asked'));
  for (const [port, host, location] of [
    [8443, 'localhost:8080', 'https://localhost:8443/'],
    [443, 'localhost:8080', 'https://localhost/'],
    [8443, 'a.example', 'https://a.example/'],
    [8443, '[::1]:80', 'https://[::1]:8443/'],
  ] as const) {
    const { layer } = toHttps(tls, [{ at: { port }, isTls: true }]);
    const { headers } = await layer(
      aRequest({ url: '/', scheme: 'http', headers: { host } }),
      next,
    );
    t.equal(headers.location, location);
  }
});

t.test('handshakes that never end hold no place for long, and no thread', { skip }, async (t) => {
  const { url: upstream } = await application(t);
  const { cert, key } = certificate(folder(t), 'a', ['a.example']);
  const at = await opened(t, { tls: { certificates: [{ cert, key }] }, sites: [{ upstream }] });
  const idle = Array.from({ length: 100 }, () => connectTcp(at.port, '127.0.0.1'));
  t.teardown(() => {
    for (const socket of idle) socket.destroy();
  });
  for (const socket of idle) socket.on('error', () => {}).write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
  t.equal((await ask(at.port)).status, 200);
  for (const nonsense of [
    Buffer.alloc(600, 0x16),
    Buffer.from('\x16\x03\x01\xff\xff'),
    Buffer.alloc(0),
  ]) {
    const socket = connectTcp(at.port, '127.0.0.1').on('error', () => {});
    socket.end(nonsense);
    await once(socket.resume(), 'close');
  }
  t.equal((await ask(at.port)).status, 200);
  t.equal(readFileSync(cert, 'utf8').length > 0, true);
});

const CHROMIUM = '/usr/bin/chromium';
const withoutClient = (program: string, why: string) => skip || (existsSync(program) ? false : why);

t.test(
  'curl speaks HTTP/2, and the log says so',
  { skip: withoutClient('/usr/bin/curl', 'needs curl (Debian: curl)') },
  async (t) => {
    const { url: upstream } = await application(t);
    const { cert, key } = certificate(folder(t), 'site', ['site.example']);
    const { ports, said } = await daemon(t, {
      HEADGATE_UPSTREAM: upstream,
      HEADGATE_LISTEN: 'https://127.0.0.1:0',
      HEADGATE_TLS_CERT: cert,
      HEADGATE_TLS_KEY: key,
    });
    const [port = 0] = ports;
    const curl = async (...args: readonly string[]) => {
      const common = ['-sS', '--cacert', cert, '--resolve', `site.example:${port}:127.0.0.1`];
      const out = ['-w', ' %{http_version}', `https://site.example:${port}/`];
      const child = spawn('curl', [...common, ...args, ...out]);
      return text(child.stdout);
    };
    t.equal(await curl('--http2'), 'from the application 2');
    t.equal(await curl('--http1.1'), 'from the application 1.1');
    t.equal(await curl('--http2', '-d', 'a=b'), 'from the application 2');
    await until(() => said.out.includes('HTTP/1.1'));
    t.match(said.out, /"protocol":"HTTP\/2\.0","status":200/);
  },
);

t.test(
  'a browser loads a page over HTTP/2, and opens a WebSocket beside it',
  { skip: withoutClient(CHROMIUM, 'needs Chromium (Debian: chromium)') },
  async (t) => {
    const page = `<!doctype html><title>A page</title><script>
      const socket = new WebSocket(location.href.replace('https', 'wss'));
      socket.onopen = () => socket.send('hello');
      socket.onmessage = ({ data }) => {
        const { nextHopProtocol } = performance.getEntriesByType('navigation')[0];
        fetch('/said/' + nextHopProtocol + '/' + encodeURIComponent(data), { method: 'POST' });
      };
    </script>`;
    const { promise: said, resolve } = Promise.withResolvers<string | undefined>();
    const server = createServer(({ method, url }, res) => {
      if (method === 'POST') resolve(url);
      res.setHeader('content-type', 'text/html').end(page);
    });
    new WebSocketServer({ server }).on('connection', (socket) =>
      socket.on('message', (data) => socket.send(`${data} back`)),
    );
    const upstream = `http://127.0.0.1:${await listen(t, server)}`;
    const here = folder(t);
    const { cert, key } = certificate(here, 'site', ['localhost']);
    const { port } = await opened(t, {
      tls: { certificates: [{ cert, key }] },
      sites: [{ upstream }],
    });
    const child = spawn(CHROMIUM, [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--ignore-certificate-errors',
      `--user-data-dir=${join(here, 'profile')}`,
      `https://localhost:${port}/`,
    ]);
    child.stderr.resume();
    t.teardown(() => child.kill('SIGKILL'));
    t.equal(await said, '/said/h2/hello%20back');
    child.kill();
    await once(child, 'close');
  },
);
