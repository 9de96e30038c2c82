/** Both edges over raw sockets: what a client sends, byte for byte, and what its origin gets to see. */
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { readBody } from '@headgate/core';
import { aRequest } from '@headgate/core/testing';
import { upstreamTo } from '@headgate/core/upstream';
import t from 'tap';
import { front, listen, OK, rawOrigin, talk, until } from './wire.ts';

const H = 'Host: t.example\r\n';
const SMUGGLED = 'GET /SMUGGLED HTTP/1.1\r\nHost: t.example\r\n\r\n';
const CHUNKED = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;

const get = (target: string) => `GET ${target} HTTP/1.1\r\n${H}\r\n`;
const statusOf = (head: string | undefined) => Number(head?.split(' ')[1]);
const targetOf = (head: string | undefined) => head?.split(' ')[1];
const fieldOf = (head: string | undefined, name: string) =>
  new RegExp(`^${name}: (.*)$`, 'im').exec(head ?? '')?.[1]?.trim();

t.test(
  'a body is framed upstream whatever the method, so that nothing in it is a request',
  async (t) => {
    const origin = await rawOrigin(t);
    const { port } = await front(t, origin.url);
    for (const method of [
      'GET',
      'HEAD',
      'DELETE',
      'OPTIONS',
      'POST',
      'PUT',
      'PATCH',
      'PROPFIND',
      'REPORT',
    ]) {
      const isHead = method === 'HEAD';
      const chunked = `${method} /c HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${CHUNKED}`;
      await talk(port, chunked, { isHead });
      t.match(origin.requests.at(-1)?.head, /^transfer-encoding: chunked$/im, `${method}, chunked`);
      t.equal(origin.requests.at(-1)?.body.includes(SMUGGLED), true);

      const counted = `${method} /l HTTP/1.1\r\n${H}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`;
      await talk(port, counted, { isHead });
      t.equal(
        fieldOf(origin.requests.at(-1)?.head, 'content-length'),
        String(SMUGGLED.length),
        `${method}, counted`,
      );
      t.equal(origin.requests.at(-1)?.body, SMUGGLED);

      const nominated = `${method} /n HTTP/1.1\r\n${H}Connection: close, Transfer-Encoding, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKED}`;
      await talk(port, nominated, { isHead });
      t.match(
        origin.requests.at(-1)?.head,
        /^transfer-encoding: chunked$/im,
        `${method}, nominated`,
      );
    }
    t.equal(origin.requests.length, 27);
    t.equal(
      origin.requests.some(({ head }) => head.includes('/SMUGGLED')),
      false,
    );
  },
);

t.test('a request without a body says so as its client did', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);
  for (const [method, length] of [
    ['GET', undefined],
    ['DELETE', undefined],
    ['OPTIONS', undefined],
    ['POST', '0'],
    ['PUT', '0'],
  ] as const) {
    await talk(port, `${method} / HTTP/1.1\r\n${H}\r\n`);
    t.equal(fieldOf(origin.requests.at(-1)?.head, 'content-length'), length, method);
    t.notMatch(origin.requests.at(-1)?.head, /transfer-encoding/i);
  }
});

t.test('Host is preserved', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);
  for (const host of ['t.example', 'T.Example:8080', '[::1]:80', '192.0.2.7', 'a_b.example']) {
    await talk(port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    t.equal(fieldOf(origin.requests.at(-1)?.head, 'host'), host);
  }
});

