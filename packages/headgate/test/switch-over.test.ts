/** docs/switch-over.md, walked from the first command to the last, with Debian's nginx and Caddy. */
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { classify } from '@headgate/fedi-agents';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { listen } from '../../core/test/wire.ts';
import { streaming, web } from './mastodon.ts';
import * as peers from './peers.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const HEADGATE = ['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source', CLI];
const run = promisify(execFile);
const HOST = 'social.example';
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://other.example/)';
const AKKOMA = 'Akkoma 3.16.0; https://akkoma.example <admin@akkoma.example>';
const FRIENDICA = 'Friendica/2024.09 DatabaseVersion/1573 Request/SiteInfo/1 +https://f.example';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const PAGE = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

type Fields = Record<string, string | string[]>;

/** Requests of fetchers that fedicache answers. */
const FETCHERS: Record<string, Fields> = {
  'Mastodon, preview': { 'user-agent': `${MASTODON} Bot`, accept: 'text/html' },
  'Mastodon, rel=me': { 'user-agent': MASTODON, accept: 'text/html' },
  'Mastodon 4.2': {
    'user-agent': 'http.rb/5.1 (Mastodon/4.2.8; +https://m.example/)',
    accept: 'text/html',
  },
  Misskey: { 'user-agent': 'SummalyBot/5.4.0', accept: 'text/html,application/xhtml+xml' },
  'Akkoma, two lines': { 'user-agent': [AKKOMA, `${AKKOMA}; Bot`] },
  'Akkoma, icon': { 'user-agent': AKKOMA, accept: 'text/html' },
  Pleroma: { 'user-agent': 'Pleroma 2.7.0; https://p.example <a@p.example>; Bot' },
  Lemmy: {
    'user-agent': 'Lemmy/0.19.5; +https://l.example',
    accept: '*/*',
    range: 'bytes=0-1048575',
  },
  PieFed: { 'user-agent': 'PieFed/1.6.18; +https://p.example', accept: '*/*' },
  Friendica: { 'user-agent': FRIENDICA, accept: PAGE },
  'Friendica, HEAD': { 'user-agent': FRIENDICA, accept: '*/*' },
  Mobilizon: { 'user-agent': 'Mobilizon 5.1.0; https://m.example <m@m.example>' },
  snac: { 'user-agent': 'snac/2.77 (link verify)', accept: 'text/html' },
};

/** Requests that are the application's: of people, of federation, of fetchers that get whole pages. */
const OTHERS: Record<string, Fields> = {
  'a browser': { 'user-agent': FIREFOX, accept: PAGE },
  'nobody known': {},
  curl: { 'user-agent': 'curl/8.0', accept: '*/*' },
  'Mastodon in a browser’s line': { 'user-agent': `${FIREFOX} ${MASTODON}`, accept: 'text/html' },
  'an object': { 'user-agent': MASTODON, accept: 'application/activity+json, application/ld+json' },
  'a search': { 'user-agent': MASTODON, accept: 'application/activity+json, text/html;q=0.1' },
  'something like HTML': { 'user-agent': 'SummalyBot/5.4.0', accept: 'text/html-x' },
  media: { 'user-agent': MASTODON },
  'media of Friendica': {
    'user-agent': FRIENDICA.replace('SiteInfo', 'MediaProxy'),
    accept: '*/*',
  },
  'with a cookie': { 'user-agent': MASTODON, accept: 'text/html', cookie: 'a=b' },
  'with a token': { 'user-agent': MASTODON, accept: 'text/html', authorization: 'Bearer a' },
  signed: { 'user-agent': MASTODON, accept: 'text/html', signature: 'keyId="k"' },
  'signed anew': { 'user-agent': MASTODON, accept: 'text/html', 'signature-input': 'sig1=()' },
  'from Headgate': { 'user-agent': MASTODON, accept: 'text/html', 'headgate-loop': 'abc' },
  'whole pages': { 'user-agent': 'Misskey/2025.4.1 (https://m.example)', accept: 'text/html, */*' },
};

