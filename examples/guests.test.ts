/** The example applications, over real sockets: a browser gets the page, a fetcher the cut one, once. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import t from 'tap';
import { app as onExpress } from './express.ts';
import { app as onFastify } from './fastify.ts';
import { fetch as onHono } from './hono.ts';
import { IMAGE, PAGE } from './site.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

const servers: Readonly<Record<string, () => Promise<Server>>> = {
  Express: async () => createServer(onExpress as RequestListener),
  Fastify: async () => {
    await onFastify.ready();
    return onFastify.server;
  },
  Hono: async () => createServer(getRequestListener(onHono)),
};

for (const [name, make] of Object.entries(servers)) {
  t.test(`the example for ${name}`, async (t) => {
    const server = (await make()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo;
    const ask = async (agent: string, path = '/') => {
      const headers = { 'user-agent': agent, accept: 'text/html' };
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers,
        redirect: 'manual',
      });
      return { response, text: await response.text() };
    };
    const { response: page, text } = await ask('Mozilla/5.0');
    t.equal(text, PAGE);
    t.match(page.headers.get('content-security-policy'), /img-src 'self' https:\/\/cdn\.example/);

    const image = await ask('Mozilla/5.0', '/media/lighthouse.svg');
    t.equal(image.response.status, 301);
    t.equal(image.response.headers.get('location'), 'https://cdn.example/media/lighthouse.svg');
    t.equal(
      (await ask('Plume/0.7.2', '/media/lighthouse.svg')).text,
      IMAGE,
      'Plume gets the bytes',
    );

    for (const status of [/fwd=miss/, /; hit/]) {
      const { response, text } = await ask(MASTODON, '/?utm_source=x');
      t.match(response.headers.get('cache-status'), status);
      t.ok(text.length < 1000);
      t.match(text, /og:title[\s\S]*rel="me"/);
    }
    t.equal((await ask(MASTODON, '/nothing')).response.status, 404);
  });
}

t.test('the example for Express counts what its middleware did', async (t) => {
  const server = createServer(onExpress as RequestListener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const metrics = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const count = (text: string) =>
    Number(
      /^headgate_previews_total\{.*agent="mastodon",outcome="hit"\} (\d+)$/m.exec(text)?.[1] ?? 0,
    );
  const before = count(await metrics());
  const headers = { 'user-agent': MASTODON, accept: 'text/html' };
  for (let i = 0; i < 3; i++)
    await (await fetch(`http://127.0.0.1:${port}/?utm_source=x`, { headers })).text();
  const text = await metrics();
  t.ok(count(text) - before >= 2, text);
});
