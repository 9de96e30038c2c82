/** Certificates from an authority: issued, kept, renewed, and not asked for again and again. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  connect,
  createSecureContext,
  createServer as createTlsServer,
  getCACertificates,
  setDefaultCACertificates,
} from 'node:tls';
import acmeClient from 'acme-client';
import t, { type Test } from 'tap';
import { listen, talk } from '../../core/test/wire.ts';
import { type Acme, type AcmeOptions, acme, type Clock } from '../src/acme/acme.ts';
import { presenting } from '../src/acme/challenges.ts';
import { answerOverTls } from '../src/acme/over-tls.ts';
import { configure } from '../src/config/configure.ts';
import { toText } from '../src/config/faults.ts';
import { load } from '../src/config/load.ts';
import type { Pair } from '../src/tls/certificates.ts';
import { folder, selfSigned } from './certificates.ts';
import { CA_FILE, pebble, skip } from './pebble.ts';

const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
const silent = { info: () => {}, warn: () => {}, error: () => {} };
const given = {
  names: ['a.example'],
  directory: 'https://127.0.0.1:9/elsewhere',
  challenge: 'http-01',
  log: silent,
} as const;

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2_000 && !holds(); i++) await pause(10);
}

/** A clock that only moves when it is told to. */
function handClock() {
  let now = Date.now();
  const sleepers = new Set<{ until: number; wake: () => void }>();
  const clock: Clock = {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const sleeper = { until: now + ms, wake: () => resolve(sleepers.delete(sleeper)) };
        sleepers.add(sleeper);
        signal.addEventListener('abort', sleeper.wake);
        if (signal.aborted) sleeper.wake();
      }),
  };
  return {
    clock,
    /** Waits until nothing is under way, so that the hands are not turned behind its back. */
    isIdle: () => until(() => sleepers.size > 0),
    turn: async (ms: number) => {
      await until(() => sleepers.size > 0);
      now += ms;
      for (const sleeper of sleepers) if (sleeper.until <= now) sleeper.wake();
      await until(() => sleepers.size > 0);
    },
  };
}

/** A log that remembers. */
function recorder() {
  const logged: { level: string; message: string; [field: string]: unknown }[] = [];
  const at = (level: string) => (fields: unknown, message?: string) => {
    if (typeof fields === 'string') logged.push({ level, message: fields });
    else logged.push({ ...Object(fields), level, message });
  };
  return {
    log: { info: at('info'), warn: at('warn'), error: at('error') },
    logged,
    errors: () => logged.filter(({ level }) => level === 'error'),
  };
}

