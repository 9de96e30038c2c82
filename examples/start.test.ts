/** What `npm start` promises on the screen holds. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.test('the example runs, and what it says to try shows what it says', async (t) => {
  const program = fileURLToPath(new URL('start.ts', import.meta.url));
  const child = spawn('env', [
    ...['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source'],
    program,
  ]);
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  for (let i = 0; i < 1000 && !said.includes('Ctrl-C'); i++)
    await new Promise((done) => setTimeout(done, 10));
  const [, url = ''] = /^ {2}(http:\/\/127\.0\.0\.1:\d+)$/m.exec(said) ?? [];
  const [, agent = ''] = /-A '([^']+)'/.exec(said) ?? [];

  const page = await (await fetch(`${url}/`)).text();
  t.ok(Math.abs(page.length / 1000 - 120) < 5, `${page.length} characters are about 120 kB`);
  const asked = () => said.match(/the site was asked: {2}GET \//g)?.length;
  const headers = { 'user-agent': agent, accept: 'text/html' };
  for (const status of [/stored/, /hit/]) {
    const preview = await fetch(`${url}/`, { headers });
    t.match(preview.headers.get('cache-status'), status);
    const cut = await preview.text();
    t.ok(cut.length < 1000, `${cut.length} is less than 1 kB`);
    t.match(cut, 'rel="me"');
  }
  t.equal(asked(), 2, 'once by the browser, once for Mastodon');

  child.kill('SIGINT');
  t.same(await once(child, 'close'), [0, null], 'Ctrl-C ends it');
});