t.test(
  'hop-by-hop fields stay behind in both directions, and what Connection names with them',
  async (t) => {
    const origin = await rawOrigin(
      t,
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close, X-Nominated, Set-Cookie, Content-Security-Policy\r\n' +
        'Keep-Alive: timeout=1\r\nProxy-Authenticate: Basic\r\nProxy-Connection: close\r\nUpgrade: h2,h2c\r\nTE: x\r\n' +
        'Trailer: X-T\r\nX-Nominated: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n' +
        "Content-Security-Policy: img-src 'self'\r\nContent-Security-Policy: font-src 'self'\r\nX-Kept: 1\r\n\r\nok",
    );
    const { port } = await front(t, origin.url);
    const { messages, end } = await talk(
      port,
      `GET / HTTP/1.1\r\n${H}Connection: keep-alive, X-Secret, X-Forwarded-For, Host, Cookie, Authorization\r\nX-Secret: 1\r\n` +
        'Keep-Alive: 300\r\nTE: trailers\r\nTrailer: X\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\n' +
        'Proxy: http://evil.example\r\nHTTP2-Settings: AAA\r\nUpgrade: h2c\r\nCookie: a=1\r\nCookie: b=2\r\n' +
        'Authorization: Bearer x\r\nX-Kept: 1\r\n\r\n',
    );
    const upstream = origin.requests[0]?.head;
    for (const gone of [
      'x-secret',
      'keep-alive',
      'te',
      'trailer',
      'proxy-authorization',
      'proxy-connection',
      'proxy',
      'http2-settings',
      'upgrade',
    ])
      t.equal(fieldOf(upstream, gone), undefined, `${gone} does not go upstream`);
    t.equal(fieldOf(upstream, 'cookie'), 'a=1; b=2');
    t.equal(fieldOf(upstream, 'authorization'), 'Bearer x');
    t.equal(fieldOf(upstream, 'x-kept'), '1');
    t.equal(fieldOf(upstream, 'x-forwarded-for'), '127.0.0.1');
    t.equal(fieldOf(upstream, 'connection'), 'keep-alive', 'our own word on our own connection');

    const client = messages[0]?.head ?? '';
    for (const gone of [
      'x-nominated',
      'proxy-authenticate',
      'proxy-connection',
      'upgrade',
      'te',
      'trailer',
    ])
      t.equal(fieldOf(client, gone), undefined, `${gone} does not come back`);
    t.equal(fieldOf(client, 'connection'), 'keep-alive');
    t.notMatch(client, /timeout=1$/im);
    t.equal(fieldOf(client, 'x-kept'), '1');
    t.equal(
      client.match(/^set-cookie:/gim)?.length,
      2,
      'cookies stay apart and cannot be nominated away',
    );
    t.equal(client.match(/^content-security-policy:/gim)?.length, 2, 'every policy stays');
    t.equal(end, 'answered');
  },
);

t.test('a client cannot say who it is, nor rewrite what it asks', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);
  await talk(
    port,
    `GET / HTTP/1.1\r\n${H}X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n` +
      'X-Forwarded-Prefix: /x\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nClient-IP: 6.6.6.6\r\nX-Original-URL: /admin\r\n' +
      'X-Rewrite-URL: /admin\r\nX-HTTP-Method-Override: DELETE\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\n\r\n',
  );
  const head = origin.requests[0]?.head ?? '';
  t.notMatch(head, /6\.6\.6\.6|evil|admin|DELETE|_/);
  t.equal(fieldOf(head, 'x-forwarded-for'), '127.0.0.1');
  t.equal(fieldOf(head, 'x-forwarded-proto'), 'http');
  t.equal(fieldOf(head, 'x-forwarded-host'), 't.example');
  t.equal(fieldOf(head, 'x-real-ip'), '127.0.0.1');
  t.equal(fieldOf(head, 'forwarded'), 'for=127.0.0.1;host="t.example";proto=http');
});

t.test('a trusted proxy in front is believed', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url, { trusted: ['loopback'] });
  await talk(
    port,
    `GET / HTTP/1.1\r\n${H}X-Forwarded-For: 6.6.6.6, 198.51.100.9, 127.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n`,
  );
  const head = origin.requests[0]?.head;
  t.equal(
    fieldOf(head, 'x-forwarded-for'),
    '198.51.100.9',
    'the right-most address that is not a proxy',
  );
  t.equal(fieldOf(head, 'x-forwarded-proto'), 'https');
});