/** What the command line prints. */
const agents = (...args: string[]) =>
  execFileSync('env', [...HEADGATE, 'agents', ...args], { encoding: 'utf8' });

/** Something that says who it is; the port where it does. */
async function called(t: Test, name: string): Promise<number> {
  return listen(
    t,
    createServer(({ headers }, res) => res.end(`${name} ${headers['x-forwarded-for']}`)),
  );
}

async function ask(port: number, headers: Fields, method = 'GET', path = '/'): Promise<string> {
  const req = request({ port, host: '127.0.0.1', agent: false, method, path, headers }).end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  let body = '';
  for await (const part of res) body += part;
  return body;
}

/** Who is asked through a server in front that `start` made of two ports behind. */
async function assertParted(t: Test, start: (headgate: string, app: string) => Promise<number>) {
  const headgate = createServer(({ headers }, res) =>
    res.end(`Headgate ${headers['x-forwarded-for']}`),
  );
  const behind = await listen(t, headgate);
  const app = await called(t, 'application');
  const port = await start(`127.0.0.1:${behind}`, `127.0.0.1:${app}`);
  for (const [name, fields] of Object.entries(FETCHERS)) {
    t.equal(await ask(port, fields), 'Headgate 127.0.0.1', name);
    const lists = Object.entries(fields).map(([field, value]) => [field, [value].flat()]);
    const told = { method: name.includes('HEAD') ? 'HEAD' : 'GET', url: '/post' };
    t.ok(classify({ ...told, headers: Object.fromEntries(lists) }).mayTrim, `${name} is one`);
  }
  for (const [name, fields] of Object.entries(OTHERS))
    t.match(await ask(port, fields), /^application/, name);
  t.match(await ask(port, FETCHERS['Mastodon, preview'] ?? {}, 'POST'), /^application/, 'POST');

  headgate.close();
  headgate.closeAllConnections();
  t.match(await ask(port, FETCHERS.Misskey ?? {}), /^application/, 'Headgate is away');
}

