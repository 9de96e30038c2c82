/** The daemon as people run it: a process of its own, real sockets, real signals. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Without what tap adds to a process to measure its coverage: neither memory nor tsc bear it. */
const NODE = ['-u', 'NODE_OPTIONS', process.execPath];
const CLI = [...NODE, '--conditions=@headgate/source', join(ROOT, 'packages/headgate/src/cli.ts')];
const BUILT_CLI = [...NODE, join(ROOT, 'packages/headgate/dist/cli.js')];
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const PREVIEW = { 'user-agent': MASTODON, accept: 'text/html' };
const PAGE = `<!doctype html><html><head><title>A page</title><meta property="og:title" content="A page"></head><body>${'<p>text</p>'.repeat(2000)}<a rel="me" href="https://social.example/@a">me</a></body></html>`;

/** Starts the command line and waits for what it says first. */
async function headgate(t: Test, args: readonly string[], program = CLI) {
  const isReady = /Look:\s+(http:\/\/\S+)/;
  const child = spawn('env', [...program, ...args]);
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  const exit = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  for (let i = 0; i < 1000 && !isReady.test(said.err) && child.exitCode === null; i++)
    await pause(10);
  const url = isReady.exec(said.err)?.[1] ?? '';
  const lines = () =>
    said.out
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  return { child, said, exit, url, lines };
}

async function origin(t: Test, listener: RequestListener) {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
async function until(holds: () => boolean) {
  for (let i = 0; i < 300 && !holds(); i++) await pause(10);
}
function page(asked: string[] = []): RequestListener {
  return ({ method, url, headers }, res) => {
    asked.push(`${method} ${url} ${headers['user-agent']}`);
    res.setHeader('content-type', 'text/html; charset=utf-8');
    setTimeout(() => res.end(PAGE), 50);
  };
}

t.test('it says where to look and what to try, and what it says works', async (t) => {
  const { url: upstream } = await origin(t, page());
  const { url, said, lines } = await headgate(t, [
    'run',
    '--upstream',
    upstream,
    '--listen',
    '127.0.0.1:0',
  ]);
  t.match(said.err, `Headgate stands in front of ${upstream}`);
  t.match(said.err, /^ {2}Try: {3}curl /m);

  const browser = await fetch(`${url}/a?token=secret`);
  t.equal(await browser.text(), PAGE);
  t.equal(browser.headers.get('cache-status'), null, 'what is not for fetchers is untouched');

  const fetcher = await fetch(`${url}/`, { headers: PREVIEW });
  const cut = await fetcher.text();
  t.ok(cut.length < 500);
  t.match(cut, '<title>A page</title>');
  t.match(cut, '<a rel="me" href="https://social.example/@a">');
  t.match(fetcher.headers.get('cache-status'), /^Headgate; fwd=miss; fwd-status=200; stored/);

  await until(() => lines().length === 2);
  t.match(lines(), [
    {
      method: 'GET',
      path: '/a',
      status: 200,
      bytesOut: PAGE.length,
      client: '127.0.0.0',
      host: url.slice(7),
    },
    {
      method: 'GET',
      path: '/',
      status: 200,
      agent: 'mastodon',
      purpose: 'preview',
      cache: 'miss',
    },
  ]);
  t.notMatch(said.out, /secret/, 'queries are not logged');
});

t.test('a stampede reaches the origin once', async (t) => {
  const asked: string[] = [];
  const { url: upstream } = await origin(t, page(asked));
  const { url } = await headgate(t, [upstream, '--listen', '127.0.0.1:0']);
  const answers = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const response = await fetch(`${url}/post`, { headers: PREVIEW });
      return { status: response.status, text: await response.text() };
    }),
  );
  t.equal(new Set(answers.map(({ text }) => text)).size, 1);
  t.equal(
    answers.every(({ status }) => status === 200),
    true,
  );
  t.equal(asked.length, 1);
  t.match(asked[0], /GET \/post Headgate \(link preview; /);
});

t.test('WebSockets pass', async (t) => {
  const { server, url: upstream } = await origin(t, page());
  new WebSocketServer({ server }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(data)),
  );
  const { url } = await headgate(t, [upstream, '--listen', '127.0.0.1:0']);
  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open');
  socket.send('hello');
  t.equal(String((await once(socket, 'message'))[0]), 'hello');
  socket.close();
});

