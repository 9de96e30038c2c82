/** A folder in front of an application: what is answered from it, and what never is. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { compose, readBody } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { aRequest, upstream } from '@headgate/core/testing';
import { compress } from '@headgate/middleware-compress';
import t, { type Test } from 'tap';
import { listen, talk, until } from '../../core/test/wire.ts';
import { files } from '../src/files.ts';

const SCRIPT = 'console.log("hello");\n'.repeat(50);
const APP = 'from the application';

/** A folder with a bit of everything, and beside it what must not get out. */
function aFolder(t: Test): string {
  const root = t.testdir({
    secret: 'secret',
    public: {
      'index.html': '<p>front</p>',
      'app.js': SCRIPT,
      'app.js.br': brotliCompressSync(SCRIPT),
      'app.js.gz': gzipSync(SCRIPT),
      'only.css': 'p {}',
      'only.css.gz': gzipSync('p {}'),
      'image.png': Buffer.from([0x89, 0x50]),
      'no-extension': 'x',
      'ünï 100%.txt': 'odd name',
      empty: '',
      '.env': 'secret',
      '.git': { config: 'secret' },
      '.well-known': { 'security.txt': 'Contact: mailto:a@site.example', '.secret': 'secret' },
      docs: { 'index.html': '<p>docs</p>', 'a.html': '<p>a</p>' },
      bare: { 'a.txt': 'a' },
      odd: { 'index.html': { 'index.html': '' } },
      'out.txt': t.fixture('symlink', '../secret'),
      up: t.fixture('symlink', '..'),
      'in.txt': t.fixture('symlink', 'bare/a.txt'),
      hidden: t.fixture('symlink', '.env'),
      dangling: t.fixture('symlink', 'nothing'),
    },
  });
  return join(root, 'public');
}

/** Asks `files` without a socket. Whatever it doesn't have is answered by the application. */
async function ask(
  folder: string,
  url: string,
  headers: Record<string, string> = {},
  method = 'GET',
) {
  const next = upstream({ status: 418, body: Buffer.from(APP) });
  const request = aRequest({ method, url, headers });
  const { status, headers: fields, body } = await files(folder)(request, next);
  const bytes = await readBody(body, 1e9);
  return { status, headers: { ...fields }, bytes, text: String(bytes), asked: next.asked.length };
}