t.test('agents: who they are', async (t) => {
  const [head, ...lines] = agents().trimEnd().split('\n');
  t.match(head, /^SOFTWARE +GETS CUT PAGES FOR +USER-AGENT$/);
  t.match(lines[0], /^mastodon +preview, link-verification +\^\(\?:Mastodon\/\\S\+/);
  t.match(lines.join('\n'), /^misskey +- +\^Misskey\/$/m);
  t.match(agents('--nginx', '--preview-bots'), /discord/);
  t.throws(() => agents('--nginx', '--to', '8080'), /--to must be HOST:PORT/);
});

/** What `agents --nginx` prints for `server { }` and its `location / { }`, without comment signs. */
function forServer(printed: string): [server: string, location: string] {
  const lines = Array.from(printed.matchAll(/^# {3}(.*\n)/gm), ([, line = '']) => line);
  return [lines.slice(0, -1).join(''), lines.at(-1)?.trimStart() ?? ''];
}

t.test('nginx sends the fetchers, and nobody else', { skip: peers.withoutNginx }, async (t) => {
  await assertParted(t, async (headgate, app) => {
    const port = await peers.freePort();
    const http = agents('--nginx', '--to', headgate, '--application', app);
    const [own, location] = forServer(http);
    const server = `server { listen 127.0.0.1:${port}; ${own}
      location / { ${location} proxy_pass http://${app}; }
      location /denied { deny all; }
      location /secret { auth_basic s; auth_basic_user_file /dev/null; proxy_pass http://${app}; } }`;
    await peers.nginx(t, port, http + server);
    const fetcher = FETCHERS.Misskey ?? {};
    t.match(
      await ask(port, fetcher, 'GET', '/denied'),
      '403 Forbidden',
      'what others may not have',
    );
    t.match(await ask(port, fetcher, 'GET', '/secret'), '401 Authorization Required');
    return port;
  });
});

t.test('Caddy sends the fetchers, and nobody else', { skip: peers.withoutCaddy }, async (t) => {
  await assertParted(t, async (headgate, app) => {
    const port = await peers.freePort();
    const site = agents('--caddy', '--to', headgate, '--application', app);
    const denied = 'handle /denied* {\nrespond "not for you" 403\n}';
    const own = `handle {\nreverse_proxy ${app}\n}\n`;
    const block = [denied, site, own].join('\n');
    await peers.caddy(t, port, `{\nadmin off\n}\nhttp://127.0.0.1:${port} {\n${block}}\n`);
    t.equal(await ask(port, FETCHERS.Misskey ?? {}, 'GET', '/denied'), 'not for you');
    return port;
  });
});

/** The commands of the document that a test machine lacks, or that must keep to a folder. */
const COMMANDS = {
  sudo: 'exec "$@"',
  headgate: `headgate() { env ${HEADGATE.map((word) => `'${word}'`).join(' ')} "$@"; }
    if [ "$1" = init ]; then headgate "$@" && sed -i "$PORTS" headgate.yaml
    else exec env ${HEADGATE.map((word) => `'${word}'`).join(' ')} "$@"; fi`,
  nginx: `exec '${peers.NGINX}' -p "$HERE" -c "$HERE/etc/nginx/nginx.conf" "$@"`,
  systemctl: `
    service() {
      case "$1" in
        headgate) cd "$HERE/etc/headgate" && exec headgate run ;;
        nginx) exec nginx ;;
        caddy) exec caddy run --config "$HERE/etc/caddy/Caddyfile" --adapter caddyfile ;;
      esac
    }
    pid() { cat "$HERE/$1.running"; }
    case "$1" in
      start) service "$2" > "$HERE/$2.log" 2>&1 & echo $! > "$HERE/$2.running" ;;
      stop) kill "$(pid "$2")"; while kill -0 "$(pid "$2")" 2> /dev/null; do sleep 0.05; done ;;
      restart) "$0" stop "$2"; "$0" start "$2" ;;
      reload) if [ "$2" = caddy ]; then
          caddy reload --config "$HERE/etc/caddy/Caddyfile" --adapter caddyfile
        else
          old=$(pgrep -P "$(pid nginx)")
          kill -HUP "$(pid nginx)"
          while kill -0 $old 2> /dev/null; do sleep 0.05; done # it may answer once more till then
        fi ;;
    esac`,
};

/** A machine as the document has it, in a folder, with ports of its own; and what happens there. */
async function machine(t: Test) {
  const here = peers.folder(t);
  const [app, live] = [await web(t), await streaming(t)];
  const ports = {
    3000: new URL(app.url).port,
    4000: new URL(live.url).port,
    8080: String(await peers.freePort()),
  };
  const front = await peers.freePort();
  for (const name of [
    'bin',
    'etc/headgate',
    'etc/nginx/conf.d',
    'etc/nginx/sites-available',
    'etc/caddy',
  ])
    mkdirSync(join(here, name), { recursive: true });
  for (const [name, script] of Object.entries(COMMANDS)) {
    writeFileSync(join(here, 'bin', name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(here, 'bin', name), 0o755);
  }
  const own = (text: string) =>
    text
      .replaceAll('/etc/', `${here}/etc/`)
      .replaceAll(/\b(3000|4000|8080)\b/g, (port) => ports[port as unknown as 3000]);
  const env = {
    ...process.env,
    HERE: here,
    PORTS: Object.entries(ports)
      .map(([from, to]) => `s/:${from}/:${to}/`)
      .join(';'),
    XDG_DATA_HOME: here,
    XDG_CONFIG_HOME: here,
    PATH: `${here}/bin:${process.env.PATH}`,
  };
  const shell = async (commands: string) =>
    (await run('bash', ['-ec', own(commands)], { env })).stdout;
  t.teardown(async () => {
    for (const name of ['headgate', 'nginx', 'caddy'])
      await shell(`[ ! -e ${here}/${name}.running ] || systemctl stop ${name} || true`);
  });

  let count = 0;
  return {
    here,
    front,
    shell,
    own,
    write: (name: string, text: string) => writeFileSync(join(here, 'etc', name), own(text)),
    change: (name: string, change: (text: string) => string) => {
      const path = join(here, 'etc', name);
      writeFileSync(path, own(change(readFileSync(path, 'utf8'))));
    },
    /** The commands of a section in order; the last of them is the way back. */
    commands: (...headings: string[]) =>
      peers.blocks('switch-over.md', 'sh', ...headings).map((block) => () => shell(block)),
    up: async (port = Number(ports[8080])) => {
      for (let i = 0; i < 1500 && !(await peers.isListening(port)); i++) await sleep(20);
    },
    /** How a request for a page that nobody asked for yet came to the application. */
    asked: async (headers: Fields) => {
      count += 1;
      const options = { port: front, path: `/page-${count}`, headers, localAddress: '127.0.0.2' };
      const { status } = await peers.askTls(HOST, options);
      const last = app.asked.at(-1);
      const isOfThis = status === 200 && last?.line.endsWith(`/page-${count}`);
      if (!isOfThis) return `${status}`;
      const name = last?.headers['user-agent']?.split('/', 1)[0];
      const client = last?.headers['x-forwarded-for'] ?? 'nobody';
      return `${'headgate-loop' in (last?.headers ?? {}) ? 'by Headgate' : 'directly'} as ${name} for ${client}`;
    },
    asksStreaming: async () => {
      const socket = new WebSocket(`wss://127.0.0.1:${front}/api/v1/streaming`, 'a-token', TLS);
      await once(socket, 'open');
      socket.terminate();
      return live.asked.at(-1);
    },
  };
}

const TLS = { headers: { host: HOST }, servername: HOST, rejectUnauthorized: false };
const BROWSER = OTHERS['a browser'] ?? {};
const PREVIEW = FETCHERS['Mastodon, preview'] ?? {};
/** Goes to Headgate, which passes it on. */
const PASSED = { 'user-agent': 'snac/2.77; +https://snac.example/', accept: 'text/html' };

const DIRECTLY = 'directly as Mozilla for 127.0.0.2';

/** Nobody goes by Headgate, whoever asks. */
async function assertAsBefore(
  t: Test,
  { asked }: Awaited<ReturnType<typeof machine>>,
  when: string,
) {
  t.equal(await asked(BROWSER), DIRECTLY, when);
  t.match(await asked(PREVIEW), /^directly as Mastodon/, when);
}

/** Steps 2 and 3 of the document, with what `edit` does by hand in between. */
async function assertSteps(
  t: Test,
  place: Awaited<ReturnType<typeof machine>>,
  from: string,
  edit: () => void,
) {
  const { asked, commands, asksStreaming } = place;
  await assertAsBefore(t, place, 'before');
  const [write, reload, back, ...more] = commands('2. Only previews', from);
  t.equal(more.length, 0);
  await write?.();
  edit();
  await reload?.();
  t.equal(await asked(PREVIEW), 'by Headgate as Headgate (link preview; +https: for nobody');
  t.equal(await asked(PASSED), 'by Headgate as snac for 127.0.0.2', 'the true address');
  t.equal(await asked(BROWSER), DIRECTLY, 'a browser is not concerned');
  await back?.();
  await assertAsBefore(t, place, 'back');

  const swaps = commands('3. Everything', from);
  for (const swap of swaps.slice(0, -1)) await swap();
  t.equal(await asked(BROWSER), 'by Headgate as Mozilla for 127.0.0.2');
  t.equal(await asksStreaming(), '/api/v1/streaming a-token');
  await swaps.at(-1)?.();
  await assertAsBefore(t, place, 'back again');
}

t.test('the document from nginx', { skip: peers.withoutNginx || peers.withoutCurl }, async (t) => {
  const place = await machine(t);
  const { here, front, shell, write, change, commands, up, asked } = place;
  const { key, cert } = peers.selfSigned(here, HOST);
  writeFileSync(
    join(here, 'etc/nginx/nginx.conf'),
    peers.aroundNginx(
      here,
      `include ${here}/etc/nginx/conf.d/*.conf; include ${here}/etc/nginx/sites-available/mastodon;`,
    ),
  );
  write('nginx/sites-available/mastodon', likeMastodons(front, key, cert));
  await shell('systemctl start nginx');
  await up(front);

  const [start, look, stop] = commands('1. Beside it, at another port');
  await start?.();
  await up();
  const said = (await look?.()) ?? '';
  t.match(said, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(said, /<title>M<\/title>/);
  t.notMatch(said.slice(said.indexOf('<title>')), 'Mastodon', 'the head alone');

  const [lines = '', line = ''] = peers.blocks('switch-over.md', 'nginx');
  t.same([lines, line], forServer(agents('--nginx')), 'the document says what the command says');
  await assertSteps(t, place, 'From nginx', () =>
    change('nginx/sites-available/mastodon', (text) =>
      text.replace('# here', lines).replace('location / {', `$& ${line}`),
    ),
  );

  const [keep, swap, back] = commands('4. In its place');
  await keep?.();
  change('headgate/headgate.yaml', (text) =>
    text.replace(/^listen: .*/m, `listen: 127.0.0.1:${front}\nscheme: https`),
  );
  await swap?.();
  await up(front);
  const headers = { host: HOST, ...BROWSER };
  t.match(await ask(front, headers), 'Mastodon', 'TLS is what another document tells');
  await back?.();
  await up(front);
  await assertAsBefore(t, place, 'nginx is back');
  await stop?.();
  t.equal(await asked(BROWSER), DIRECTLY, 'nobody needs Headgate');
});

t.test('the document from Caddy', { skip: peers.withoutCaddy }, async (t) => {
  const place = await machine(t);
  const { front, shell, write, change, commands, up } = place;
  write(
    'caddy/Caddyfile',
    `{
      admin 127.0.0.1:${await peers.freePort()}
      auto_https disable_redirects
      local_certs
      skip_install_trust
      https_port ${front}
      default_bind 127.0.0.1
    }
    ${HOST} {
      handle /api/v1/streaming* {
        reverse_proxy 127.0.0.1:4000
      }
      # here
      handle {
        reverse_proxy 127.0.0.1:3000
      }
    }\n`,
  );
  await shell('systemctl start caddy');
  await up(front);
  await commands('1. Beside it, at another port')[0]?.();
  await up();
  const [line = ''] = peers.blocks('switch-over.md', 'caddyfile');
  await assertSteps(t, place, 'From Caddy', () =>
    change('caddy/Caddyfile', (text) => text.replace('# here', line)),
  );
});

/** What matters here of the file that Mastodon brings for nginx. */
function likeMastodons(port: number, key: string, cert: string): string {
  const fields = `proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header Proxy "";
    proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;`;
  return `map $http_upgrade $connection_upgrade { default upgrade; '' close; }
    upstream backend { server 127.0.0.1:3000 fail_timeout=0; }
    upstream streaming { least_conn; server 127.0.0.1:4000 fail_timeout=0; }
    server {
      listen 127.0.0.1:${port} ssl http2;
      server_name ${HOST};
      ssl_certificate ${cert}; ssl_certificate_key ${key};
      error_page 404 500 501 502 503 504 /500.html;
      # here
      location / { try_files $uri @mastodon; }
      location ^~ /api/v1/streaming { ${fields} proxy_buffering off; proxy_pass http://streaming; }
      location @mastodon { ${fields} proxy_pass http://backend; }
    }`;
}