t.test('requests on one connection are answered in order, and none after the last', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);

  const two = await talk(port, get('/a') + get('/b'), { answers: 2 });
  t.same(
    two.messages.map(({ head }) => statusOf(head)),
    [200, 200],
  );
  t.same(
    origin.requests.map(({ head }) => targetOf(head)),
    ['/a', '/b'],
  );

  const bad = await talk(port, `${get('/c')}BAD\r\n\r\n`, { answers: 3 });
  t.same(
    bad.messages.map(({ head }) => statusOf(head)),
    [200, 400],
  );
  t.equal(bad.end, 'closed');

  const over = await talk(port, `GET /d HTTP/1.1\r\n${H}${H}\r\n${get('/NEVER')}`, { answers: 2 });
  t.same(
    over.messages.map(({ head }) => statusOf(head)),
    [400],
  );
  t.equal(
    origin.requests.some(({ head }) => head.includes('/NEVER')),
    false,
    'what follows a refusal is void',
  );
});

t.test('pipelined requests are served one after another, and only so many wait', async (t) => {
  let underWay = 0;
  let most = 0;
  const origin = await rawOrigin(t, (socket) => {
    underWay += 1;
    most = Math.max(most, underWay);
    globalThis.setTimeout(() => {
      underWay -= 1;
      socket.write(OK);
    }, 5);
  });
  const { port, reports } = await front(t, origin.url);
  const targets = Array.from({ length: 20 }, (_, i) => `/${i}`);
  const { messages } = await talk(port, targets.map(get).join(''), { answers: 20 });
  t.equal(messages.length, 20);
  t.same(
    origin.requests.map(({ head }) => targetOf(head)),
    targets,
  );
  t.equal(most, 1);
  t.equal(reports.length, 20);

  const silent = await rawOrigin(t, () => {});
  const flooded = await front(t, silent.url);
  const flood = await talk(flooded.port, get('/') + get('/').repeat(1_000));
  t.match(flood.end, /closed|reset/);
  await until(() => silent.sockets.size === 0);
  t.equal(silent.sockets.size, 0, 'nothing of it is left');
  t.equal(silent.requests.length <= 1, true);
});

t.test(
  'nothing is tunnelled or connected while an answer is owed, and nobody dies of it',
  async (t) => {
    const origin = await rawOrigin(t, (socket) =>
      globalThis.setTimeout(() => socket.destroyed || socket.write(OK), 100),
    );
    const { port } = await front(t, origin.url);
    const handshake =
      'GET /ws HTTP/1.1\r\nHost: t.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    for (const second of [handshake, `CONNECT a:1 HTTP/1.1\r\n${H}\r\n`]) {
      const { end, text } = await talk(port, get('/slow') + second, { answers: 2 });
      t.match(end, /closed|reset/);
      t.notMatch(text, /101|405/);
    }
    t.equal(
      origin.requests.some(({ head }) => head.includes('/ws')),
      false,
    );
    t.equal(statusOf((await talk(port, get('/'))).messages[0]?.head), 200, 'all is well');
  },
);

t.test('what follows a refusal stays void when an earlier answer comes', async (t) => {
  const origin = await rawOrigin(t, (socket) => {
    globalThis.setTimeout(() => socket.destroyed || socket.write(OK), 150);
  });
  const { port } = await front(t, origin.url);
  const bad = `GET /bad HTTP/1.1\r\n${H}${H}\r\n`;
  const { messages } = await talk(
    port,
    [get('/slow') + bad, get('/1'), '', '', '', '', get('/2')],
    {
      answers: 4,
    },
  );
  t.same(
    messages.map(({ head }) => statusOf(head)),
    [200, 400],
  );
  t.same(
    origin.requests.map(({ head }) => targetOf(head)),
    ['/slow'],
  );
});