t.test('settings that can not work are refused with what to write', async (t) => {
  const here = folder(t);
  const wild = await selfSigned('*.wild.example', { from: Date.now(), to: Date.now() + DAY });
  const certificates = [{ cert: 'wild.crt', key: 'wild.key' }];
  writeFileSync(join(here, 'wild.crt'), wild.cert);
  writeFileSync(join(here, 'wild.key'), wild.key);
  const upstream = 'http://127.0.0.1:3000';
  const at = (hosts: string[] | undefined, more: object = {}) => ({
    tls: { acme: { agree: true, ...more } },
    sites: [{ hosts, upstream }],
  });
  const rows: [written: unknown, message: RegExp][] = [
    [at(['a.example'], { agree: false }), /^tls\.acme\.agree: must be true: .*letsencrypt\.org/],
    [at(['a.example'], { agree: undefined }), /^tls\.acme\.agree: must be true/],
    [at(['a.example'], { email: 'me' }), /^tls\.acme\.email: must be an address like/],
    [at(['a.example'], { directory: 'http://a.example/' }), /directory: must be an https URL/],
    [at(['*.a.example']), /^sites\[0\]\.hosts\[0\]: .*\*\.a\.example: that needs .*dns-01/],
    [at(['*']), /dns-01/],
    [at(undefined), /^tls\.acme: must know for which names: .*HEADGATE_HOST/],
    [{ ...at(['a.example']), listen: 'https://:443' }, /challenge: http-01 comes to port 80/],
    [{ ...at(['a.example']), listen: ':80' }, /^tls: is for nothing/],
  ];
  for (const [written, message] of rows) {
    const { faults, config } = await configure(written, here);
    t.match(faults.map((fault) => `${toText(fault.path)}: ${fault.message}`)[0], message);
    t.equal(config, undefined);
  }

  const hosts = ['A.example', 'localhost', 'b.wild.example', '*.wild.example', '[::1]'];
  const { config, warnings } = await configure(
    { tls: { acme: { agree: true }, certificates }, sites: [{ hosts, upstream }] },
    here,
  );
  t.same(config?.tls?.acme, {
    directory: 'https://acme-v02.api.letsencrypt.org/directory',
    challenge: 'http-01',
    names: ['a.example'],
    state: join(here, 'headgate-state'),
  });
  t.match(warnings, [
    { path: ['sites', 0, 'hosts', 1], message: 'no authority gives a certificate for localhost' },
    { path: ['sites', 0, 'hosts', 4], message: /\[::1\]/ },
  ]);

  const environment = { HEADGATE_UPSTREAM: upstream, HEADGATE_HOST: 'a.example' };
  const loaded = async (more: NodeJS.ProcessEnv) => {
    const { config, problems } = await load({
      environment: { ...environment, ...more },
      settings: [],
    });
    return config?.tls?.acme ?? problems;
  };
  t.match(await loaded({ HEADGATE_ACME: 'me@a.example', STATE_DIRECTORY: '/var/lib/h:/other' }), {
    email: 'me@a.example',
    state: /^\/var\/lib\/h$/,
  });
  t.match(
    await loaded({
      ...{ HEADGATE_ACME: 'true', HEADGATE_ACME_DIRECTORY: 'https://ca.example/dir' },
      ...{ HEADGATE_STATE: '/srv/state', STATE_DIRECTORY: '/var/lib/h' },
    }),
    { email: undefined, directory: 'https://ca.example/dir', state: '/srv/state' },
  );
  t.match(await loaded({ HEADGATE_ACME: 'false' }), [/^HEADGATE_ACME: must be an address like/]);
});

t.test(
  'names that can not be certified, and a state that can not be used, are refused',
  async (t) => {
    const state = folder(t);
    const rows: [Partial<AcmeOptions>, RegExp][] = [
      [{ names: ['*.a.example'] }, /^names must be whole: .*"\*\.a\.example" needs .*dns-01/],
      [{ names: ['localhost'] }, /^names must be DNS names like .*got "localhost"/],
      [{ names: ['192.0.2.1'] }, /^names must be DNS names/],
      [{ names: ['[::1]'] }, /^names must be DNS names/],
      [{ names: ['../../etc/x.example'] }, /^names must be DNS names/],
      [{ names: [`${'a'.repeat(64)}.example`] }, /^names must be DNS names/],
      [{ state: CA_FILE }, /^state must be a folder in which .* can write, got .*localhost\.pem/],
    ];
    for (const [options, message] of rows)
      await t.rejects(acme({ ...given, state, ...options }), { name: 'TypeError', message });
    t.same(readdirSync(state), [], 'nothing was written');
  },
);

t.test('what an authority asks for is done', async (t) => {
  setDefaultCACertificates([...getCACertificates(), readFileSync(CA_FILE, 'utf8')]);
  const answers: [status: number, fields: Record<string, string>, text: string, said: RegExp[]][] =
    [
      [
        429,
        { 'retry-after': '36000' },
        '{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many of them"}',
        [/: too many of them$/, /wait/, /^2001-01-01T10:00/],
      ],
      [
        503,
        { 'retry-after': new Date(Date.now() + 10 * HOUR).toUTCString() },
        'busy',
        [/the authority answers 503$/, /says no more/, /^2001-01-01T(?:09:59|10:00)/],
      ],
      [
        403,
        { 'retry-after': '360000000' },
        '{"type":"urn:ietf:params:acme:error:caa","detail":"no","subproblems":[{"detail":"CAA of up"}]}',
        [/: no; CAA of up$/, /CAA record of slow\.example\.org/, /^2001-01-02T00:00/],
      ],
      [200, {}, '<html>', [/in ACME directory: "newAccount"$/, /directory/, /T00:02/]],
    ];
  for (const [status, fields, text, [said, check, again]] of answers) {
    const server = createHttpsServer(
      { cert: readFileSync(CA_FILE), key: readFileSync(CA_FILE.replace('.pem', '-key.pem')) },
      (_, res) => res.writeHead(status, fields).end(text),
    );
    const directory = `https://127.0.0.1:${await listen(t, server)}/dir`;
    const { log, errors } = recorder();
    const now = () => Date.UTC(2001, 0, 1);
    const clock = { ...handClock().clock, now };
    const names = ['slow.example.org'];
    const source = await acme({ ...given, names, directory, state: folder(t), log, clock });
    source.begin();
    await until(() => errors().length > 0);
    await source.stop();
    t.match(errors(), [{ message: said, check, again }]);
  }
});