t.test('an application that is not there yet is a 502, and then it is there', async (t) => {
  const { server, url: upstream } = await origin(t, page());
  const { port } = server.address() as AddressInfo;
  server.close();
  const { url, lines } = await headgate(t, [upstream, '--listen', '127.0.0.1:0']);
  const early = await fetch(url);
  t.equal(early.status, 502);
  t.equal(await early.text(), '502 Bad Gateway\n');
  await until(() => lines().length > 0);
  t.match(lines()[0], { status: 502, error: 'UPSTREAM_UNREACHABLE', reason: /ECONNREFUSED/ });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.equal((await fetch(url)).status, 200);
});

t.test(
  'a stop lets what is under way finish, takes nothing new, and does not wait for the idle',
  async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      let answer: () => void = () => {};
      const { url: upstream } = await origin(t, (_req, res) => {
        answer = () => res.end('done');
      });
      const { url, child, exit, said } = await headgate(t, [upstream, '--listen', '127.0.0.1:0']);
      const idle = connect(Number(new URL(url).port), '127.0.0.1');
      await once(idle, 'connect');
      let isAsked = false;
      const asked = fetch(url).then((response) => response.text());
      const waiting = answer;
      await until(() => (isAsked = answer !== waiting));
      t.equal(isAsked, true);

      child.kill(signal);
      await until(() => said.out.includes('stopping'));
      await t.rejects(fetch(url), { name: 'TypeError' }, 'nothing new');
      answer();
      t.equal(await asked, 'done');
      const started = Date.now();
      t.match(await exit, { code: 0 }, signal);
      t.ok(Date.now() - started < 5_000, 'an idle connection does not hold it up');
      idle.destroy();
    }
  },
);

t.test('SIGUSR1 is for log files: it opens no debugger and disturbs nobody', async (t) => {
  const { url: upstream } = await origin(t, page());
  const { url, child, said, exit } = await headgate(t, [upstream, '--listen', '127.0.0.1:0']);
  child.kill('SIGUSR1');
  t.equal((await fetch(url)).status, 200);
  t.notMatch(said.err, /debugger/i);
  child.kill('SIGTERM');
  t.match(await exit, { code: 0 });
  t.match(said.out, /"msg":"stopped"\}\n$/, 'what was logged last is written');
});

t.test('a stop waits ten seconds, not longer', async (t) => {
  const { url: upstream } = await origin(t, () => {});
  const { url, child, exit, lines } = await headgate(t, [upstream, '--listen', '127.0.0.1:0']);
  const hanging = fetch(url).catch(() => 'cut off');
  await pause(200);
  const started = Date.now();
  child.kill('SIGTERM');
  t.match(await exit, { code: 0 });
  const seconds = (Date.now() - started) / 1000;
  t.ok(seconds > 9 && seconds < 15, `it took ${seconds} s`);
  t.equal(await hanging, 'cut off');
  const [, cut, last] = lines();
  t.match(cut, { msg: 'request', status: 499 }, 'what is cut off is reported');
  t.match(last, { msg: 'stopped' });
});

