/** An upstream that speaks TLS. The certificate is for localhost and 127.0.0.1, until 2126. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { front, listen, talk, until } from './wire.ts';

const read = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const cert = read('localhost.pem');
const get = 'GET / HTTP/1.1\r\nHost: t.example\r\n\r\n';

async function origin(t: Test) {
  const asked: { servername: unknown; host: string | undefined }[] = [];
  const server = createServer(
    { cert, key: read('localhost-key.pem') },
    ({ socket, headers }, res) => {
      asked.push({ servername: (socket as TLSSocket).servername, host: headers.host });
      res.end('secret');
    },
  );
  new WebSocketServer({ server }).on('connection', (socket) =>
    socket.on('message', (data) => socket.send(data)),
  );
  return { asked, port: await listen(t, server) };
}

t.test(
  'a certificate that nobody vouches for is refused, and so is one for another name',
  async (t) => {
    const { port, asked } = await origin(t);
    const untrusted = await front(t, `https://localhost:${port}`);
    t.match((await talk(untrusted.port, get)).messages[0]?.head, /^HTTP\/1\.1 502 /);
    await until(() => untrusted.reports.length > 0);
    t.match(untrusted.reports[0]?.error, {
      code: 'UPSTREAM_UNREACHABLE',
      cause: { code: /SELF_SIGNED/ },
    });

    setDefaultCACertificates([...getCACertificates(), cert]);
    const misnamed = await front(t, `https://[::ffff:127.0.0.1]:${port}`);
    t.match((await talk(misnamed.port, get)).messages[0]?.head, /^HTTP\/1\.1 502 /);
    await until(() => misnamed.reports.length > 0);
    t.match(misnamed.reports[0]?.error, { cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    t.same(asked, []);
  },
);

t.test('an authority of its own, no check at all, another name: where it is said', async (t) => {
  const { port } = await origin(t);
  const address = `https://[::ffff:127.0.0.1]:${port}`;
  const rows = [
    [`https://127.0.0.1:${port}`, { ca: cert }, 200],
    [address, { ca: cert }, 502],
    [address, { ca: cert, servername: 'localhost' }, 200],
    [address, { verify: false }, 200],
    [`https://localhost:${port}`, {}, 502],
  ] as const;
  setDefaultCACertificates([]);
  for (const [url, options, status] of rows) {
    const { port: inFront } = await front(t, url, { upstream: options, tunnels: options });
    const { messages } = await talk(inFront, get);
    t.match(messages[0]?.head, `HTTP/1.1 ${status} `, JSON.stringify(options).slice(0, 60));
    const socket = new WebSocket(`ws://127.0.0.1:${inFront}`);
    const opened = await once(socket, 'open').then(
      () => 200,
      () => 502,
    );
    t.equal(opened, status, 'and for WebSockets');
    socket.terminate();
  }
});

t.test('TLS is asked for the name of the upstream, HTTP for the name of the site', async (t) => {
  setDefaultCACertificates([...getCACertificates(), cert]);
  const { port, asked } = await origin(t);
  for (const [host, servername] of [
    ['localhost', 'localhost'],
    ['127.0.0.1', false],
  ] as const) {
    const { port: inFront } = await front(t, `https://${host}:${port}`);
    t.equal((await talk(inFront, get)).messages[0]?.body.includes('secret'), true, host);
    t.same(asked.at(-1), { servername, host: 't.example' });
  }
});

t.test('a WebSocket passes to a TLS upstream', async (t) => {
  setDefaultCACertificates([...getCACertificates(), cert]);
  const { port } = await origin(t);
  const { url } = await front(t, `https://localhost:${port}`);
  const socket = new WebSocket(url.replace('http', 'ws'));
  await once(socket, 'open');
  socket.send('hello');
  t.equal(String((await once(socket, 'message'))[0]), 'hello');
  socket.close();
});
