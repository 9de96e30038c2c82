/** Replacing the configuration while traffic flows: nothing under way may notice. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request as httpRequest, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  type Body,
  type Handler,
  type ProxyRequest,
  type ProxyResponse,
  type Site,
  withFields,
} from '@headgate/core';
import { gate, toConfig, type WrittenConfig } from 'headgate';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { listen, rawOrigin, talk, until } from '../../core/test/wire.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

async function open(t: Test, written: WrittenConfig) {
  const opened = await gate(await toConfig(written));
  t.teardown(() => opened.close());
  const port = await listen(t, opened.server());
  return { port, reload: async (next: WrittenConfig) => opened.reload(await toConfig(next)) };
}

/** The daemon with the headgate.yaml of a folder. */
async function daemon(t: Test, cwd: string) {
  const child = spawn(
    'env',
    [
      ...['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source'],
      ...[join(ROOT, 'packages/headgate/src/cli.ts'), 'run'],
    ],
    { cwd },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  const look = /Look:\s+http:\/\/127\.0\.0\.1:(\d+)/;
  for (let i = 0; i < 30 && !look.test(said.err); i++) await until(() => look.test(said.err));
  return { child, said, port: Number(look.exec(said.err)?.[1]) };
}

t.test('a WebSocket and a request under way go on as they began', async (t) => {
  let pending: ServerResponse | undefined;
  const origin = createServer((_req, res) => {
    pending = res;
    res.write('begun ');
  });
  new WebSocketServer({ server: origin }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(`old ${data}`)),
  );
  const port = await listen(t, origin);
  const gateway = await open(t, { sites: [{ upstream: `http://127.0.0.1:${port}` }] });

  const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}`);
  await once(socket, 'open');
  const slow = talk(gateway.port, GET);
  await until(() => pending !== undefined);

  const after = await rawOrigin(t);
  for (let i = 0; i < 3; i++) await gateway.reload({ sites: [{ upstream: after.url }] });
  t.match((await talk(gateway.port, GET)).messages[0]?.body, 'ok', 'what is new goes to the new');

  socket.send('hello');
  t.equal(String((await once(socket, 'message'))[0]), 'old hello');
  pending?.end('ended');
  t.match((await slow).text, /begun [\s\S]*ended/);
  socket.send('still');
  t.equal(String((await once(socket, 'message'))[0]), 'old still');
  socket.terminate();
});

t.test('the old layers close when the last who needs them is out, not before', async (t) => {
  const path = join(folder(t), 'mine.mjs');
  writeFileSync(
    path,
    `export const plugin = {
      name: 'mine',
      options: { '~standard': { version: 1, vendor: 'mine', validate: (value) => ({ value }) } },
      create: ({ parts: { layer, close } }, site) => ({
        middleware: (request, next) => layer(request, next, site),
        close: async () => close(),
      }),
    };`,
  );
  let pending: ServerResponse | undefined;
  const origin = createServer((_req, res) => {
    pending = res;
    res.write('begun ');
  });
  new WebSocketServer({ server: origin });
  const opened = new Set<unknown>();
  origin.on('connection', (socket) => {
    opened.add(socket);
    socket.once('close', () => opened.delete(socket));
  });
  const url = `http://127.0.0.1:${await listen(t, origin)}`;
  const response = (body: Body) => ({ status: 200, headers: withFields({}, {}), body });
  type Layer = (request: ProxyRequest, next: Handler, site: Site) => Promise<ProxyResponse>;

  /** Begins something, reloads, ends it, and looks when the layer was closed. */
  const during = async (layer: Layer, begin: (port: number) => Promise<() => void>) => {
    let isClosed = false;
    const close = () => {
      isClosed = true;
    };
    const use = { use: path, parts: { layer, close } };
    const gateway = await open(t, { sites: [{ upstream: url, middleware: [use] }] });
    pending = undefined;
    const end = await begin(gateway.port);
    await gateway.reload({ sites: [{ upstream: url, middleware: [] }] });
    await new Promise((done) => setTimeout(done, 50));
    const wasClosed = isClosed;
    end();
    await until(() => isClosed);
    return { wasClosed, isClosed };
  };
  const isRight = { wasClosed: false, isClosed: true };

  const passed = await during(
    (request, next) => next(request),
    async (port) => {
      void talk(port, GET);
      await until(() => pending !== undefined);
      return () => pending?.end();
    },
  );
  t.same(passed, isRight, 'an answer of the application');

  const own = new PassThrough();
  const made = await during(
    async () => response(own),
    async (port) => {
      void talk(port, GET);
      await until(() => own.listenerCount('data') > 0);
      return () => own.end();
    },
  );
  t.same(made, isRight, 'an answer of its own');

  const fetched = await during(
    async (request, _next, { background }) => {
      void background(request).then(({ body }) => (body as Readable).resume());
      return response(Buffer.from('at once'));
    },
    async (port) => {
      await talk(port, GET);
      await until(() => pending !== undefined);
      return () => pending?.end();
    },
  );
  t.same(fetched, isRight, 'what it fetches with nobody behind it');

  const waits = Promise.withResolvers<ProxyResponse>();
  const left = await during(
    () => waits.promise,
    async (port) => {
      await talk(port, GET, { patience: 50 });
      return () => waits.resolve(response(Buffer.from('too late')));
    },
  );
  t.same(left, isRight, 'what it does for a client that left');

  const tunnel = await during(
    (request, next) => next(request),
    async (port) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`);
      await once(socket, 'open');
      return () => socket.terminate();
    },
  );
  t.same(tunnel, isRight, 'a WebSocket beside it');
  await until(() => opened.size === 0);
  t.equal(opened.size, 0, 'no connection to the application is left of all that');
});

t.test('what was kept of previews is still there', async (t) => {
  const page = '<!doctype html><html><head><title>A page</title></head><body></body></html>';
  const origin = await rawOrigin(
    t,
    `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
  );
  const written = { sites: [{ upstream: origin.url }] };
  const { port, reload } = await open(t, written);
  const preview =
    'GET / HTTP/1.1\r\nHost: a.example\r\nAccept: text/html\r\nUser-Agent: Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot\r\n\r\n';
  await talk(port, preview);
  await reload(written);
  t.match((await talk(port, preview)).messages[0]?.head, /^cache-status: Headgate; hit/im);
  t.equal(origin.requests.length, 1);
});

