/** The snippets of docs/behind.md as they are, but for ports, in front of a stand-in for Mastodon. */
import { once } from 'node:events';
import { request } from 'node:http';
import { gate, toConfig } from 'headgate';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { listen } from '../../core/test/wire.ts';
import { streaming, web } from './mastodon.ts';
import * as peers from './peers.ts';

const MIB = 1024 * 1024;
const HOST = 'social.example';

/** Mastodon and Headgate, as the document's first file sets it; the port of the latter. */
async function headgate(t: Test) {
  const [behind, live] = [await web(t), await streaming(t)];
  const [written = ''] = peers.blocks('behind.md', 'yaml');
  const site = { preset: 'mastodon', upstream: behind.url, streaming: live.url };
  const opened = await gate(await toConfig({ ...parse(written), sites: [site] }));
  t.teardown(() => opened.close());
  return { behind, live, port: await listen(t, opened.server()) };
}

/** What must hold behind a proxy that ends TLS at `port`. */
async function assertRight(
  t: Test,
  port: number,
  { behind, live }: Awaited<ReturnType<typeof headgate>>,
) {
  const ask = (options: object, size?: number) => peers.askTls(HOST, { port, ...options }, size);
  const last = () => behind.asked.at(-1);

  const path = '/@user/a%2Fb?c=%20'; // a proxy that decodes would change it
  t.match(await ask({ path }), { status: 200, body: /Mastodon/ }, 'no redirect to itself');
  t.equal(last()?.line, `GET ${path}`, 'byte for byte');
  t.match(last()?.headers, { host: HOST, 'x-forwarded-proto': 'https' });

  await ask({ localAddress: '127.0.0.2' });
  t.match(last()?.headers, { 'x-forwarded-for': '127.0.0.2', 'x-real-ip': '127.0.0.2' }, 'IPv4');
  if (peers.HAS_IPV6) {
    await ask({ host: '::1' });
    t.match(last()?.headers, { 'x-forwarded-for': '::1', 'x-real-ip': '::1' }, 'IPv6');
  }
  if (peers.OUTER_ADDRESS) {
    const from = peers.OUTER_ADDRESS;
    const headers = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'http' };
    await ask({ host: from.includes(':') ? '::1' : '127.0.0.1', localAddress: from, headers });
    const isTrue = { 'x-forwarded-for': from, 'x-forwarded-proto': 'https' };
    t.match(last()?.headers, isTrue, 'what a client claims counts nothing');
  }

  const tls = { headers: { host: HOST }, servername: HOST, rejectUnauthorized: false };
  const url = `wss://127.0.0.1:${port}/api/v1/streaming?stream=user`;
  const socket = new WebSocket(url, 'token-1', tls);
  await once(socket, 'open');
  t.equal(socket.protocol, 'token-1');
  socket.send('"user"');
  t.equal(String((await once(socket, 'message'))[0]), '{"stream":"user"}');
  t.same(live.asked, ['/api/v1/streaming?stream=user token-1']);
  socket.terminate();

  t.match(await ask({ path: '/api/v2/media', method: 'POST' }, 99 * MIB), { status: 200 });
  t.equal(last()?.size, 99 * MIB, 'a large video');
  const tooMuch = { 'content-length': 99 * MIB + 1 };
  const refused = await ask({ path: '/api/v2/media', method: 'POST', headers: tooMuch }, 1);
  t.equal(refused.status, 413, 'a larger one is refused before it comes');
}

t.test('behind nginx', { skip: peers.withoutNginx }, async (t) => {
  const inner = await headgate(t);
  const port = await peers.freePort();
  const { key, cert } = peers.selfSigned(peers.folder(t), HOST);
  const [written = ''] = peers.blocks('behind.md', 'nginx');
  const changed = written
    .replace('127.0.0.1:8080', `127.0.0.1:${inner.port}`)
    .replace('listen 443 ', `listen 127.0.0.1:${port} `)
    .replace(/listen \[::\]:443 .*/, peers.HAS_IPV6 ? `listen [::1]:${port} ssl http2;` : '')
    .replace(/# ssl_certificate .*/, `ssl_certificate ${cert}; ssl_certificate_key ${key};`);
  await peers.nginx(t, port, changed);
  await assertRight(t, port, inner);
});

t.test('in front of nginx', { skip: peers.withoutNginx }, async (t) => {
  const behind = await web(t);
  const port = await peers.freePort();
  const [, trusting = '', handing = ''] =
    /^- nginx: `([^`]+)`[^`]*`([^`]+)`/m.exec(peers.text('behind.md')) ?? [];
  const fields = `${handing} proxy_set_header X-Forwarded-For $remote_addr;`;
  const location = `location / { proxy_pass ${behind.url}; proxy_set_header Host $http_host; ${fields} }`;
  await peers.nginx(t, port, `server { listen 127.0.0.1:${port}; ${trusting} ${location} }`);
  const site = { upstream: `http://127.0.0.1:${port}` };
  const opened = await gate(await toConfig({ scheme: 'https', sites: [site] }));
  t.teardown(() => opened.close());
  const front = await listen(t, opened.server());
  const options = { port: front, host: '127.0.0.1', localAddress: '127.0.0.2', agent: false };
  const req = request({
    ...options,
    headers: { host: HOST, 'x-forwarded-for': '192.0.2.1' },
  }).end();
  const [res] = await once(req, 'response');
  res.resume();
  t.equal(res.statusCode, 200, 'no redirect to itself');
  t.match(behind.asked, [{ headers: { host: HOST, 'x-forwarded-for': '127.0.0.2' } }]);
});

t.test('behind Caddy', { skip: peers.withoutCaddy }, async (t) => {
  const inner = await headgate(t);
  const port = await peers.freePort();
  const [written = ''] = peers.blocks('behind.md', 'caddyfile');
  const around = `{
    admin off
    auto_https disable_redirects
    local_certs
    skip_install_trust
    https_port ${port}
    default_bind 127.0.0.1 ${peers.HAS_IPV6 ? '::1' : ''}
  }\n`;
  await peers.caddy(t, port, around + written.replace('127.0.0.1:8080', `127.0.0.1:${inner.port}`));
  await peers.hasCertificate(port, HOST);
  await assertRight(t, port, inner);
});
