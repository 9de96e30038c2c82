/** The daemon that has its certificates issued, and renewed while it serves. */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { Agent, request } from 'node:https';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { listen, OK, rawOrigin, talk } from '../../core/test/wire.ts';
import { folder, selfSigned } from './certificates.ts';
import { CA_FILE, pebble, skip } from './pebble.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const NAME = 'social.example.org';
const SECOND = 1_000;

/** Patience for what an authority does in a moment, on a machine that is busy with other tests. */
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 3_000 && !holds(); i++) await pause(10);
}

/** A port that leads to wherever it is told later. */
async function relay(t: Test) {
  const to = { port: 0 };
  const server = createServer((near) => {
    const far = connect(to.port, '127.0.0.1');
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  return { to, port: await listen(t, server) };
}

async function daemon(t: Test, environment: Record<string, string>) {
  const command = [process.execPath, '--conditions=@headgate/source', CLI, 'run'];
  const child = spawn('env', ['-u', 'NODE_OPTIONS', ...command], {
    cwd: folder(t),
    env: {
      ...process.env,
      HEADGATE_LISTEN: '127.0.0.1:0,https://127.0.0.1:0',
      NODE_EXTRA_CA_CERTS: CA_FILE,
      ...environment,
    },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  const look = /Look: +http:\/\/127\.0\.0\.1:(\d+), https:\/\/127\.0\.0\.1:(\d+)/;
  await until(() => look.test(err) || child.exitCode !== null);
  const [, httpPort, tlsPort] = look.exec(err) ?? [];
  return {
    httpPort: Number(httpPort),
    tlsPort: Number(tlsPort),
    out: () => out,
    reload: () => child.kill('SIGHUP'),
    err: () => err,
    stop: async () => {
      child.kill('SIGTERM');
      await once(child, 'close');
    },
  };
}

/** Asks for the page, and says by which certificate it came. */
async function visit(port: number, { ca, agent }: { ca: string | string[]; agent?: Agent }) {
  const host = '127.0.0.1';
  const given = agent ? { agent } : { agent: false as const };
  const req = request({ port, host, servername: NAME, headers: { host: NAME }, ca, ...given });
  req.end();
  const [res] = await once(req, 'response');
  const serial = res.socket.getPeerX509Certificate()?.serialNumber;
  let text = '';
  for await (const chunk of res) text += chunk;
  return { status: res.statusCode, text, serial, isOn: req.reusedSocket };
}

/** The status of the page over HTTP/2. */
async function statusOn(session: ClientHttp2Session): Promise<unknown> {
  const stream = session.request({ ':path': '/', ':authority': NAME });
  const [headers] = await once(stream, 'response');
  stream.resume();
  await once(stream, 'close');
  return headers[':status'];
}

for (const challenge of ['http-01', 'tls-alpn-01'])
  t.test(`by ${challenge}`, { skip, timeout: 180_000 }, async (t) => {
    const origin = await rawOrigin(t, OK);
    const web = await relay(t);
    const secure = await relay(t);
    const authority = await pebble(t, { httpPort: web.port, tlsPort: secure.port });
    const running = await authority.open();
    const state = folder(t);
    const file = join(folder(t), 'headgate.yaml');
    const write = (hosts: string) =>
      writeFileSync(
        file,
        `tls: { acme: { agree: true, challenge: ${challenge} } }\nsites: [{ hosts: [${hosts}], upstream: "${origin.url}" }]\n`,
      );
    write(NAME);
    const environment = {
      HEADGATE_CONFIG: file,
      HEADGATE_ACME_DIRECTORY: authority.directory,
      HEADGATE_STATE: state,
    };
    const start = async (more: Record<string, string> = {}) => {
      const started = await daemon(t, { ...environment, ...more });
      web.to.port = started.httpPort;
      secure.to.port = started.tlsPort;
      return started;
    };
    const ca = await authority.root();
    const got = /"msg":"got a certificate for social\.example\.org"/;

    const first = await start();
    await until(() => got.test(first.out()));
    t.match(first.out(), got);
    t.notMatch(first.out(), /"level":[45]0/, 'nothing to complain of');
    const page = await visit(first.tlsPort, { ca });
    t.match(page, { status: 200, text: 'ok' });
    const plain = await talk(first.httpPort, `GET / HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`);
    t.match(
      plain.messages[0]?.head,
      /^HTTP\/1\.1 301 [\s\S]*location: https:\/\/social\.example\.org\/\r/i,
    );
    const ask = (token: string) =>
      talk(
        first.httpPort,
        `GET /.well-known/acme-challenge/${token} HTTP/1.1\r\nHost: ${NAME}\r\n\r\n`,
      );
    const before = origin.requests.length;
    t.match(
      (await ask('unknown')).messages[0]?.body,
      'ok',
      "the application's own challenges pass",
    );
    t.equal(origin.requests.length, before + 1);
    await first.stop();
    t.equal(origin.requests.length, before + 1);

    const second = await start();
    t.equal((await visit(second.tlsPort, { ca })).serial, page.serial, 'it is kept');
    await second.stop();
    t.equal(running.orders(), 1);

    // Two thirds of this one's life are over in a few seconds.
    const now = Date.now();
    const old = await selfSigned(NAME, { from: now - 1_170 * SECOND, to: now + 600 * SECOND });
    const place = join(state, 'acme', readdirSync(join(state, 'acme'))[0] ?? '', 'certificates');
    writeFileSync(join(place, `${NAME}.pem`), old.key + old.cert);
    const third = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: [old.cert], servername: NAME });
    t.teardown(() => agent.destroy());
    const oldSerial = new X509Certificate(old.cert).serialNumber;
    const stays = await visit(third.tlsPort, { ca: old.cert, agent });
    t.match(stays, { status: 200, serial: oldSerial });
    const session = connectHttp2(`https://127.0.0.1:${third.tlsPort}`, {
      servername: NAME,
      ca: old.cert,
    });
    t.teardown(() => session.destroy());
    t.equal(await statusOn(session), 200);
    const serials = new Set<string>();
    while (!got.test(third.out()) && third.err().length > 0) {
      const { status, serial } = await visit(third.tlsPort, { ca: [old.cert, ca] });
      if (status !== 200) t.fail(`a request failed with ${status}`);
      serials.add(serial);
      await pause(20);
    }
    const renewed = await visit(third.tlsPort, { ca });
    t.match(renewed, { status: 200, text: 'ok' });
    t.not(renewed.serial, oldSerial);
    serials.delete(renewed.serial);
    t.same([...serials], [oldSerial], 'nobody was shown another meanwhile');
    t.match(
      await visit(third.tlsPort, { ca: old.cert, agent }),
      { status: 200, isOn: true },
      'connections go on',
    );
    t.equal(await statusOn(session), 200, 'those of HTTP/2 too');
    const kept = readFileSync(join(place, `${NAME}.pem`), 'utf8');
    t.equal(
      new X509Certificate(kept.slice(kept.indexOf('-----BEGIN CERT'))).serialNumber,
      renewed.serial,
    );
    const bare = tlsConnect({ port: third.tlsPort, host: '127.0.0.1', rejectUnauthorized: false });
    await once(bare, 'secureConnect');
    t.equal(bare.getPeerX509Certificate()?.serialNumber, renewed.serial, 'also who names nobody');
    bare.destroy();

    write(`${NAME}, second.example.org`);
    third.reload();
    const another = /"msg":"got a certificate for second\.example\.org"/;
    await until(() => another.test(third.out()));
    t.match(third.out(), another, 'a reload asks for names that are new');
    t.notMatch(third.out(), /needs a restart/);
    await third.stop();
  });

t.test('an address in HEADGATE_ACME is enough', { skip, timeout: 120_000 }, async (t) => {
  const origin = await rawOrigin(t, OK);
  const web = await relay(t);
  const authority = await pebble(t, { httpPort: web.port, tlsPort: 1 });
  await authority.open();
  const started = await daemon(t, {
    HEADGATE_UPSTREAM: origin.url,
    HEADGATE_HOST: NAME,
    HEADGATE_ACME: 'me@example.org',
    HEADGATE_ACME_DIRECTORY: authority.directory,
    STATE_DIRECTORY: folder(t),
  });
  web.to.port = started.httpPort;
  await until(() => /got a certificate|no certificate/.test(started.out()));
  t.match(await visit(started.tlsPort, { ca: await authority.root() }), {
    status: 200,
    text: 'ok',
  });
  await started.stop();
});

t.test('a state that can not be used ends it at once', async (t) => {
  const started = await daemon(t, {
    HEADGATE_UPSTREAM: 'http://127.0.0.1:9',
    HEADGATE_HOST: NAME,
    HEADGATE_ACME: 'true',
    HEADGATE_STATE: CA_FILE,
  });
  t.match(started.err(), /state must be a folder in which Headgate \(user \d+\) can write, got/);
});