t.test('50 reloads under load lose nothing', async (t) => {
  const origins = await Promise.all(
    [1, 2].map(async () => {
      const server = createServer((req, res) => {
        let size = 0;
        req.on('data', (chunk: Buffer) => (size += chunk.length));
        req.on('end', () => {
          res.write('a'.repeat(20_000));
          setImmediate(() => res.end(String(size)));
        });
      });
      server.keepAliveTimeout = 60_000;
      return `http://127.0.0.1:${await listen(t, server)}`;
    }),
  );
  const configs = origins.map((upstream): WrittenConfig => ({ sites: [{ upstream }] }));
  const { port, reload } = await open(t, configs[0] as WrittenConfig);
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  t.teardown(() => agent.destroy());
  let isOver = false;
  let answered = 0;
  const faults: unknown[] = [];
  const ask = async (method: string) => {
    const req = httpRequest({ port, host: '127.0.0.1', agent, method });
    req.end(method === 'POST' ? 'x'.repeat(5_000) : undefined);
    const [res] = await once(req, 'response');
    let text = '';
    for await (const chunk of res) text += chunk;
    const expected = 'a'.repeat(20_000) + (method === 'POST' ? '5000' : '0');
    if (res.statusCode !== 200 || text !== expected) faults.push([res.statusCode, text.length]);
    answered += 1;
  };
  const clients = Array.from({ length: 16 }, async (_, index) => {
    while (!isOver)
      await ask(index % 4 === 0 ? 'POST' : 'GET').catch((error) => faults.push(error));
  });
  for (let i = 1; i <= 50; i++) {
    const before = answered;
    await reload(configs[i % 2] as WrittenConfig);
    await until(() => answered > before + 10);
  }
  isOver = true;
  await Promise.all(clients);
  t.same(faults, []);
  t.ok(answered > 500, `${answered} requests`);
});

