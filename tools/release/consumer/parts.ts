/** The other packages, each by what it is for. */
import assert from 'node:assert/strict';
import { compose, type Middleware, withFields } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { aRequest, upstream } from '@headgate/core/testing';
import { tunnelTo } from '@headgate/core/upgrade';
import { upstreamTo } from '@headgate/core/upstream';
import { classify } from '@headgate/fedi-agents';
import { scanner } from '@headgate/html';
import { memoryStore, namespaced } from '@headgate/store';
import { gate, listen, toConfig, toUrl } from 'headgate';

const greeting: Middleware = async (request, next) => {
  const response = await next(request);
  return { ...response, headers: withFields(response.headers, { 'x-hello': 'world' }) };
};

/** A server of core's with a layer of one's own, and the daemon's gate, both in front of `site`. */
export async function inFrontOf(site: string): Promise<void> {
  const { handler } = upstreamTo(site);
  const server = createServer({ handler: compose([greeting], handler), tunnel: tunnelTo(site) });
  const front = await listen(server, { host: '127.0.0.1', port: 0 });
  const answer = await fetch(toUrl(front.address));
  assert.equal(answer.headers.get('x-hello'), 'world');
  assert.match(await answer.text(), /<title>Hello/);
  await front.stop(0);

  const whole = await gate(await toConfig({ sites: [{ upstream: site }] }));
  const { address, stop } = await listen(whole.server(), { host: '127.0.0.1', port: 0 });
  assert.match(await (await fetch(toUrl(address))).text(), /<title>Hello/);
  await stop(0);
  await whole.close();
}

/** What needs no socket. */
export async function withoutSockets(): Promise<void> {
  const origin = upstream({ status: 204 });
  const answer = await compose([greeting], origin)(aRequest({ url: '/a' }));
  assert.deepEqual([answer.status, origin.asked[0]?.url], [204, '/a']);

  const headers = { 'user-agent': 'Mastodon/4.5.0 (http.rb/5.3.1) Bot', accept: 'text/html' };
  assert.equal(classify({ method: 'GET', url: '/', headers }).purpose, 'preview');

  let end = 0;
  const page = scanner({ onHeadEnd: (offset) => (end = offset) });
  page.write(Buffer.from('<title>a</title><p>b'));
  page.end();
  assert.equal(end, '<title>a</title>'.length);

  const store = namespaced(memoryStore({ maxBytes: 1024 * 1024 }), 'mine');
  await store.set('key', Buffer.from('value'), 1000);
  assert.equal(String(await store.get('key')), 'value');
  assert.equal(await store.purge('k'), 1);
}
