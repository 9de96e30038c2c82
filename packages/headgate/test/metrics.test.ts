/** The daemon's metrics, as Prometheus asks for them, and what it says of a CDN that sends people back. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { rawOrigin, until } from '../../core/test/wire.ts';

const CLI = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

t.test(
  'what passes is counted where somebody can ask, and a CDN’s trouble is logged',
  async (t) => {
    let front = '';
    const cdn = await rawOrigin(t, (socket) =>
      socket.write(`HTTP/1.1 302 Found\r\nLocation: ${front}/\r\nContent-Length: 0\r\n\r\n`),
    );
    const origin = await rawOrigin(t, (socket) => {
      const page = '<title>a</title>';
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`,
      );
    });
    const child = spawn('env', [
      ...['-u', 'NODE_OPTIONS', `HEADGATE_UPSTREAM=${origin.url}`, 'HEADGATE_PRESET=site'],
      ...['HEADGATE_LISTEN=127.0.0.1:0', 'HEADGATE_METRICS=127.0.0.1:0', `HEADGATE_CDN=${cdn.url}`],
      ...[process.execPath, '--conditions=@headgate/source', CLI],
    ]);
    t.teardown(() => child.kill('SIGKILL'));
    const said = { out: '', err: '' };
    child.stdout.on('data', (chunk) => (said.out += chunk));
    child.stderr.on('data', (chunk) => (said.err += chunk));
    for (let i = 0; i < 10 && !/Metrics: /.test(said.err); i++)
      await until(() => /Metrics: /.test(said.err));
    front = /Look: +(\S+)/.exec(said.err)?.[1] ?? '';
    const [, metrics = ''] = /Metrics: +(\S+)/.exec(said.err) ?? [];
    const ask = (path: string, agent = MASTODON) =>
      fetch(front + path, {
        headers: { 'user-agent': agent, accept: 'text/html' },
        redirect: 'manual',
      });
    for (const _ of [1, 2, 3]) await (await ask('/')).text();
    t.equal((await ask('/wp-content/uploads/a.png', 'Mozilla/5.0')).status, 200, 'served: a loop');
    await until(() => said.out.includes('originPull.secret'));
    t.match(said.out, /"state":"loop"/);

    const text = await (await fetch(metrics)).text();
    t.match(text, /^headgate_http_requests_total\{[^}]*\} \d+$/m);
    t.match(text, /^headgate_previews_total\{[^}]*outcome="hit"[^}]*\} 2$/m);
    t.match(text, /^headgate_config_last_reload_successful 1$/m);
    t.match(text, /^headgate_store_entries 1$/m);
  },
);