t.test('what is there as a file is answered, with what it is and when it was made', async (t) => {
  const folder = aFolder(t);
  const rows: [url: string, text: string, type: string][] = [
    ['/only.css', 'p {}', 'text/css; charset=utf-8'],
    ['/only.css?v=2?3', 'p {}', 'text/css; charset=utf-8'],
    ['/image.png', '\ufffdP', 'image/png'],
    ['/no-extension', 'x', 'application/octet-stream'],
    ['/empty', '', 'application/octet-stream'],
    ['/%C3%BCn%C3%AF%20100%25.txt', 'odd name', 'text/plain; charset=utf-8'],
    ['/', '<p>front</p>', 'text/html; charset=utf-8'],
    ['/docs/', '<p>docs</p>', 'text/html; charset=utf-8'],
    ['/docs/a.html', '<p>a</p>', 'text/html; charset=utf-8'],
    ['/in.txt', 'a', 'text/plain; charset=utf-8'],
    ['/up/public/only.css', 'p {}', 'text/css; charset=utf-8'], // where it leads is inside
    ['/.well-known/security.txt', 'Contact: mailto:a@site.example', 'text/plain; charset=utf-8'],
    ['/app.js.gz', String(gzipSync(SCRIPT)), 'application/gzip'],
  ];
  for (const [url, text, type] of rows) {
    const answer = await ask(folder, url);
    t.has(answer, { status: 200, text, asked: 0, headers: { 'content-type': type } }, url);
    t.match(answer.headers, { etag: /^W\/"/, 'last-modified': / GMT$/, 'accept-ranges': 'bytes' });
    t.equal(answer.headers['content-length'], String(answer.bytes.length));
    const head = await ask(folder, url, {}, 'HEAD');
    t.same(head.headers, answer.headers, `HEAD ${url}`);
    t.equal(head.bytes.length, 0);
  }
  const plain = await ask(folder, '/docs/a.html');
  t.equal(plain.headers['cache-control'], undefined, 'how long it keeps is for the route to say');
});

t.test('what is not there, or not for everybody, is for the application', async (t) => {
  const folder = aFolder(t);
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  writeFileSync(join(folder, 'unreadable'), 'secret', { mode: 0o200 });
  const rows = [
    '/absent.txt',
    '/absent/',
    '/bare/', // no listing
    '/bare',
    '/odd',
    '/odd/',
    '/image.png/',
    '/image.png/x',
    '/dangling',
    '/pipe',
    '/.env',
    '/%2eenv',
    '/.git/config',
    '/.well-known/.secret',
    '/docs/.well-known/x',
    '/hidden', // a link to what is hidden
    '/out.txt', // a link to what is outside
    '/up/secret',
    '/../secret',
    '/..%2fsecret',
    '/%2e%2e/secret',
    '/%2e%2e%2fsecret',
    '/docs/../only.css',
    '/docs/%2e%2e/only.css',
    '/./only.css',
    '/docs%2fa.html',
    '/docs%5ca.html',
    '/..%5csecret',
    '//only.css',
    '/docs//a.html',
    '/only.css%00',
    '/only.css%00.png',
    '/%',
    '/%zz',
    '/%c0%ae%c0%ae/secret',
    '/%252e%252e/secret',
    `/${'a'.repeat(300)}`,
    `/${'a/'.repeat(3000)}`,
  ];
  for (const url of rows) {
    const answer = await ask(folder, url);
    t.has(answer, { status: 418, text: APP, asked: 1 }, url.slice(0, 40));
  }
  const unreadable = await ask(folder, '/unreadable');
  const isRoot = process.getuid?.() === 0;
  t.has(unreadable, { status: 418 }, '/unreadable', isRoot ? { skip: 'root may read it' } : {});
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
    t.has(await ask(folder, '/only.css', {}, method), { status: 418, asked: 1 }, method);
});

t.test('a folder with an index gets its slash', async (t) => {
  const folder = aFolder(t);
  for (const [url, location] of [
    ['/docs', '/docs/'],
    ['/docs?a=/../b', '/docs/?a=/../b'],
    ['/d%6fcs', '/d%6fcs/'],
  ] as const)
    t.has(await ask(folder, url), { status: 301, headers: { location }, asked: 0 }, url);
});

t.test('a sibling in a coding that the client prefers', async (t) => {
  const folder = aFolder(t);
  const type = 'application/javascript; charset=utf-8';
  const plain = await ask(folder, '/app.js');
  t.has(plain, { text: SCRIPT, headers: { 'content-type': type, vary: 'Accept-Encoding' } });
  t.equal(plain.headers['content-encoding'], undefined);
  for (const [accepted, coding, decode] of [
    ['gzip, br', 'br', brotliDecompressSync],
    ['gzip, br;q=0', 'gzip', gunzipSync],
    ['zstd, gzip', 'gzip', gunzipSync],
  ] as const) {
    const coded = await ask(folder, '/app.js', { 'accept-encoding': accepted });
    t.has(
      coded.headers,
      { 'content-encoding': coding, 'content-type': type, vary: 'Accept-Encoding' },
      accepted,
    );
    t.equal(String(decode(coded.bytes)), SCRIPT);
    t.not(coded.headers.etag, plain.headers.etag, 'another representation, another ETag');
    const { etag } = coded.headers;
    const again = { 'accept-encoding': accepted, 'if-none-match': String(etag) };
    const same = await ask(folder, '/app.js', again);
    t.has(same, { status: 304, headers: { etag, vary: 'Accept-Encoding' } });
    t.equal(same.headers['content-encoding'], undefined);
  }
  const only = await ask(folder, '/only.css', { 'accept-encoding': 'br, gzip;q=0.1' });
  t.equal(only.headers['content-encoding'], 'gzip');
  t.equal((await ask(folder, '/image.png')).headers.vary, undefined);

  symlinkSync('../secret', join(folder, 'no-extension.gz'));
  mkdirSync(join(folder, 'no-extension.br'));
  const linked = await ask(folder, '/no-extension', { 'accept-encoding': 'gzip, br' });
  t.has(linked, { text: 'x', headers: { vary: undefined } }, 'no sibling outside, or a folder');

  const both = compose([compress({ minSize: 1 }).middleware, files(folder)], upstream());
  const headers = { 'accept-encoding': 'zstd, br' };
  const coded = await both(aRequest({ url: '/app.js', headers }));
  t.equal(coded.headers['content-encoding'], 'br', 'what lies there coded is not coded again');
  const now = await both(aRequest({ url: '/docs/a.html', headers }));
  t.equal(now.headers['content-encoding'], 'zstd', 'what does not is coded now');
});

t.test('ranges and conditions', async (t) => {
  const folder = aFolder(t);
  writeFileSync(join(folder, 'digits'), '0123456789');
  const { headers } = await ask(folder, '/digits');
  const etag = String(headers.etag);
  const modified = String(headers['last-modified']);
  const rows: [asked: Record<string, string>, status: number, text: string, range?: string][] = [
    [{ range: 'bytes=0-1' }, 206, '01', 'bytes 0-1/10'],
    [{ range: 'bytes=8-' }, 206, '89', 'bytes 8-9/10'],
    [{ range: 'bytes=-3' }, 206, '789', 'bytes 7-9/10'],
    [{ range: 'bytes=0-999' }, 206, '0123456789', 'bytes 0-9/10'],
    [{ range: 'bytes=0-0,-1' }, 200, '0123456789'],
    [{ range: 'lines=0-1' }, 200, '0123456789'],
    [{ range: 'bytes=10-' }, 416, '', 'bytes */10'],
    [{ range: 'bytes=0-1', 'if-range': '"other"' }, 200, '0123456789'],
    [{ range: 'bytes=0-1', 'if-range': modified }, 206, '01', 'bytes 0-1/10'],
    [{ 'if-none-match': etag }, 304, ''],
    [{ 'if-none-match': `"other", ${etag}` }, 304, ''],
    [{ 'if-none-match': '"other"', 'if-modified-since': modified }, 200, '0123456789'],
    [{ 'if-modified-since': modified }, 304, ''],
    [{ 'if-modified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' }, 200, '0123456789'],
    [{ 'if-unmodified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' }, 412, ''],
    [{ 'if-match': '"other"' }, 412, ''],
  ];
  for (const [asked, status, text, range] of rows) {
    const answer = await ask(folder, '/digits', asked);
    const what = JSON.stringify(asked);
    t.has(answer, { status, text, asked: 0 }, what);
    t.equal(answer.headers['content-range'], range, what);
    const isPart = status === 200 || status === 206;
    const length = isPart ? String(text.length) : undefined;
    t.equal(answer.headers['content-length'], length, what);
  }
});

t.test('a release that is a link may be turned, and a folder must be one', async (t) => {
  const root = t.testdir({ one: { a: 'one' }, two: { a: 'two' }, file: '' });
  const current = join(root, 'current');
  symlinkSync('one', current);
  const layer = files(current);
  const read = async () =>
    String(await readBody((await layer(aRequest({ url: '/a' }), upstream())).body, 99));
  t.equal(await read(), 'one');
  rmSync(current);
  symlinkSync('two', current);
  t.equal(await read(), 'two');
  for (const wrong of [join(root, 'file'), join(root, 'absent')])
    t.throws(() => files(wrong), {
      name: 'TypeError',
      message: `files must be a folder, got "${wrong}"`,
    });
});

t.test('a file that fails before it is read ends one response, not the process', async (t) => {
  const { body } = await files(aFolder(t))(aRequest({ url: '/only.css' }), upstream());
  (body as Readable).destroy(new Error('the disk is gone'));
  await new Promise((done) => setTimeout(done, 10));
  await t.rejects(readBody(body, 99), { message: 'the disk is gone' });
});

t.test('over sockets: raw targets, and a large file that nobody reads to its end', async (t) => {
  const folder = aFolder(t);
  const large = join(folder, 'large');
  execFileSync('truncate', ['-s', '1G', large]);
  const next = upstream({ status: 418, body: Buffer.from(APP) });
  const port = await listen(t, createServer({ handler: compose([files(folder)], next) }));
  for (const target of ['/../secret', '/%2e%2e/secret', '/up/secret', '//../secret', '/.env']) {
    const { messages } = await talk(port, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    t.match(messages[0]?.head, /^HTTP\/1\.1 418 /, target);
  }
  const part = 'GET /large HTTP/1.1\r\nHost: a\r\nRange: bytes=1073741820-\r\n\r\n';
  const { messages } = await talk(port, part);
  t.match(messages[0]?.head, /^HTTP\/1\.1 206 [\s\S]*content-length: 4\r\n/i);
  t.equal(messages[0]?.body, '\0\0\0\0');

  if (!existsSync('/proc/self/fd'))
    return void t.pass('the file is closed', { skip: 'looks into /proc' });
  const isOpen = () =>
    readdirSync('/proc/self/fd').some((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === large;
      } catch {
        return false;
      }
    });
  const asked = get({ port, host: '127.0.0.1', path: '/large', agent: false });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  await once(response, 'data');
  t.equal(isOpen(), true);
  response.destroy();
  await until(() => !isOpen());
  t.equal(isOpen(), false, 'the file is closed when the client leaves');
});
