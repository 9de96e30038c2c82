/** How what is compared is set up: Headgate as it is installed, nginx, Varnish, HAProxy, Caddy. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder, freePort, type Peer, started } from './process.ts';

/** What a peer is started with. */
export interface PeerOptions {
  /** The origin's port. */
  readonly origin: number;
  /** Whether nginx and Varnish compress pages. Headgate always has previews ready in both forms. */
  readonly gzip?: boolean;
  /** Whether nginx keeps pages; Varnish always does. Default true. */
  readonly cache?: boolean;
  /** Where Headgate sends who asks for media. Default: nowhere. */
  readonly cdn?: string;
  /** The certificate, where it is asked by https. Varnish has none. */
  readonly tls?: KeyPair | undefined;
}

/** Files in PEM. `both` has the certificate and the key, as HAProxy wants them. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
  readonly both: string;
}

/** The names of all that can be started. */
export type PeerName = keyof typeof STARTERS;

const PHP_SCRIPT = fileURLToPath(new URL('fedicache.php', import.meta.url));
const CLI = fileURLToPath(new URL('../../packages/headgate/dist/cli.js', import.meta.url));

/** Each starts one peer, or gives nothing where it isn't on this machine. */
const STARTERS = { headgate, nginx, varnish, haproxy, caddy, php };

/** Debian's packages. */
const PACKAGES: Readonly<Record<PeerName, string>> = {
  headgate: 'headgate',
  nginx: 'nginx',
  varnish: 'varnish',
  haproxy: 'haproxy',
  caddy: 'caddy',
  php: 'caddy php-fpm',
};

/** Starts those of the peers that are on this machine, and says which aren't. */
export async function startPeers(
  options: PeerOptions,
  names: readonly PeerName[] = ['headgate', 'nginx', 'varnish'],
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const name of names) {
    const peer = await STARTERS[name](options);
    if (peer) peers.push(peer);
    else
      console.error(`${name} is not on this machine: apt-get install ${PACKAGES[name]}. Left out.`);
  }
  return peers;
}

/** The daemon, built and with nothing configured but where it stands. Its log goes nowhere. */
async function headgate({ origin, tls, cdn }: PeerOptions): Promise<Peer> {
  if (!existsSync(CLI)) throw new Error('Headgate is measured as it is installed: run ./dev build');
  const port = await freePort();
  const env = {
    ...(tls && { HEADGATE_TLS_CERT: tls.cert, HEADGATE_TLS_KEY: tls.key }),
    ...(cdn && { HEADGATE_PRESET: 'site', HEADGATE_CDN: cdn }),
  };
  const place = `${tls ? 'https://' : ''}127.0.0.1:${port}`;
  const args = ['run', '--upstream', `http://127.0.0.1:${origin}`, '--listen', place];
  return started({ name: 'headgate', port, isTls: !!tls, env }, [process.execPath, CLI, ...args]);
}

/** nginx with the cache of Mastodon's own configuration, and a lock, so that pages are fetched once. */
async function nginx({ origin, gzip, cache = true, tls }: PeerOptions): Promise<Peer | undefined> {
  if (spawnSync('nginx', ['-v']).error) return undefined;
  const port = await freePort();
  const home = folder();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(home, 'nginx.conf'),
    `daemon off; worker_processes 1; worker_rlimit_nofile 16384;
pid ${home}/nginx.pid; error_log ${home}/error.log; user ${userInfo().username};
events { worker_connections 8192; }
http {
  access_log /dev/null; sendfile on; tcp_nopush on;
  keepalive_timeout 75; keepalive_requests 1000000000;
  ${temporary.map((name) => `${name}_temp_path ${home}/${name};`).join(' ')}
  client_max_body_size 0; proxy_request_buffering off; proxy_max_temp_file_size 0;
  gzip ${gzip ? 'on' : 'off'}; gzip_proxied any; gzip_comp_level 6; gzip_vary on;
  proxy_cache_path ${home}/cache levels=1:2 keys_zone=pages:64m max_size=1g inactive=7d;
  upstream origin { server 127.0.0.1:${origin}; keepalive 64; }
  server {
    listen 127.0.0.1:${port} backlog=4096${tls ? ' ssl' : ''};
    ${tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3;` : ''}
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      ${cache ? 'proxy_cache pages; proxy_cache_lock on; proxy_cache_valid 200 7d;' : ''}
    }
  }
}
`,
  );
  const command = ['nginx', '-p', home, '-c', join(home, 'nginx.conf')];
  return started({ name: 'nginx', port, isTls: !!tls }, command);
}

/** Varnish as it comes; it fetches pages once by itself. */
async function varnish({ origin, gzip = false }: PeerOptions): Promise<Peer | undefined> {
  if (spawnSync('varnishd', ['-V']).error) return undefined;
  const port = await freePort();
  const home = folder();
  const vcl = join(home, 'default.vcl');
  writeFileSync(
    vcl,
    `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${origin}"; }