t.test('only a nonce that was refused is tried again', async (t) => {
  setDefaultCACertificates([...getCACertificates(), readFileSync(CA_FILE, 'utf8')]);
  const tls = {
    cert: readFileSync(CA_FILE),
    key: readFileSync(CA_FILE.replace('.pem', '-key.pem')),
  };
  for (const [type, count] of [
    ['badNonce', 6],
    ['externalAccountRequired', 1],
  ] as const) {
    let posts = 0;
    const server = createHttpsServer(tls, ({ method, headers }, res) => {
      const at = (path: string) => `https://${headers.host}${path}`;
      const resources = {
        newNonce: at('/nonce'),
        newAccount: at('/account'),
        newOrder: at('/order'),
      };
      const problem = { type: `urn:ietf:params:acme:error:${type}`, detail: 'no' };
      res.setHeader('replay-nonce', 'abc');
      if (method === 'POST') posts += 1;
      res.writeHead(method === 'POST' ? 400 : 200);
      res.end(JSON.stringify(method === 'POST' ? problem : resources));
    });
    const directory = `https://127.0.0.1:${await listen(t, server)}/dir`;
    const { log, errors } = recorder();
    const names = ['once.example.org'];
    const source = await acme({ ...given, names, directory, state: folder(t), log });
    source.begin();
    await until(() => errors().length > 0);
    await source.stop();
    t.match(errors(), [{ type }]);
    t.equal(posts, count);
  }
});

/** An authority's server, which answers as a test has it. */
async function badAuthority(t: Test, answer: RequestListener): Promise<string> {
  setDefaultCACertificates([...getCACertificates(), readFileSync(CA_FILE, 'utf8')]);
  const key = readFileSync(CA_FILE.replace('.pem', '-key.pem'));
  const server = createHttpsServer({ cert: readFileSync(CA_FILE), key }, answer);
  return `https://127.0.0.1:${await listen(t, server)}/dir`;
}

t.test('where no answer comes, what was said before is not the reason', async (t) => {
  let posts = 0;
  const directory = await badAuthority(t, ({ method, headers, socket }, res) => {
    res.setHeader('replay-nonce', 'abc');
    const at = (path: string) => `https://${headers.host}${path}`;
    const problem = { type: 'urn:ietf:params:acme:error:badNonce', detail: 'another nonce' };
    if (method !== 'POST')
      return res.end(JSON.stringify({ newNonce: at('/nonce'), newAccount: at('/account') }));
    posts += 1;
    if (posts > 1) return socket.destroy();
    return res.writeHead(400).end(JSON.stringify(problem));
  });
  const { log, errors } = recorder();
  const source = await acme({ ...given, directory, state: folder(t), log });
  source.begin();
  await until(() => errors().length > 0);
  await source.stop();
  t.match(errors(), [{ type: undefined, message: /dir stopped answering$/ }]);
  t.equal(posts, 2);
});

t.test('an answer without end is given up', async (t) => {
  const limit = AbortSignal.timeout;
  t.intercept(AbortSignal, 'timeout', {
    value: (ms: number) => limit.call(AbortSignal, ms > 60_000 ? ms / 600 : ms),
  });
  for (const [every, size] of [
    [20, 1],
    [1, 256 * 1024],
  ] as const) {
    let sent = 0;
    const directory = await badAuthority(t, ({ method }, res) => {
      if (method === 'HEAD') return res.end();
      const timer = setInterval(() => {
        if (res.writableNeedDrain) return;
        sent += size;
        res.write(' '.repeat(size));
      }, every);
      res.once('close', () => clearInterval(timer));
    });
    const { log, errors } = recorder();
    const source = await acme({ ...given, directory, state: folder(t), log });
    source.begin();
    await until(() => errors().length > 0);
    await source.stop();
    t.match(errors(), [{ message: /dir stopped answering$/ }], `${size} bytes at a time`);
    t.ok(sent < 16 * 1024 * 1024, 'nor is all of it taken');
  }
});

