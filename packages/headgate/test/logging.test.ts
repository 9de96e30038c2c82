/** The access log: what is in a line, what never is, and where lines go. */
import { spawn } from 'node:child_process';
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Finished, HeadgateError } from '@headgate/core';
import { aRequest, aResponse } from '@headgate/core/testing';
import t, { type Test } from 'tap';
import { front, OK, rawOrigin, talk, until } from '../../core/test/wire.ts';
import { type AccessLogOptions, accessLog } from '../src/access-log.ts';
import { combinedLog } from '../src/combined-log.ts';
import { type LogSettings, logging } from '../src/logging.ts';
import { upstreamTimes } from '../src/upstream-times.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

type Asked = Parameters<typeof aRequest>[0];
const exchange = (asked: Asked = {}, changes: Partial<Finished> = {}): Finished => ({
  request: aRequest(asked),
  status: 200,
  bytesIn: 100,
  bytesOut: 2_000,
  ms: 12.345,
  ...changes,
});

/** The record of an exchange, and the line that it is. */
function record(finished: Finished, options?: AccessLogOptions) {
  const lines: string[] = [];
  accessLog((line) => lines.push(line), options)(finished);
  const [line = ''] = lines;
  return { line, ...JSON.parse(line) };
}

function combined(finished: Finished, options?: AccessLogOptions): string {
  const lines: string[] = [];
  combinedLog((line) => lines.push(line), options)(finished);
  return lines.join('');
}

t.test('a record has what an operator asks about', async (t) => {
  const headers = { 'user-agent': MASTODON, accept: 'text/html', referer: 'https://a.example/' };
  const response = aResponse({ headers: { 'cache-status': 'Headgate; hit; ttl=300' } });
  const upstreamTime = (id: string) => (id === 'test' ? 5.67 : undefined);
  const { line, time, ...rest } = record(exchange({ url: '/@a/1?b=c', headers }, { response }), {
    upstreamTime,
  });
  t.same(rest, {
    level: 30,
    id: 'test',
    method: 'GET',
    host: 'site.example',
    path: '/@a/1',
    status: 200,
    bytesIn: 100,
    bytesOut: 2_000,
    ms: 12.3,
    upstreamMs: 5.7,
    client: '192.0.2.0',
    userAgent: MASTODON,
    agent: 'mastodon',
    purpose: 'preview',
    cache: 'hit',
    msg: 'request',
  });
  const cause = new Error('connect ECONNREFUSED');
  const error = new HeadgateError('UPSTREAM_UNREACHABLE', "the upstream can't be reached", cause);
  t.has(record(exchange({}, { status: 502, error })), {
    level: 40,
    error: 'UPSTREAM_UNREACHABLE',
    reason: "the upstream can't be reached: connect ECONNREFUSED",
  });
});

t.test('the outcome is that of our own cache', async (t) => {
  const rows: [status: string | undefined, cache: string | undefined][] = [
    ['Headgate; hit; ttl=300', 'hit'],
    ['Headgate; hit; ttl=-20', 'stale'],
    ['Headgate; fwd=uri-miss; stored', 'uri-miss'],
    ['Headgate; fwd=uri-miss; collapsed', 'collapsed'],
    ['Headgate;fwd=bypass;detail=cookie', 'bypass'],
    ['Origin; hit, Headgate; fwd=stale', 'stale'],
    ['Headgate; fwd=uri-miss, Headgate; hit', 'hit'],
    ['Origin; hit', undefined],
    ['headgatelike; hit', undefined],
    ['Headgate', undefined],
    [undefined, undefined],
  ];
  for (const [status, cache] of rows) {
    const headers = status === undefined ? {} : { 'cache-status': status };
    const response = aResponse({ headers });
    t.equal(record(exchange({}, { response })).cache, cache, status ?? 'none');
  }
});

t.test('queries are logged when asked for, without what is secret', async (t) => {
  const url = '/a?id=1&access_token=s3cret';
  t.has(record(exchange({ url })), { path: '/a', query: undefined });
  const rows: [query: string, logged: string][] = [
    ['id=1&access_token=s3cret', 'id=1&access_token=***'],
    ['TOKEN=s3cret', 'TOKEN=***'],
    ['api_key=s3cret&page=2', 'api_key=***&page=2'],
    ['code=s3cret', 'code=***'],
    ['client_secret=s3cret', 'client_secret=***'],
    ['X-Amz-Signature=s3cret', 'X-Amz-Signature=***'],
    ['user[password]=s3cret', 'user[password]=***'],
    ['passphrase=s3cret=s3cret?s3cret', 'passphrase=***'],
    ['nonce=s3cret', 'nonce=***'],
    ['%74oken=s3cret', '%74oken=***'],
    ['tok%65n%zz=s3cret', 'tok%65n%zz=***'],
    ['a=1;token=s3cret', 'a=1;token=***'],
    ['a=b?token=s3cret&c', 'a=b?token=s3cret&c'], // the value of `a`, as any application reads it
    ['token', 'token'],
    ['', ''],
    ['q=f%C3%A9di+verse', 'q=f%C3%A9di+verse'],
  ];
  for (const [query, logged] of rows)
    t.has(record(exchange({ url: `/a?${query}` }), { query: true }), {
      path: '/a',
      query: logged,
    });
  t.equal(record(exchange({ url: '/a' }), { query: true }).query, undefined);
  const refused = 'http://me:s3cret@a.example/b#access_token=s3cret';
  t.has(record(exchange({ url: refused, headers: { host: 'me:s3cret@a' } }), { query: true }), {
    path: '/b',
    host: 'a',
  });
});