sub vcl_backend_response { set beresp.do_gzip = ${gzip}; }
`,
  );
  const listen = ['-a', `127.0.0.1:${port}`, '-p', 'listen_depth=4096'];
  const command = ['varnishd', '-F', '-n', join(home, 'work'), '-f', vcl, '-s', 'malloc,256m'];
  return started({ name: 'varnish', port }, [...command, ...listen]);
}

/** HAProxy with one thread, as the others have one core. */
async function haproxy({ origin, tls }: PeerOptions): Promise<Peer | undefined> {
  if (spawnSync('haproxy', ['-v']).error) return undefined;
  const port = await freePort();
  const file = join(folder(), 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend front
  bind 127.0.0.1:${port} backlog 4096${tls ? ` ssl crt ${tls.both}` : ''}
  default_backend back
backend back
  option forwardfor
  server origin 127.0.0.1:${origin}
`,
  );
  return started({ name: 'haproxy', port, isTls: !!tls }, ['haproxy', '-db', '-f', file]);
}

/** Caddy's reverse_proxy, without admin server. */
async function caddy({ origin, tls }: PeerOptions): Promise<Peer | undefined> {
  if (spawnSync('caddy', ['version']).error) return undefined;
  const port = await freePort();
  const site = tls ? `https://127.0.0.1:${port}` : `http://127.0.0.1:${port}`;
  return startCaddy(
    { name: 'caddy', port, isTls: !!tls },
    `${site} {
  ${tls ? `tls ${tls.cert} ${tls.key}` : ''}
  reverse_proxy 127.0.0.1:${origin}
}
`,
  );
}

/** Starts Caddy with these sites, on one core. */
function startCaddy(start: Parameters<typeof started>[0], sites: string): Promise<Peer> {
  const home = folder();
  const file = join(home, 'Caddyfile');
  writeFileSync(file, `{\n  admin off\n  auto_https off\n}\n${sites}`);
  const env = { XDG_DATA_HOME: home, XDG_CONFIG_HOME: home, GOMAXPROCS: '1' };
  const command = ['caddy', 'run', '--adapter', 'caddyfile', '--config', file];
  return started({ ...start, env }, command);
}

/** The first Fedicache's set-up: Caddy sends fetchers, known by their User-Agent, to a script. */
async function php({ origin }: PeerOptions): Promise<Peer | undefined> {
  const binary = readdirSync('/usr/sbin').find((name) => name.startsWith('php-fpm'));
  if (binary === undefined || spawnSync('caddy', ['version']).error) return undefined;
  const [port, scriptPort] = [await freePort(), await freePort()];
  const home = folder();
  copyFileSync(PHP_SCRIPT, join(home, 'fedicache.php'));
  const pool = join(home, 'pool.conf');
  const user = userInfo().username;
  writeFileSync(
    pool,
    `[global]
error_log = /dev/null
[www]
user = ${user}
group = ${user}
listen = 127.0.0.1:${scriptPort}
listen.backlog = 4096
pm = static
pm.max_children = 16
`,
  );
  const args = [join('/usr/sbin', binary), '--nodaemonize', '--allow-to-run-as-root'];
  const scripts = await started({ name: 'php-fpm', port: scriptPort }, [...args, '-y', pool]);
  const front = await startCaddy(
    { name: 'php', port },
    `http://127.0.0.1:${port}, http://path.example:${port} {
  @fetcher header_regexp User-Agent Mastodon/
  handle @fetcher {
    root * ${home}
    rewrite * /fedicache.php
    php_fastcgi 127.0.0.1:${scriptPort} {
      env ORIGIN http://127.0.0.1:${origin}
      env REQUEST_URI {http.request.orig_uri}
    }
  }
  handle {
    reverse_proxy 127.0.0.1:${origin}
  }
}
`,
  );
  return {
    ...front,
    cpu: () => front.cpu() + scripts.cpu(),
    rss: () => front.rss() + scripts.rss(),
    stop: async () => {
      await front.stop();
      await scripts.stop();
    },
  };
}