t.test('while a challenge is under way over TLS, everybody else is served as ever', async (t) => {
  const life = { from: Date.now(), to: Date.now() + DAY };
  const own = await selfSigned('a.example.org', life);
  const underWay = presenting('tls-alpn-01');
  const challenge = { name: 'a.example.org', token: 'a', keyAuthorization: 'a.b' };
  const done = await underWay.present({ ...challenge, crypto: acmeClient.crypto });
  const server = createTlsServer(own, (socket) => socket.end(`hello ${socket.servername}`));
  server.on('tlsClientError', (_, socket) => socket.destroy());
  answerOverTls(server, underWay);
  const port = await listen(t, server);

  const dribbling = createTcpServer((near) => {
    const far = connectTcp(port, '127.0.0.1').setNoDelay();
    near.on('data', async (chunk) => {
      near.pause();
      for (let at = 0; at < chunk.length; at += 40) {
        far.write(chunk.subarray(at, at + 40));
        await pause(2);
      }
      near.resume();
    });
    far.on('error', () => {}).pipe(near.on('error', () => {}));
  });
  const slowly = await listen(t, dribbling);

  /** What a client hears. */
  const ask = async (servername: string, ALPNProtocols: string[], at = port) => {
    const host = '127.0.0.1';
    const socket = connect({
      port: at,
      host,
      servername,
      ALPNProtocols,
      rejectUnauthorized: false,
    });
    const heard = ['nothing', ''];
    socket.on('secureConnect', () => {
      const isOwn = socket.getPeerX509Certificate()?.raw.equals(new X509Certificate(own.cert).raw);
      heard[0] = `${isOwn ? 'its own' : 'challenge'} ${socket.alpnProtocol || ''}`;
    });
    socket.on('data', (chunk) => (heard[1] += chunk));
    await once(socket, 'close').catch(() => {});
    return heard;
  };
  const ordinary = ['its own ', 'hello a.example.org'];
  t.same(await ask('a.example.org', []), ordinary);
  t.same(await ask('a.example.org', [], slowly), ordinary, 'however it comes');
  t.same(await ask('a.example.org', ['acme-tls/1']), ['challenge acme-tls/1', '']);
  t.same(await ask('A.example.org', ['acme-tls/1'], slowly), ['challenge acme-tls/1', '']);
  t.same(await ask('b.example.org', ['acme-tls/1']), ['nothing', ''], 'another name');
  t.match((await talk(port, 'GET / HTTP/1.1\r\n\r\n')).text, /^(?!HTTP)/);
  const silent = connectTcp(port, '127.0.0.1');
  await once(silent, 'connect');
  silent.resetAndDestroy();
  t.same(await ask('a.example.org', []), ordinary, 'who leaves takes nobody along');
  done();
  t.same(await ask('a.example.org', []), ordinary);
  t.match(await ask('a.example.org', ['acme-tls/1']), ['its own ']);
});

t.test('who says to look for a challenge can not stay', async (t) => {
  const underWay = presenting('tls-alpn-01');
  const challenge = { name: 'a.example.org', token: 'a', keyAuthorization: 'a.b' };
  await underWay.present({ ...challenge, crypto: acmeClient.crypto });
  const server = createTlsServer();
  answerOverTls(server, underWay);
  const port = await listen(t, server);

  /** Whether the way lets through only the first that a client says. It never tells that one ended. */
  let isShort = false;
  const way = createTcpServer({ allowHalfOpen: true }, (near) => {
    const far = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true });
    far.on('data', (chunk) => near.write(chunk)).on('error', () => {});
    let isFirst = true;
    near
      .on('error', () => {})
      .on('data', (chunk) => {
        if (isFirst || !isShort) far.write(chunk);
        isFirst = false;
      });
    t.teardown(() => far.destroy());
  });
  const wayPort = await listen(t, way);
  const count = () =>
    new Promise((resolve) => server.getConnections((_error, number) => resolve(number)));
  const goes = async () => {
    for (let i = 0; i < 1_200 && (await count()) !== 0; i++) await pause(10);
    return count();
  };
  const host = '127.0.0.1';
  const asked = { port: wayPort, host, servername: 'a.example.org', rejectUnauthorized: false };
  for (isShort of [false, true]) {
    const socket = connect({ ...asked, ALPNProtocols: ['acme-tls/1'] }).on('error', () => {});
    await once(socket, isShort ? 'connect' : 'secureConnect');
    await pause(50);
    if (isShort) t.equal(await count(), 1);
    t.equal(await goes(), 0, isShort ? 'in the handshake' : 'when it has seen it');
    socket.destroy();
  }
});