t.test('what could not be read is reported with what is known of it', async (t) => {
  const { port, reports } = await front(t, 'http://127.0.0.1:9');
  await talk(port, 'BAD\r\n\r\n');
  t.match(reports, [{ status: 400, bytesIn: 7, request: { client: '127.0.0.1', method: '' } }]);
  t.ok((reports[0]?.bytesOut ?? 0) > 10);
});

t.test('a field named like something of Object goes upstream', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);
  await talk(port, `GET / HTTP/1.1\r\n${H}Constructor: 1\r\n\r\n`);
  t.equal(fieldOf(origin.requests[0]?.head, 'constructor'), '1');
});

t.test('an answer that drips is a 504 as well', async (t) => {
  for (const drip of [
    'HTTP/1.1 200 OK\r\nX-A: '.padEnd(200, 'x'),
    'HTTP/1.1 102 Processing\r\n\r\n',
  ]) {
    const isHead = drip.includes('200 OK');
    const origin = await rawOrigin(t, (socket) => {
      let at = 0;
      const timer = setInterval(() => {
        socket.write(isHead ? (drip[at] ?? 'x') : drip);
        at += 1;
      }, 50);
      socket.on('close', () => clearInterval(timer));
    });
    const { port } = await front(t, origin.url, { upstream: { headTimeout: 200 } });
    const { messages } = await talk(port, get('/'));
    t.equal(statusOf(messages[0]?.head), 504);
  }
});

t.test('a request whose answer had begun is not sent again', async (t) => {
  const origin = await rawOrigin(t, (socket, { head }) => {
    if (head.startsWith('DELETE')) socket.end('HTTP/1.1 200 OK\r\nX-Half: ');
    else socket.write(OK);
  });
  const { port } = await front(t, origin.url);
  await talk(port, get('/1'));
  const { messages } = await talk(port, `DELETE /2 HTTP/1.1\r\n${H}\r\n`);
  t.equal(statusOf(messages[0]?.head), 502);
  t.equal(origin.requests.length, 2);
});

t.test('an upstream that is closed asks nobody again', async (t) => {
  const origin = await rawOrigin(t, (socket, { head }) => {
    if (head.startsWith('GET /1 ')) socket.write(OK);
  });
  const upstream = upstreamTo(origin.url);
  const first = await upstream.handler(aRequest({ url: '/1' }));
  await readBody(first.body, 10);
  await new Promise((done) => setImmediate(done));
  const second = upstream.handler(aRequest({ url: '/2' }));
  await until(() => origin.requests.length === 2);
  upstream.close();
  await t.rejects(second, { code: 'UPSTREAM_BROKEN' });
  t.equal(origin.requests.length, 2);
  t.equal(origin.connections, 1);
});

