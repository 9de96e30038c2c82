/** The preset mastodon in front of a stand-in for Mastodon. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { WebSocket } from 'ws';
import { until } from '../../core/test/wire.ts';
import { streaming, web } from './mastodon.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const NODE = ['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source', CLI];
const MIB = 1024 * 1024;

t.test('init, check and run in an empty folder carry what Mastodon needs', async (t) => {
  const [behind, live] = [await web(t), await streaming(t)];
  const here = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(here, { recursive: true }));
  const run = (...args: string[]) => execFileSync('env', [...NODE, ...args], { cwd: here });
  run('init', 'mastodon');
  const file = join(here, 'headgate.yaml');
  const text = readFileSync(file, 'utf8')
    .replace('127.0.0.1:8080', '127.0.0.1:0')
    .replace('http://127.0.0.1:3000', behind.url)
    .replace('http://127.0.0.1:4000', live.url);
  writeFileSync(file, text);
  t.match(String(run('check')), 'headgate.yaml is right');

  const child = spawn('env', [...NODE, 'run'], { cwd: here });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (said.out += chunk));
  child.stderr.on('data', (chunk) => (said.err += chunk));
  const look = /Look:\s+http:\/\/127\.0\.0\.1:(\d+)/;
  for (let i = 0; i < 15 && !look.test(said.err); i++) await until(() => look.test(said.err));
  t.match(said.err, /Try: +curl -i -H 'X-Forwarded-Proto: https' -H 'Accept: text\/html'/);
  const port = Number(look.exec(said.err)?.[1]);

  /** A request as the proxy in front sends it, which ended TLS. */
  const ask = async (path: string, options: object = {}, size = 0) => {
    const fields = { host: 'social.example', 'x-forwarded-proto': 'https' };
    const { headers, method = 'GET' } = options as { headers?: object; method?: string };
    const req = request({ port, path, method, headers: { ...fields, ...headers } });
    const answered = once(req, 'response') as Promise<[IncomingMessage]>;
    req.on('error', () => {});
    for (let sent = 0; sent < size && !req.destroyed; ) {
      const chunk = Buffer.alloc(Math.min(MIB, size - sent), 'x');
      sent += chunk.length;
      if (!req.write(chunk)) await Promise.race([once(req, 'drain'), answered]);
    }
    req.end();
    const [res] = await answered;
    let body = '';
    for await (const part of res) body += part;
    return { status: res.statusCode, headers: res.headers, body };
  };

  await t.test('pages, over https as the proxy in front says', async (t) => {
    t.match(await ask('/@user'), {
      status: 200,
      body: /Mastodon/,
      headers: { server: 'Mastodon', 'cache-control': undefined },
    });
    t.match(behind.asked.at(-1)?.headers, {
      host: 'social.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
    });
  });

  await t.test('files: kept by browsers if they are there, the service worker never', async (t) => {
    const cached = { 'cache-control': 'public, max-age=2419200, must-revalidate' };
    t.match((await ask('/packs/js/app.js')).headers, cached);
    t.match((await ask('/packs/missing')).headers, { 'cache-control': undefined });
    t.match((await ask('/system/media/1.jpg')).headers, {
      'cache-control': 'public, max-age=2419200, immutable',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; form-action 'none'",
    });
    t.match((await ask('/sw.js')).headers, { 'cache-control': 'max-age=0, must-revalidate' });
  });

  await t.test('a signed POST arrives as it was signed', async (t) => {
    const body = Buffer.alloc(2 * MIB, 'x');
    const signed = {
      date: 'Sun, 06 Nov 1994 08:49:37 GMT',
      digest: `SHA-256=${createHash('sha256').update(body).digest('base64')}`,
      signature: 'keyId="https://a.example/u#main-key",headers="(request-target) host date digest"',
      'content-type': 'application/activity+json',
      'content-length': body.length,
    };
    await ask('/users/a/inbox', { method: 'POST', headers: signed }, body.length);
    const { line, headers, hash } = behind.asked.at(-1) ?? {};
    t.equal(line, 'POST /users/a/inbox');
    t.match(headers, { ...signed, 'content-length': String(body.length), host: 'social.example' });
    t.equal(`SHA-256=${hash}`, signed.digest);
  });

  await t.test('a video of 99 MiB arrives, a larger one is refused before it comes', async (t) => {
    const post = (size: number) =>
      ask('/api/v2/media', { method: 'POST', headers: { 'content-length': size } }, size);
    t.equal((await post(99 * MIB)).status, 200);
    t.equal(behind.asked.at(-1)?.size, 99 * MIB);
    const before = behind.asked.length;
    const size = 99 * MIB + 1;
    t.match(
      await ask('/api/v2/media', { method: 'POST', headers: { 'content-length': size } }, 1),
      {
        status: 413,
      },
    );
    t.equal(behind.asked.length, before);
  });

  await t.test('streaming: its own process, the token in the protocol and in no log', async (t) => {
    const url = `ws://127.0.0.1:${port}/api/v1/streaming?stream=user&access_token=secret-2`;
    const socket = new WebSocket(url, 'secret-1', { headers: { host: 'social.example' } });
    await once(socket, 'open');
    t.equal(socket.protocol, 'secret-1');
    socket.send('"user"');
    t.equal(String((await once(socket, 'message'))[0]), '{"stream":"user"}');
    t.same(live.asked, ['/api/v1/streaming?stream=user&access_token=secret-2 secret-1']);
    socket.close();
    await until(() => said.out.includes('"status":101'));
    t.match(said.out, '"path":"/api/v1/streaming"');
    t.notMatch(said.out, /secret-/);
    t.equal((await ask('/api/v1/streamingx')).status, 200, 'near it is the web process');
  });

  child.kill('SIGTERM');
  t.same(await once(child, 'close'), [0, null]);
});
