/** With Debian's nginx: as a pull zone behind the redirect, and as a careless cache in front of it. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { listen } from '../../core/test/wire.ts';
import { AS_PLUME, application, BROWSER, cdn, follow, gate, get, IMAGE } from './sites.ts';

const NGINX = ['nginx', '/usr/sbin/nginx'].find(
  (name) => spawnSync(name, ['-v'], { stdio: 'ignore' }).status === 0,
);
const skip = NGINX === undefined && 'nginx is not installed: apt-get install nginx-light';

/**
 * Runs nginx with `servers` in its configuration until the test is over. It listens on a socket in a
 * folder, since it takes no port 0; a port of ours leads there.
 */
async function nginx(t: Test, servers: (socket: string) => string) {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-nginx-'));
  const socket = join(folder, 'nginx.sock');
  const bridge = createServer((client) => {
    const inner = connect(socket);
    client.on('error', () => inner.destroy()).on('close', () => inner.destroy());
    inner.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(inner).pipe(client);
  });
  const port = await listen(t, bridge);
  const start = async () => {
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const paths = temporary.map((name) => `${name}_temp_path ${folder}/${name};`);
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
       events {}
       http {
         access_log off; ${paths.join(' ')}
         proxy_cache_path ${folder}/cache keys_zone=media:1m;
         ${servers(socket)}
       }`,
    );
    const child = spawn(NGINX ?? '', ['-p', folder, '-c', join(folder, 'nginx.conf')]);
    let said = '';
    child.stderr.on('data', (chunk) => (said += chunk));
    t.teardown(async () => {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    });
    for (let i = 0; i < 200 && !(await isListening(socket)); i++) await sleep(10);
    t.ok(await isListening(socket), `nginx runs ${said}`);
  };
  return { url: `http://127.0.0.1:${port}`, host: `127.0.0.1:${port}`, port, start };
}

async function isListening(path: string): Promise<boolean> {
  const socket = connect(path);
  const isUp = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isUp;
}

/** A pull zone: it answers 421 for any host but `name`, and pulls with `fields`. */
const pullZone = (socket: string, name: string, origin: string, fields: string) => `
  server { listen unix:${socket} default_server; return 421 "unknown host"; }
  server {
    listen unix:${socket}; server_name ${name};
    location / {
      proxy_pass ${origin}; proxy_set_header Host ${new URL(origin).host}; ${fields}
      proxy_cache media; add_header X-Cache $upstream_cache_status always;
    }
  }`;

t.test('nginx as a pull zone serves without a loop, and keeps what it got', { skip }, async (t) => {
  const secret = { header: 'X-Origin-Pull', value: '0123456789abcdef' };
  const rows = [
    ['by CDN-Loop', {}, 'proxy_set_header CDN-Loop nginx;'],
    ['by a secret', { originPull: { secret } }, `proxy_set_header X-Origin-Pull ${secret.value};`],
  ] as const;
  for (const [how, options, fields] of rows) {
    const app = await application(t);
    let origin = '';
    const zone = await nginx(t, (socket) => pullZone(socket, 'localhost', origin, fields));
    const base = `http://localhost:${zone.port}/static/`;
    const { url } = await gate(t, app.url, {
      rules: [{ from: '/static/', to: base }],
      ...options,
    });
    origin = url;
    await zone.start();

    const first = await follow(`${url}/static/a.png?v=1`, { 'user-agent': BROWSER });
    t.equal(first.url, `${base}a.png?v=1`, how);
    t.match([first.status, first.headers['x-cache']], [200, 'MISS'], how);
    t.ok(first.body.equals(IMAGE), how);
    t.equal(app.asked.length, 1, `${how}: the check stays here`);
    const second = await follow(`${url}/static/a.png?v=1`, { 'user-agent': BROWSER });
    t.equal(second.headers['x-cache'], 'HIT', `${how}: although the site sets a cookie`);
    t.match(second.headers, {
      'cache-control': 'public, max-age=2419200, immutable',
      'access-control-allow-origin': '*',
      'set-cookie': undefined,
    });
    t.ok(second.body.equals(IMAGE), how);
    t.equal(app.asked.length, 1, how);

    const plume = await follow(`${url}/static/a.png?v=1`, AS_PLUME, true);
    t.ok(plume.status === 200 && plume.body.equals(IMAGE), `${how}: Plume`);
    const lost = await get(`${base}a.png`, { host: new URL(url).host });
    t.equal(lost.status, 421, `${how}: the zone knows no other host`);
  }
});

t.test('nginx as a pull zone that says nothing is found out', { skip }, async (t) => {
  const app = await application(t);
  let origin = '';
  const zone = await nginx(t, (socket) => pullZone(socket, 'localhost', origin, ''));
  const base = `http://localhost:${zone.port}/static/`;
  const { url } = await gate(t, app.url, { rules: [{ from: '/static/', to: base }] });
  origin = url;
  await zone.start();
  for (const path of ['a.png', 'b.png']) {
    const { status, body } = await get(`${url}/static/${path}`);
    t.ok(status === 200 && body.equals(IMAGE), path);
  }
});

t.test('a cache in front that ignores Vary gives everybody the bytes', { skip }, async (t) => {
  const app = await application(t);
  const zone = await cdn(t);
  const rules = [{ from: '/static/', to: `${zone.url}/static/` }];
  const inner = await gate(t, app.url, { rules });
  const front = await nginx(
    t,
    (socket) => `server {
      listen unix:${socket};
      location / {
        proxy_pass ${inner.url}; proxy_set_header Host $http_host;
        proxy_cache media; proxy_ignore_headers Vary; proxy_cache_valid any 1h;
        add_header X-Cache $upstream_cache_status always;
      }
    }`,
  );
  await front.start();
  zone.settings.origin = front.url;
  const url = `${front.url}/static/a.png`;

  const browser = await get(url, { 'user-agent': BROWSER });
  t.match([browser.status, browser.headers['x-cache']], [301, 'MISS']);
  t.equal(browser.headers.location, `${zone.url}/static/a.png`);
  const plume = await follow(url, AS_PLUME, true);
  t.same([plume.status, plume.url], [200, url]);
  t.ok(plume.body.equals(IMAGE));
  const pull = await get(`${zone.url}/static/a.png`);
  t.ok(pull.status === 200 && pull.body.equals(IMAGE));
  const pulled = await follow(`${front.url}/static/b.png`, { 'user-agent': BROWSER });
  t.same([pulled.status, pulled.url], [200, `${zone.url}/static/b.png`]);
  t.ok(pulled.body.equals(IMAGE));
});