t.test('clients are their network, themselves, or nobody', async (t) => {
  const rows: [address: string, truncated: string | undefined][] = [
    ['192.0.2.123', '192.0.2.0'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
    ['2001:db8::1', '2001:db8::'],
    ['::1', '::'],
    ['fe80::1%eth0', 'fe80::'],
    ['', undefined],
  ];
  for (const [client, truncated] of rows) {
    t.equal(record(exchange({ client })).client, truncated, client);
    t.equal(record(exchange({ client }), { client: 'full' }).client, client || undefined);
    t.equal(record(exchange({ client }), { client: 'off' }).client, undefined);
    t.ok(combined(exchange({ client })).startsWith(`${truncated ?? '-'} - - [`));
    t.ok(combined(exchange({ client }), { client: 'off' }).startsWith('- - - ['));
  }
});

t.test('nobody writes into the log, or to who reads it', async (t) => {
  const evil = 'a"b\\c\x1b[2J\x9b31m\r\n\0\x7f\u2028\u202e{"level":60}\t';
  const cut = (length: number) => 'x'.repeat(length);
  const headers = {
    host: `${evil}.example`,
    'user-agent': evil,
    referer: evil,
    __proto__: 'x',
    cookie: 's3cret',
    authorization: 'Bearer s3cret',
  };
  const response = aResponse({ headers: { 'cache-status': `Headgate; fwd=${evil}` } });
  const error = new HeadgateError('BAD_REQUEST', evil);
  const finished = exchange({ url: `/${evil}?${evil}`, headers }, { response, error });

  const { line, ...rest } = record(finished, { query: true });
  const seen = 'a"b\\c\\x1b[2J\\x9b31m\\x0d\\x0a\\x00\\x7f\\u2028\\u202e{"level":60}\\x09';
  t.has(rest, { path: `/${seen}`, query: seen, userAgent: seen, host: `${seen}.example` });
  t.has(rest, { reason: seen, level: 30, cache: 'a' });
  const text = combined(finished, { query: true });
  t.match(text, /"GET \/a\\x22b\\x5Cc\\x1B\[2J\\x9B31m\\x0D\\x0A\\x00\\x7F/);
  for (const written of [line, text]) {
    t.match(written, /^[ -~]+\n$/, 'one line of characters that do nothing');
    t.notMatch(written, 's3cret');
  }

  const long = { 'user-agent': cut(16_000), host: cut(16_000), referer: cut(16_000) };
  const large = exchange({ url: `/${cut(16_000)}?${cut(16_000)}`, headers: long });
  t.has(record(large, { query: true }), {
    userAgent: cut(256),
    host: cut(1_024),
    path: `/${cut(1_023)}`,
    query: cut(1_024),
  });
  t.ok(combined(large, { query: true }).length < 2_600);
  t.match(combined(large), /"x{1024}" "x{256}"\n$/);
});

t.test('over sockets: what Node lets in stays on its line too', async (t) => {
  const lines: string[] = [];
  const log = accessLog((line) => lines.push(line), { query: true });
  const origin = await rawOrigin(t, OK);
  const { port } = await front(t, origin.url, { finished: log });
  const agent = '\x9b31m \xe2\x80\xae "} {"';
  await talk(
    port,
    `GET /a?token=s3cret HTTP/1.1\r\nHost: a\r\nUser-Agent: ${agent}\r\n__proto__: x\r\n\r\n`,
  );
  await talk(port, 'GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n');
  await talk(port, 'GET /\x9b#a HTTP/1.1\r\nHost: a\r\nUser-Agent: \x85\r\n\r\n');
  await until(() => lines.length === 3);
  t.equal(lines.length, 3);
  for (const line of lines) t.notMatch(line.trimEnd(), /\p{Cc}|s3cret/u);
  t.has(JSON.parse(lines[0] ?? ''), {
    userAgent: '\\x9b31m \u00e2\\x80\u00ae "} {"',
    status: 200,
  });
});

t.test('the combined format is the one that others read', async (t) => {
  const headers = { 'user-agent': 'curl/8', referer: 'https://u:p@b.example/c?code=s3cret&d=e#f' };
  const finished = exchange({ url: '/a?token=s3cret&b=c', headers });
  const time = String.raw`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]`;
  t.match(
    combined(finished),
    new RegExp(
      `^192\\.0\\.2\\.0 - - ${time} "GET /a HTTP/1\\.1" 200 2000 "https://b\\.example/c" "curl/8"\n$`,
    ),
  );
  const asked = combined(finished, { query: true });
  t.match(asked, '"GET /a?token=***&b=c HTTP/1.1"');
  t.match(asked, '"https://b.example/c?code=***&d=e#f"');
  const unread = exchange({ method: '', url: '', client: '', headers: {} }, { status: 400 });
  t.match(combined(unread), /^- - - \[[^\]]+\] "-" 400 2000 "-" "-"\n$/);
});

t.test(
  'the upstream’s time is that of the exchange, and no more is kept than must be',
  async (t) => {
    const times = upstreamTimes();
    t.teardown(times.close);
    const reports: Finished[] = [];
    const origin = await rawOrigin(t, OK);
    const { port } = await front(t, origin.url, { finished: (report) => reports.push(report) });
    await talk(port, 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n');
    await talk(port, 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => reports.length === 2);
    const [answered, refused] = reports.map(({ request }) => request.id);
    t.type(times.take(answered ?? ''), 'number');
    t.equal(times.take(answered ?? ''), undefined, 'told once');
    t.equal(times.take(refused ?? ''), undefined, 'the upstream was not asked');

    const tell = (id: number) =>
      channel('headgate:upstream').publish({
        request: aRequest({ id: `${id}` }),
        status: 200,
        ms: id,
      });
    for (let id = 0; id <= 10_000; id++) tell(id);
    t.equal(times.take('0'), undefined, 'the oldest is forgotten');
    t.equal(times.take('1'), 1);
    times.close();
    tell(20_000);
    t.equal(times.take('20000'), undefined);
  },
);

t.test('ids are unique within the process, however many servers it has', async (t) => {
  const origin = await rawOrigin(t, OK);
  const fronts = await Promise.all([1, 2, 3].map(() => front(t, origin.url)));
  for (const { port } of fronts) await talk(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => fronts.every(({ reports }) => reports.length === 1));
  const ids = fronts.map(({ reports }) => reports[0]?.request.id);
  t.equal(new Set(ids).size, 3);
});

t.test('to a file, which is opened anew once it was moved away', async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'access.log');
  const error = new HeadgateError('OVERLOADED', 'why');
  for (const format of ['json', 'pretty', 'combined'] as const) {
    const { finished, reopen, close } = await logging({
      file,
      format,
      client: 'full',
      query: true,
    });
    finished(exchange({ url: '/one?a=b' }));
    await until(() => existsSync(file) && statSync(file).size > 0);
    t.equal(statSync(file).mode & 0o777, 0o640, 'not for everybody to read');
    renameSync(file, `${file}.1`);
    finished(exchange({ url: '/two' }, { status: 503, error }));
    reopen();
    await until(() => existsSync(file));
    finished(exchange({ url: '/three' }));
    await close();
    const before = readFileSync(`${file}.1`, 'utf8');
    const after = readFileSync(file, 'utf8');
    t.match(before, /\/one[\s\S]*192\.0\.2\.1|192\.0\.2\.1[\s\S]*\/one\?a=b/, format);
    t.notMatch(before, '/three');
    t.match(after, '/three', format);
    t.equal(`${before}${after}`.split('\n').length - 1, 3, `${format}: each is one line`);
    t.notMatch(`${before}${after}`, '\x1b', 'no colours');
    renameSync(file, `${file}.2`);
  }
  await t.rejects(logging({ file: join(folder, 'absent', 'a.log') }), {
    name: 'TypeError',
    message: /^log\.file must be a file that can be written: ENOENT/,
  });
});