t.test('it listens where it is told', async (t) => {
  const { url: upstream } = await origin(t, page());
  const rows: [written: string, url: RegExp][] = [
    ['127.0.0.1:0', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['localhost:0', /^http:\/\/localhost:\d+$/],
    [':0', /^http:\/\/localhost:\d+$/],
  ];
  if (existsSync('/proc/net/if_inet6')) rows.push(['[::1]:0', /^http:\/\/\[::1\]:\d+$/]);
  for (const [written, expected] of rows) {
    const { url, child } = await headgate(t, ['run', '--upstream', upstream, '--listen', written]);
    t.match(url, expected, written);
    t.equal((await fetch(url)).status, 200, written);
    child.kill('SIGKILL');
  }
});

t.test('what is wrong is said with what to write, before anything listens', async (t) => {
  const { url: busy } = await origin(t, page());
  const rows: [args: string[], message: RegExp][] = [
    [[], /tell what stands behind Headgate: headgate http:\/\//],
    [['run', '--upstream', 'example'], /--upstream: must be a URL without path .* got "example"/],
    [['http://127.0.0.1:1/path'], /--upstream: must be a URL without path/],
    [
      ['http://127.0.0.1:1', '--listen', '8080'],
      /--listen: must be HOST:PORT, like 127\.0\.0\.1:8080.* got "8080"/,
    ],
    [['http://127.0.0.1:1', '--listen', '127.0.0.1:99999'], /--listen: must be HOST:PORT/],
    [
      ['http://127.0.0.1:1', '--listen', busy.slice(7)],
      /something listens there already; choose another place with --listen/,
    ],
    [['chek'], /there is no command "chek"; did you mean check\?/],
    [['init'], /tell which application is behind: headgate init mastodon\|plume/],
    [['init', 'site', '/nowhere/headgate.yaml'], /ENOENT: no such file or directory/],
    [['http://127.0.0.1:1', '--trusted', 'everybody'], /--trusted: must list addresses/],
    [
      ['http://127.0.0.1:1', '--lisen', ':1'],
      /unknown option '--lisen'[\s\S]*Did you mean --listen/,
    ],
  ];
  for (const [args, message] of rows) {
    const { said, exit } = await headgate(t, args);
    t.match(await exit, { code: 1 }, args.join(' '));
    t.match(said.err, message, args.join(' '));
    t.notMatch(said.err, /\n {4}at /, 'no stack trace');
  }
});

t.test('what was logged before a start failed is there', async (t) => {
  const { url: busy } = await origin(t, page());
  const folder = t.testdir({
    'statistics.json': 'damaged',
    'headgate.yaml': `state: .
listen: [${busy.slice(7)}]
sites: [{ upstream: "http://127.0.0.1:1", statistics: /statistics }]
`,
  });
  const { lines, exit } = await headgate(t, ['run', '--config', join(folder, 'headgate.yaml')]);
  t.match(await exit, { code: 1 });
  t.match(lines(), [{ level: 40, msg: /the statistics begin anew/ }]);
});

t.test('--version and --help', async (t) => {
  const version = await headgate(t, ['--version']);
  t.match(await version.exit, { code: 0 });
  t.match(version.said.out, /^\d+\.\d+\.\d+\n$/);
  const help = await headgate(t, ['--help']);
  t.match(await help.exit, { code: 0 });
  t.match(help.said.out, /run \[options\] \[url\]/);
});

t.test(
  '1 GiB up and 1 GiB down take less than 200 MB of memory',
  { skip: !existsSync('/proc/self/status') && 'reads /proc' },
  async (t) => {
    const size = 1024 ** 3;
    const chunk = Buffer.alloc(256 * 1024, 'x');
    let uploaded = 0;
    const { url: upstream } = await origin(t, (req, res) => {
      if (req.method === 'POST') {
        req.on('data', (data: Buffer) => (uploaded += data.length)).on('end', () => res.end());
        return;
      }
      res.setHeader('content-length', size);
      let written = 0;
      const pour = () => {
        while (written < size) {
          written += chunk.length;
          if (!res.write(chunk)) return void res.once('drain', pour);
        }
        res.end();
      };
      pour();
    });
    // As it is installed: Node's type stripping alone takes 25 MB.
    const build = ['-u', 'NODE_OPTIONS', 'tsc', '-b', 'tsconfig.build.json'];
    await promisify(execFile)('env', build, { cwd: ROOT });
    const args = [upstream, '--listen', '127.0.0.1:0'];
    const { url, child } = await headgate(t, args, BUILT_CLI);

    const get = request(url).end();
    const [download] = (await once(get, 'response')) as [IncomingMessage];
    let downloaded = 0;
    for await (const data of download) downloaded += data.length;
    t.equal(downloaded, size);

    const post = request(url, { method: 'POST', headers: { 'content-length': size } });
    for (let sent = 0; sent < size; sent += chunk.length)
      if (!post.write(chunk)) await once(post, 'drain');
    post.end();
    const [answer] = (await once(post, 'response')) as [IncomingMessage];
    answer.resume();
    t.equal(uploaded, size);

    const peak = peakMemory(child);
    t.ok(peak < 200, `the most that was used is ${peak} MB`);
  },
);

/** The most memory that a process ever had resident, in MB. */
function peakMemory({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
