/** Two Headgates that lead to each other, both with fedicache: what one fills, the other never cuts. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { compose, type Handler } from '@headgate/core';
import { upstreamTo } from '@headgate/core/upstream';
import { fedicache } from '@headgate/middleware-fedicache';
import t from 'tap';
import { front, talk } from '../../core/test/wire.ts';
import { EVERYBODY } from './everybody.ts';
import { BROWSER, MASTODON, statusOf } from './site.ts';

t.test('a loop over two instances is a 508, after one round', async (t) => {
  const { NODE_OPTIONS: _, ...env } = process.env; // tap would measure its coverage
  const execArgv = ['--conditions=@headgate/source'];
  let first: Handler = () => Promise.reject(new Error('nobody asks so early'));
  const { port } = await front(t, 'http://127.0.0.1:1', { handler: (request) => first(request) });
  const script = fileURLToPath(new URL('second.ts', import.meta.url));
  const second = fork(script, [`http://127.0.0.1:${port}`], { env, execArgv });
  t.teardown(() => second.kill());
  const [there] = await once(second, 'message');
  const { handler, close } = upstreamTo(`http://127.0.0.1:${there}`);
  t.teardown(close);
  let asked = 0;
  const background: Handler = (request) => {
    asked += 1;
    return handler(request);
  };
  const agents = [EVERYBODY];
  const { middleware } = fedicache({}, { background, agents });
  first = compose([middleware], background);
  for (const userAgent of [MASTODON, BROWSER]) {
    asked = 0;
    const head = `GET /${userAgent.length} HTTP/1.1\r\nHost: t.example\r\nUser-Agent: ${userAgent}\r\nAccept: text/html\r\n\r\n`;
    t.equal(statusOf(await talk(port, head, { patience: 20_000 })), 508);
    t.equal(asked, 1, 'it went round once');
  }
});