/** Logs one exchange in a process of its own. */
async function inProcess(t: Test, settings: LogSettings) {
  const script = `
    import { aRequest } from '@headgate/core/testing';
    const { logging } = await import('./src/logging.ts');
    const { log, finished, close } = await logging(${JSON.stringify(settings)});
    log.info('starting');
    const exchange = { request: aRequest(), status: 200, bytesIn: 1, bytesOut: 2, ms: 3 };
    for (let i = 0; i < 10; i++) {
      finished(exchange);
      await new Promise((done) => setTimeout(done, 5));
    }
    await close();`;
  const node = ['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source'];
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  const child = spawn('env', [...node, '--input-type=module', '-e', script], { cwd });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  const [code] = await once(child, 'close');
  return { ...said, code };
}

t.test('a full disk is said once, and ends neither the daemon nor its end', async (t) => {
  if (!existsSync('/dev/full')) return void t.pass('a full disk', { skip: 'needs /dev/full' });
  const { err, code } = await inProcess(t, { file: '/dev/full' });
  t.equal(err, "headgate: lines can't be logged: ENOSPC: no space left on device, write\n");
  t.equal(code, 0);
});

t.test('to standard output, all of it', async (t) => {
  const json = await inProcess(t, {});
  t.has(json, { code: 0, err: '' });
  t.equal(json.out.trimEnd().split('\n').length, 11);
  const lines = await inProcess(t, { format: 'combined' });
  t.match(lines.err, '"msg":"starting"', 'what is no line of the format goes elsewhere');
  t.match(lines.out, /^(192\.0\.2\.0 - - .*\n){10}$/);
});