t.test('a body that breaks off never looks whole to the origin', async (t) => {
  const origin = await rawOrigin(t);
  const { port, reports } = await front(t, origin.url);
  const bad: [why: string, pieces: string[]][] = [
    [
      'a chunk size that is none',
      [`POST /1 HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, 'zz\r\n'],
    ],
    [
      'a chunk longer than it says',
      [`POST /2 HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5\r\nhello`, 'XX0\r\n\r\n'],
    ],
  ];
  for (const [why, pieces] of bad) {
    const { messages, end } = await talk(port, pieces, { answers: 2 });
    t.same(
      messages.map(({ head }) => statusOf(head)),
      [400],
      why,
    );
    t.equal(end, 'closed');
  }
  await talk(port, [`POST /3 HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n5\r\nhel`], {
    patience: 200,
  });
  await talk(port, [`POST /4 HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nhello`], { patience: 200 });
  await until(() => reports.length === 4 && origin.sockets.size === 0);
  t.equal(origin.sockets.size, 0, 'no connection is left open');
  t.same(origin.requests, [], 'the origin never saw the end of one');
  t.same(
    reports.map(({ error }) => error && 'code' in error && error.code),
    ['BAD_REQUEST', 'BAD_REQUEST', 'CLIENT_GONE', 'CLIENT_GONE'],
  );
});

t.test('the 100 goes out when the body is first read, and Expect stays here', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);
  const expecting = (more: string) => `POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\n${more}\r\n`;

  const { text } = await talk(port, [expecting('Content-Length: 5\r\n'), 'hello']);
  t.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  t.equal(fieldOf(origin.requests[0]?.head, 'expect'), undefined);
  t.equal(origin.requests[0]?.body, 'hello');

  const chunked = await talk(port, [
    expecting('Transfer-Encoding: chunked\r\n'),
    '5\r\nhello\r\n0\r\n\r\n',
  ]);
  t.match(chunked.text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);

  const answering = await front(t, origin.url, {
    handler: async () => ({ status: 403, headers: {}, body: Buffer.from('no') }),
  });
  const refused = await talk(answering.port, expecting('Content-Length: 5\r\n'), { answers: 2 });
  t.match(
    refused.text,
    /^HTTP\/1\.1 403 /,
    'a layer that answers without reading never invites the body',
  );
  t.equal(refused.end, 'closed', 'and does not wait for it');
});

t.test('an answer given before a body was read does not make a request of the body', async (t) => {
  for (const isBegun of [false, true]) {
    const seen: string[] = [];
    const { port } = await front(t, 'http://127.0.0.1:9', {
      handler: async ({ url, body }) => {
        seen.push(url);
        if (isBegun && body instanceof Readable) {
          await once(body, 'data');
          body.pause();
        }
        return { status: 200, headers: {}, body: Buffer.from('hit') };
      },
    });
    const size = 10_000 * SMUGGLED.length;
    const { messages } = await talk(
      port,
      [
        `GET /hit HTTP/1.1\r\n${H}Content-Length: ${size}\r\n\r\n${SMUGGLED}`,
        SMUGGLED.repeat(9_999) + get('/next'),
      ],
      { answers: 2 },
    );
    t.equal(messages.length, 2, isBegun ? 'begun' : 'not begun');
    t.same(seen, ['/hit', '/next']);
  }
});

t.test('a client is not sent away while nobody reads, but when somebody does again', async (t) => {
  const { port } = await front(t, 'http://127.0.0.1:9', {
    idleTimeout: 150,
    handler: async ({ body, signal }) => {
      if (!(body instanceof Readable)) throw new Error('no body');
      await once(body, 'data');
      body.pause();
      await setTimeout(400);
      body.resume();
      await once(signal(), 'abort');
      throw signal().reason;
    },
  });
  const { messages, end } = await talk(
    port,
    `POST / HTTP/1.1\r\n${H}Content-Length: 9\r\n\r\nabc`,
    {
      answers: 2,
    },
  );
  t.same(
    messages.map(({ head }) => statusOf(head)),
    [408],
  );
  t.equal(end, 'closed');
});

t.test(
  'a body delimited by the end of an HTTP/1.0 connection is reset when it breaks off',
  async (t) => {
    const origin = await rawOrigin(t, (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
      globalThis.setTimeout(() => socket.end(), 50);
    });
    const { port } = await front(t, origin.url);
    const { text, end } = await talk(port, `GET / HTTP/1.0\r\n${H}\r\n`);
    t.match(text, /\r\n\r\nabc$/);
    t.equal(end, 'reset', 'a FIN would be a clean end');
  },
);

t.test('bytes behind an answer are never the next answer', async (t) => {
  const origin = await rawOrigin(t, `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL`);
  const { port } = await front(t, origin.url);
  for (let i = 0; i < 5; i++) {
    const { messages } = await talk(port, get('/'));
    t.equal(messages[0]?.body, 'ok');
  }
});

t.test('HEAD, 204 and 304 have no body and keep what they say of it', async (t) => {
  for (const [method, answer, length] of [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n', '12345'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', undefined],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 12345\r\nETag: "x"\r\n\r\n', '12345'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', undefined],
  ] as const) {
    const origin = await rawOrigin(t, answer);
    const { port } = await front(t, origin.url);
    const request = `${method} / HTTP/1.1\r\n${H}\r\n`;
    const { messages, text } = await talk(port, [request, request], { answers: 2, isHead: true });
    t.equal(messages.length, 2, `${method}: the connection goes on`);
    t.equal(fieldOf(messages[0]?.head, 'content-length'), length, `${method} ${length}`);
    t.match(text, /\r\n\r\n$/, 'no body');
    t.equal(origin.connections, 1, 'and so does the one to the origin');
  }
});

t.test('Range and 206 pass', async (t) => {
  const answer =
    'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-2/4\r\nContent-Length: 2\r\n\r\nbc';
  const origin = await rawOrigin(t, answer);
  const { port } = await front(t, origin.url);
  const { messages } = await talk(
    port,
    `GET / HTTP/1.1\r\n${H}Range: bytes=1-2\r\nIf-Range: "x"\r\n\r\n`,
  );
  t.equal(fieldOf(origin.requests[0]?.head, 'range'), 'bytes=1-2');
  t.equal(fieldOf(origin.requests[0]?.head, 'if-range'), '"x"');
  t.equal(fieldOf(messages[0]?.head, 'content-range'), 'bytes 1-2/4');
  t.equal(messages[0]?.body, 'bc');
});

t.test(
  'a silence is a 504, before the head and after; an event stream may be silent',
  async (t) => {
    const silent = await rawOrigin(t, () => {});
    const before = await front(t, silent.url, { upstream: { headTimeout: 150 } });
    t.equal(statusOf((await talk(before.port, get('/'))).messages[0]?.head), 504);
    await until(() => silent.sockets.size === 0);
    t.equal(silent.sockets.size, 0, 'the connection is given up');

    const half = await rawOrigin(t, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    const after = await front(t, half.url, { upstream: { idleTimeout: 150 } });
    const cut = await talk(after.port, get('/'));
    t.match(cut.end, /closed|reset/);
    await until(() => after.reports.length > 0);
    t.match(after.reports[0]?.error, { code: 'UPSTREAM_TIMEOUT' });

    const events = await rawOrigin(t, (socket) => {
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 6\r\n\r\nabc',
      );
      globalThis.setTimeout(() => socket.write('def'), 500);
    });
    const stream = await front(t, events.url, { upstream: { idleTimeout: 150 } });
    t.equal((await talk(stream.port, get('/'))).messages[0]?.body, 'abcdef');
  },
);

t.test('an origin that is not there is a 502', async (t) => {
  const gone = createTcpServer();
  const port = await listen(t, gone);
  gone.close();
  const nobody = await front(t, `http://127.0.0.1:${port}`);
  const { messages } = await talk(nobody.port, get('/'));
  t.equal(statusOf(messages[0]?.head), 502);
  t.equal(messages[0]?.body, '502 Bad Gateway\n', 'without telling the client what stands behind');
  t.match(nobody.reports[0]?.error, {
    code: 'UPSTREAM_UNREACHABLE',
    cause: { code: 'ECONNREFUSED' },
  });

  const unknown = await front(t, 'http://name.invalid');
  t.equal(statusOf((await talk(unknown.port, get('/'))).messages[0]?.head), 502);
});

t.test('a connection that died while idle is not the client’s problem', async (t) => {
  let count = 0;
  const origin = await rawOrigin(t, (socket) => {
    count += 1;
    if (count % 2 === 0) socket.resetAndDestroy();
    else socket.write(OK);
  });
  const { port } = await front(t, origin.url);
  t.equal(statusOf((await talk(port, get('/1'))).messages[0]?.head), 200);
  t.equal(
    statusOf((await talk(port, get('/2'))).messages[0]?.head),
    200,
    'asked again on a new connection',
  );
  t.equal(origin.requests.length, 3);
  t.equal(
    statusOf((await talk(port, get('/3'))).messages[0]?.head),
    502,
    'once, and only on a connection that was idle',
  );

  for (const [why, request] of [
    ['never with a body', `PUT /5 HTTP/1.1\r\n${H}Content-Length: 1\r\n\r\nx`],
    ['never what may not be done twice', `POST /5 HTTP/1.1\r\n${H}\r\n`],
  ] as const) {
    count = 0;
    t.equal(statusOf((await talk(port, get('/4'))).messages[0]?.head), 200);
    const before = origin.requests.length;
    t.equal(statusOf((await talk(port, request)).messages[0]?.head), 502, why);
    t.equal(origin.requests.length, before + 1, why);
  }
});

t.test('many requests share few connections', async (t) => {
  const origin = await rawOrigin(t);
  const { port } = await front(t, origin.url);
  for (let i = 0; i < 20; i++) await talk(port, get('/'));
  t.equal(origin.connections, 1);
});

t.test('a client that is silent where it should speak is sent away', async (t) => {
  const origin = await rawOrigin(t);
  const { port, reports } = await front(t, origin.url, {
    idleTimeout: 200,
    keepAliveTimeout: 200,
  });

  const body = await talk(port, `POST / HTTP/1.1\r\n${H}Content-Length: 10\r\n\r\nabc`, {
    answers: 2,
  });
  t.same(
    body.messages.map(({ head }) => statusOf(head)),
    [408],
    'in the middle of a body',
  );
  t.equal(body.end, 'closed');
  t.match(reports[0]?.error, { code: 'REQUEST_TIMEOUT' });

  const slow = await front(t, origin.url, { headTimeout: 300 });
  const head = await talk(slow.port, 'GET / HTTP/1.1\r\nHos', { answers: 2 });
  t.same(
    head.messages.map(({ head }) => statusOf(head)),
    [408],
    'in the middle of a head',
  );

  const idle = await talk(port, get('/'), { answers: 2 });
  t.equal(idle.messages.length, 1);
  t.equal(idle.end, 'closed', 'between requests');
});

t.test('an origin that thinks for longer than a client may be silent is waited for', async (t) => {
  const origin = await rawOrigin(t, (socket) => globalThis.setTimeout(() => socket.write(OK), 500));
  const { port } = await front(t, origin.url, { idleTimeout: 100 });
  t.equal(statusOf((await talk(port, get('/'))).messages[0]?.head), 200);
});

t.test(
  'what a middleware gets wrong is a 500 or 502, once, and the next request is served',
  async (t) => {
    const origin = await rawOrigin(t);
    const wrong: [why: string, handler: () => Promise<never>, status: number][] = [
      [
        'a rejection',
        async () => {
          throw new Error('oops');
        },
        500,
      ],
      [
        'a throw',
        () => {
          throw new Error('oops');
        },
        500,
      ],
      [
        'a status that is none',
        async () => ({ status: 42, headers: {}, body: Buffer.alloc(0) }) as never,
        502,
      ],
      [
        'a field that is none',
        async () => ({ status: 200, headers: { 'x y': 'z' }, body: Buffer.alloc(0) }) as never,
        502,
      ],
      [
        'a line break in a value',
        async () => ({ status: 200, headers: { x: 'a\r\nb: c' }, body: Buffer.alloc(0) }) as never,
        502,
      ],
    ];
    for (const [why, handler, status] of wrong) {
      const { port, reports } = await front(t, origin.url, { handler });
      const { messages } = await talk(port, get('/') + get('/'), { answers: 2 });
      t.same(
        messages.map(({ head }) => statusOf(head)),
        [status, status],
        why,
      );
      t.notMatch(messages[0]?.body, /oops/);
      await until(() => reports.length === 2);
      t.equal(reports.length, 2);
    }
  },
);
