/** An upstream that has a name: when it is looked up, and what is done with several addresses. */
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { front, listen, rawOrigin, talk } from './wire.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

/** Nobody listens at these. */
const DEAD = ['127.0.0.2', '::1', '127.0.0.3'];

/** Answers for app.internal as a resolver does, with the addresses that it is told. */
function resolver(t: Test) {
  const { lookup } = dns;
  const state = { addresses: ['127.0.0.1'], count: 0 };
  const stub: unknown = (
    name: string,
    options: { all?: boolean },
    done: (...said: unknown[]) => void,
  ) => {
    if (name !== 'app.internal') return Reflect.apply(lookup, dns, [name, options, done]);
    state.count += 1;
    const all = state.addresses.map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    setImmediate(() =>
      options.all ? done(null, all) : done(null, all[0]?.address, all[0]?.family),
    );
  };
  t.intercept(dns, 'lookup', { value: stub });
  return state;
}

t.test('all addresses of a name are tried, in order', async (t) => {
  const names = resolver(t);
  const origin = await rawOrigin(t);
  const { port } = await front(t, `http://app.internal:${origin.port}`);
  names.addresses = [...DEAD, '127.0.0.1'];
  t.match((await talk(port, GET)).messages[0]?.head, /^HTTP\/1\.1 200/);
  t.equal(origin.requests.length, 1);
  t.equal(names.count, 1);

  const lost = await front(t, `http://app.internal:${origin.port}`);
  names.addresses = DEAD;
  t.match(
    (await talk(lost.port, GET)).messages[0]?.head,
    /^HTTP\/1\.1 502/,
    'none of them is there',
  );
});

t.test('for a WebSocket too', async (t) => {
  const names = resolver(t);
  names.addresses = [...DEAD, '127.0.0.1'];
  const server = createServer();
  new WebSocketServer({ server });
  const { port } = await front(t, `http://app.internal:${await listen(t, server)}`);
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(socket, 'open');
  socket.terminate();
});

t.test('a name is looked up for each new connection, and for no other', async (t) => {
  const names = resolver(t);
  const origin = await rawOrigin(t);
  const url = `http://app.internal:${origin.port}`;
  const kept = await front(t, url);
  await talk(kept.port, GET);
  names.addresses = DEAD;
  t.match(
    (await talk(kept.port, GET)).messages[0]?.head,
    /^HTTP\/1\.1 200/,
    'the connection is there',
  );
  t.equal(names.count, 1);

  const each = await front(t, url, { upstream: { keepAlive: 0 } });
  t.match((await talk(each.port, GET)).messages[0]?.head, /^HTTP\/1\.1 502/);
  names.addresses = ['127.0.0.1'];
  t.match((await talk(each.port, GET)).messages[0]?.head, /^HTTP\/1\.1 200/, 'it has moved');
});