t.test('an authority', { skip, timeout: 240_000 }, async (t) => {
  setDefaultCACertificates([...getCACertificates(), readFileSync(CA_FILE, 'utf8')]);
  let current: Acme | undefined;
  /** What the challenge is answered with instead, where a test breaks it. */
  let wrong: string | undefined;
  /** The names for which somebody came over HTTP. */
  const asked = new Set<string>();
  const web = createServer(({ url = '', headers }, res) => {
    asked.add(headers.host?.replace(/:.*/, '') ?? '');
    const token = /^\/\.well-known\/acme-challenge\/([\w-]+)$/.exec(url)?.[1] ?? '';
    const text = wrong ?? current?.answer(token);
    res.statusCode = text === undefined ? 404 : 200;
    res.end(text);
  });
  const secure = createTlsServer({
    SNICallback: (name, done) => {
      const pair = current?.pairFor(name);
      done(null, pair && createSecureContext(pair));
    },
  });
  secure.on('secureConnection', (socket) => socket.end('hello'));
  answerOverTls(secure, {
    isPresenting: () => current?.isPresenting() === true,
    challengePairFor: (name) => current?.challengePairFor(name),
  });
  const tlsPort = await listen(t, secure);
  const authority = await pebble(t, { httpPort: await listen(t, web), tlsPort });
  const running = await authority.open();
  const { directory } = authority;

  /** Starts with what is given; what is logged is kept. */
  const start = async (
    t: Test,
    { state = folder(t), ...options }: Partial<AcmeOptions> & Pick<AcmeOptions, 'names'>,
  ) => {
    const hands = handClock();
    const { log, logged, errors } = recorder();
    const { clock } = hands;
    const source = await acme({ ...given, directory, state, clock, log, ...options });
    t.teardown(source.stop);
    current = source;
    source.begin();
    let changes = 0;
    source.onChange(() => {
      changes += 1;
    });
    return { ...source, ...hands, state, logged, errors, changes: () => changes };
  };

  /** What somebody who trusts the authority sees of a name. */
  const visit = async (name: string) => {
    const socket = connect({
      port: tlsPort,
      host: '127.0.0.1',
      servername: name,
      ca: await authority.root(),
    });
    await once(socket, 'secureConnect');
    const { subjectaltname, serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return { subjectaltname, serialNumber };
  };
  const serial = (pair: Pair | undefined) => new X509Certificate(pair?.cert ?? '').serialNumber;
  const filesIn = (state: string) =>
    readdirSync(state, { recursive: true, encoding: 'utf8' }).toSorted();
  const keptIn = (state: string) => join(state, 'acme', filesIn(join(state, 'acme'))[0] ?? '');

  await t.test('certificates are issued over HTTP, one for each name, and kept', async (t) => {
    const before = running.orders();
    const names = ['one.example.org', 'Two.example.org', 'two.example.org'];
    const source = await start(t, { names, email: 'me@example.org' });
    t.equal(source.pairFor('one.example.org'), undefined);
    await source.isIdle();
    t.equal(running.orders() - before, 2);
    t.equal(source.changes(), 2);
    for (const name of ['one.example.org', 'two.example.org'])
      t.match(await visit(name), { subjectaltname: `DNS:${name}` }, 'clients trust it');
    t.same(source.pairFor('TWO.example.org'), source.pairFor('two.example.org'));
    t.same(source.pairFor(''), source.pairFor('one.example.org'), 'where no other fits');
    t.equal(source.pairFor('example.org'), undefined);
    t.equal(source.pairFor('three.example.org'), undefined);
    t.match(source.logged, [
      { level: 'info', name: 'one.example.org', terms: /^data:|^https?:/ },
      { level: 'info', name: 'two.example.org' },
    ]);

    t.same(filesIn(keptIn(source.state)), [
      'account-key.pem',
      'attempts.json',
      'certificates',
      'certificates/one.example.org.pem',
      'certificates/two.example.org.pem',
    ]);
    for (const path of ['acme', ...filesIn(join(source.state, 'acme')).map((p) => `acme/${p}`)]) {
      const stat = statSync(join(source.state, path));
      t.equal(stat.mode & 0o777, stat.isDirectory() ? 0o700 : 0o600, path);
    }
    t.equal(readFileSync(join(keptIn(source.state), 'attempts.json'), 'utf8'), '{}');
    t.equal(source.challengePairFor('one.example.org'), undefined);
  });

  await t.test('a challenge is answered only while it is under way', async (t) => {
    const tokens: string[] = [];
    const spy = (req: { url?: string }) => {
      tokens.push(req.url?.split('/').at(-1) ?? '');
      for (const name of ['once.example.org', 'toString', '__proto__', ''])
        t.equal(current?.answer(name), undefined, name);
    };
    web.prependListener('request', spy);
    t.teardown(() => web.off('request', spy));
    const { answer, isIdle, pairFor } = await start(t, { names: ['once.example.org'] });
    await isIdle();
    t.ok(pairFor('once.example.org'));
    t.ok(tokens.length > 0);
    for (const token of tokens) t.equal(answer(token), undefined);
  });

  await t.test('a certificate is issued over TLS', async (t) => {
    const source = await start(t, { names: ['alpn.example.org'], challenge: 'tls-alpn-01' });
    await source.isIdle();
    t.same(source.errors(), []);
    t.match(await visit('alpn.example.org'), { subjectaltname: 'DNS:alpn.example.org' });
    t.notOk(asked.has('alpn.example.org'), 'nobody came over HTTP');
    t.equal(source.challengePairFor('alpn.example.org'), undefined);
  });

  await t.test('it is renewed when two thirds of its life are over, not before', async (t) => {
    const source = await start(t, { names: ['renew.example.org'] });
    await source.isIdle();
    const first = source.pairFor('renew.example.org');
    const { validFromDate, validToDate } = new X509Certificate(first?.cert ?? '');
    const life = validToDate.getTime() - validFromDate.getTime();
    await source.turn(life * 0.61);
    t.equal(source.pairFor('renew.example.org'), first);
    await source.turn(life * 0.06);
    const second = source.pairFor('renew.example.org');
    t.not(serial(second), serial(first));
    t.not(second?.key, first?.key, 'with a new key');
    t.equal(source.changes(), 2);
    t.match(await visit('renew.example.org'), { serialNumber: serial(second) });
  });

  await t.test('a new start takes what is kept, and orders nothing', async (t) => {
    const names = ['kept.example.org'];
    const first = await start(t, { names });
    await first.isIdle();
    await first.stop();
    const before = running.orders();
    const second = await start(t, { names, state: first.state });
    t.same(second.pairFor('kept.example.org'), first.pairFor('kept.example.org'), 'at once');
    await second.isIdle();
    t.equal(running.orders(), before);
    t.equal(second.changes(), 0);
    const elsewhere = await acme({ ...given, names, state: first.state });
    t.equal(elsewhere.pairFor('kept.example.org'), undefined, "another authority's is its own");
    await elsewhere.stop();
  });

  await t.test('other names can be wanted; those no longer wanted are let go', async (t) => {
    const source = await start(t, { names: ['old.example.org'] });
    await source.isIdle();
    await t.rejects(source.want(['*.example.org']), { message: /dns-01/ });
    t.ok(source.pairFor('old.example.org'), 'nothing changed');
    await source.want(['new.example.org']);
    t.equal(source.changes(), 2, 'that is told too');
    t.equal(source.pairFor(''), undefined);
    await until(() => source.changes() === 3);
    t.ok(source.pairFor('new.example.org'));
    t.same(source.pairFor(''), source.pairFor('new.example.org'));
    t.equal(source.pairFor('old.example.org'), undefined);
    const before = running.orders();
    await source.want(['old.example.org', 'new.example.org']);
    t.ok(source.pairFor('old.example.org'), 'it was kept');
    await source.turn(HOUR);
    t.equal(running.orders(), before);
  });

  await t.test('what fails is told, and tried again later and later', async (t) => {
    wrong = 'something else';
    t.teardown(() => {
      wrong = undefined;
    });
    const names = ['fails.example.org'];
    const before = running.orders();
    const source = await start(t, { names });
    await source.isIdle();
    t.match(source.errors(), [
      {
        name: 'fails.example.org',
        type: 'unauthorized',
        message: /^no certificate for fails\.example\.org: .*something else/,
        check: /A and AAAA records of fails\.example\.org .* port 80/,
        again: /^20\d\d-/,
      },
    ]);
    t.equal(source.pairFor('fails.example.org'), undefined);
    t.equal(source.changes(), 0);

    const orders = () => running.orders() - before;
    const waits: number[] = [];
    for (let minutes = 0; orders() < 6; minutes++) {
      const had = orders();
      await source.turn(60_000);
      if (orders() === had) continue;
      waits.push(minutes - waits.reduce((sum, wait) => sum + wait, 0));
    }
    t.equal(waits.length, 5);
    for (const [index, wait] of waits.entries())
      t.ok(wait >= 2 ** (index + 1) - 1 && wait <= 1.2 * 2 ** (index + 1) + 1, `${waits}`);

    await source.stop();
    const again = await start(t, { names, state: source.state });
    await again.isIdle();
    t.equal(orders(), 6, 'a new start does not begin anew');
    t.match(
      again.logged,
      [
        {
          level: 'warn',
          again: /^20\d\d-/,
          message: /failed before .* fails\.example\.org must wait/,
        },
      ],
      'and says so',
    );
    await again.stop();

    wrong = undefined;
    const { failures } = JSON.parse(
      readFileSync(join(keptIn(source.state), 'attempts.json'), 'utf8'),
    )['fails.example.org'];
    t.equal(failures, 6);
    const mended = await start(t, { names, state: source.state });
    await mended.turn(3 * HOUR);
    t.ok(mended.pairFor('fails.example.org'));
    t.equal(readFileSync(join(keptIn(source.state), 'attempts.json'), 'utf8'), '{}');
  });

  await t.test('one that is due again at once, by a clock that is ahead, waits', async (t) => {
    const source = await start(t, { names: ['ahead.example.org'] });
    await source.isIdle();
    const before = running.orders();
    await source.turn(6 * 365 * DAY);
    t.equal(running.orders(), before + 1);
    for (let second = 0; second < 5; second++) await source.turn(1_000);
    t.equal(running.orders(), before + 1);
    t.match(source.logged.at(-1), { level: 'warn', message: /is due again at once.*clock/ });
    await source.turn(3 * 60_000);
    t.equal(running.orders(), before + 2);
    await source.turn(3 * 60_000);
    t.equal(running.orders(), before + 2, 'ever longer');
  });

  await t.test('a name that fails takes no other with it', async (t) => {
    const refuse = (req: { url?: string; headers: Record<string, unknown> }) => {
      wrong = String(req.headers.host).startsWith('bad.') ? 'nonsense' : undefined;
    };
    web.prependListener('request', refuse);
    t.teardown(() => {
      web.off('request', refuse);
      wrong = undefined;
    });
    const source = await start(t, { names: ['bad.example.org', 'good.example.org'] });
    await source.isIdle();
    t.equal(source.pairFor('bad.example.org'), undefined);
    t.ok(source.pairFor('good.example.org'));
  });

  await t.test('a failing renewal leaves the certificate that is there', async (t) => {
    const source = await start(t, { names: ['stays.example.org'] });
    await source.isIdle();
    const pair = source.pairFor('stays.example.org');
    wrong = 'nonsense';
    t.teardown(() => {
      wrong = undefined;
    });
    await source.turn(4 * 365 * DAY);
    t.equal(source.errors().length, 1);
    t.equal(source.pairFor('stays.example.org'), pair);
  });

  await t.test('what is damaged on disk is told and made anew', async (t) => {
    const names = ['damaged.example.org'];
    const first = await start(t, { names });
    await first.isIdle();
    await first.stop();
    const own = first.pairFor('damaged.example.org') as Pair;
    const place = keptIn(first.state);
    const pairFile = join(place, 'certificates', 'damaged.example.org.pem');
    const accountFile = join(place, 'account-key.pem');
    const attemptsFile = join(place, 'attempts.json');
    const other = await selfSigned('other.example.org', { from: Date.now(), to: Date.now() + DAY });
    const renamed = await selfSigned('damaged.example.org', {
      from: Date.now(),
      to: Date.now() + DAY,
    });
    const rows: [what: string, file: string, text: string, said: RegExp][] = [
      ['half', pairFile, readFileSync(pairFile, 'utf8').slice(0, 300), /pem is damaged/],
      ['nonsense', pairFile, 'nonsense', /damaged/],
      [
        'another name',
        pairFile,
        other.key + other.cert,
        /DNS:other\.example\.org, not for damaged/,
      ],
      ['another key', pairFile, renamed.key + own.cert, /key does not belong/],
      ['no account', accountFile, 'nonsense', /account-key\.pem is damaged/],
      ['no attempts', attemptsFile, '{"a":', /attempts\.json is damaged/],
      ['odd attempts', attemptsFile, '{"damaged.example.org":{"failures":-1}}', /damaged/],
    ];
    for (const [what, file, text, said] of rows) {
      writeFileSync(file, text);
      const source = await start(t, { names, state: first.state });
      await source.isIdle();
      t.match(source.logged[0], { level: 'warn', message: said }, what);
      t.equal(source.logged[0]?.message.includes('PRIVATE'), false);
      const pair = source.pairFor('damaged.example.org');
      t.match(await visit('damaged.example.org'), { serialNumber: serial(pair) }, what);
      t.same(source.errors(), [], what);
      await source.stop();
    }
    const far = { 'damaged.example.org': { failures: 1, after: Date.now() + 1000 * DAY } };
    writeFileSync(attemptsFile, JSON.stringify(far));
    rmSync(pairFile);
    const source = await start(t, { names, state: first.state });
    await source.turn(DAY + HOUR);
    t.ok(source.pairFor('damaged.example.org'), 'no clock that was wrong makes it wait for ever');
    await source.stop();

    rmSync(pairFile);
    mkdirSync(pairFile);
    await t.rejects(start(t, { names, state: first.state }), {
      name: 'TypeError',
      message: /^state must be a folder in which .*: EISDIR/,
    });
  });

  await t.test('where nothing can be written, nothing is ordered', async (t) => {
    const state = folder(t);
    const names = ['full.example.org'];
    const first = await start(t, { names: ['first.example.org'], state });
    await first.isIdle();
    mkdirSync(join(keptIn(state), 'attempts.json.new'));
    const before = running.orders();
    await first.want(names);
    await until(() => first.errors().length > 0);
    t.match(first.errors(), [
      { message: /^no certificate ordered for full\.example\.org: state must be a folder/ },
    ]);
    await first.turn(60_000);
    t.equal(running.orders(), before);
    t.equal(first.errors().length, 1, 'nor is it tried all the time');
  });

  await t.test('stopping ends what is under way', async (t) => {
    let isAsked = () => {};
    const arrived = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    const hold = () => isAsked();
    web.prependListener('request', hold);
    t.teardown(() => web.off('request', hold));
    const { stop, errors, pairFor } = await start(t, { names: ['stop.example.org'] });
    await arrived;
    await stop();
    t.equal(pairFor('stop.example.org'), undefined);
    t.same(errors(), [], 'that is no error');
  });

  await t.test('an authority that is gone, or forgot the account, is asked again', async (t) => {
    const source = await start(t, { names: ['lost.example.org'] });
    await source.isIdle();
    await running.stop();
    await source.want(['lost.example.org', 'later.example.org']);
    await until(() => source.errors().length > 0);
    t.match(source.errors(), [
      {
        name: 'later.example.org',
        message: /: https:\/\/127\.0\.0\.1:\d+\/dir doesn't answer: connect ECONNREFUSED/,
        check: /reachable from here.*tls\.acme\.directory/,
      },
    ]);
    await authority.open({ remembers: true });
    await source.turn(5 * 60_000);
    t.ok(source.pairFor('later.example.org'));
    const before = source.pairFor('later.example.org');
    asked.clear();
    await source.turn(4 * 365 * DAY);
    t.not(source.pairFor('later.example.org'), before);
    t.equal(source.errors().length, 1);
    t.same([...asked], ['lost.example.org'], 'the other name needs no challenge again');
  });
});