t.test('a reload that is under way at the end keeps nothing open', async (t) => {
  const here = folder(t);
  const go = join(here, 'go');
  writeFileSync(
    join(here, 'slow.mjs'),
    `import { existsSync } from 'node:fs';
    let count = 0;
    export const plugin = {
      name: 'slow',
      options: { '~standard': { version: 1, vendor: 'mine', validate: (value) => ({ value }) } },
      create: async () => {
        count += 1;
        if (count > 1) console.error('opening');
        while (count > 1 && !existsSync('go')) await new Promise((done) => setTimeout(done, 10));
        const timer = setInterval(() => {}, 1_000);
        return { middleware: (request, next) => next(request), close: async () => clearInterval(timer) };
      },
    };`,
  );
  let pending: ServerResponse | undefined;
  const origin = createServer((_req, res) => {
    pending = res;
  });
  const upstream = `http://127.0.0.1:${await listen(t, origin)}`;
  const write = (watch: boolean) => {
    const sites = [{ upstream, middleware: [{ use: './slow.mjs' }] }];
    const written: WrittenConfig = { listen: '127.0.0.1:0', watch, sites };
    writeFileSync(join(here, 'headgate.yaml'), JSON.stringify(written));
  };
  for (const isFirst of [true, false]) {
    write(false);
    rmSync(go, { force: true });
    const { child, port, said } = await daemon(t, here);
    const slow = talk(port, GET);
    await until(() => pending !== undefined);
    write(true);
    child.kill('SIGHUP');
    await until(() => said.err.includes('opening'));
    child.kill('SIGTERM');
    await until(() => said.out.includes('stopping'));
    if (isFirst) {
      writeFileSync(go, '');
      await until(() => said.out.includes('"msg":"reloaded"'));
    }
    pending?.end();
    pending = undefined;
    await slow;
    if (!isFirst) {
      await until(() => said.out.includes('"msg":"stopped"'));
      writeFileSync(go, '');
    }
    const closed = once(child, 'close', { signal: AbortSignal.timeout(10_000) });
    t.same(await closed, [0, null], isFirst ? 'opened in time' : 'opened when all was closed');
  }
});

t.test('SIGHUP and a changed file reload; a wrong one changes nothing and is told', async (t) => {
  const here = folder(t);
  const file = join(here, 'headgate.yaml');
  const [one, two] = [await rawOrigin(t), await rawOrigin(t)];
  const write = (upstream: string, more = '') =>
    writeFileSync(file, `listen: 127.0.0.1:0\n${more}sites:\n  - upstream: ${upstream}\n`);
  write(one.url);
  const { child, port, said } = await daemon(t, here);
  t.match(said.err, 'as headgate.yaml says');
  await talk(port, GET);
  t.equal(one.requests.length, 1);

  write(two.url, 'lisen: 1\n');
  child.kill('SIGHUP');
  await until(() => said.out.includes('not reloaded'));
  t.match(said.out, /headgate\.yaml:2:1: lisen: is not known here; did you mean listen\?/);
  await talk(port, GET);
  t.equal(one.requests.length, 2);

  write(two.url, 'watch: true\n');
  child.kill('SIGHUP');
  await until(() => said.out.includes('"msg":"reloaded"'));
  await talk(port, GET);
  t.equal(two.requests.length, 1);

  await new Promise((done) => setTimeout(done, 1_100)); // the file is looked at once a second
  write(one.url, 'watch: true\n');
  await until(() => said.out.match(/"msg":"reloaded"/g)?.length === 2);
  await until(() => said.out.match(/"msg":"reloaded"/g)?.length === 2);
  await talk(port, GET);
  t.equal(one.requests.length, 3);
  t.notMatch(said.out, 'needs a restart');
  child.kill('SIGTERM');
  t.same(await once(child, 'close'), [0, null]);
});
