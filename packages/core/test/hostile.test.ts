/** Every row of hostile clients and hostile origins, over raw sockets. The oracle is a strict origin. */
import t from 'tap';
import {
  CLIENT_ROWS,
  type ClientRow,
  FRAMING,
  ORIGIN_ROWS,
  type OriginRow,
  TARGETS,
  UPGRADES,
} from './hostile.ts';
import { strictOrigin, valueIn } from './strict.ts';
import { front, listen, rawOrigin, talk, until } from './wire.ts';

const H = 'Host: t.example\r\n';
const get = (target: string) => `GET ${target} HTTP/1.1\r\n${H}\r\n`;
const statusOf = (head: string | undefined) => Number(head?.split(' ')[1]);
const echo = ({ target }: { target: string }) =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`;

t.test('rows have names of their own', async (t) => {
  const names = [...CLIENT_ROWS, ...ORIGIN_ROWS].map(([name]) => name);
  t.equal(new Set(names).size, names.length);
});

for (const [what, rows] of Object.entries({ FRAMING, TARGETS, UPGRADES }))
  t.test(`hostile clients: ${what}`, async (t) => {
    const { server, requests, faults, sockets } = strictOrigin(echo);
    const { port, reports } = await front(t, `http://127.0.0.1:${await listen(t, server)}`);
    for (const [name, input, statuses, upstream = []] of rows satisfies readonly ClientRow[]) {
      requests.length = 0;
      reports.length = 0;
      const isRefused = statuses.some((status) => status >= 400);
      const answers = statuses.length + (isRefused ? 1 : 0); // one more, to see the end
      const { messages, end } = await talk(port, input, { answers });
      t.same(
        messages.map(({ head }) => statusOf(head)),
        statuses,
        name,
      );
      if (isRefused) t.match(end, /closed|reset/, `${name}: the connection ends`);
      t.same(
        requests.map(({ method, target, body }) => `${method} ${target} ${body}`),
        upstream,
        `${name}: what goes upstream`,
      );
      const victim = await talk(port, get('/victim'));
      t.equal(victim.messages[0]?.body, '/victim', `${name}: the next client gets its own answer`);
      await until(() => reports.length > statuses.length);
      t.same(
        reports.map(({ status }) => status),
        [...statuses, 200],
        `${name}: each reported once`,
      );
    }
    t.same(faults, [], 'the origin never got anything but whole requests');
    t.ok(sockets.size <= 2, 'and connections are shared, none is lost');
  });

/** Fields that a client sends, what the origin gets of them, and what it never gets. */
const FIELDS: [name: string, sent: string, got: Record<string, string>, never: string[]][] = [
  [
    'X1 what Connection names goes, but not what others decide by',
    'Connection: close, X-Secret, X-Forwarded-For, Host, Cookie, Authorization\r\nX-Secret: 1\r\nCookie: a=1\r\nAuthorization: Bearer x\r\n',
    { host: 't.example', cookie: 'a=1', authorization: 'Bearer x', 'x-forwarded-for': '127.0.0.1' },
    ['x-secret'],
  ],
  [
    'X2 hop-by-hop fields',
    'Keep-Alive: 300\r\nTE: trailers\r\nTrailer: X\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\nProxy: http://evil\r\nHTTP2-Settings: AAA\r\n',
    { connection: 'keep-alive' },
    [
      'keep-alive',
      'te',
      'trailer',
      'proxy-authorization',
      'proxy-connection',
      'proxy',
      'http2-settings',
    ],
  ],
  [
    'X3 what a client says of itself',
    'X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /x\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Server: evil\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nClient-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\n',
    {
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 't.example',
      'x-forwarded-proto': 'http',
      'x-real-ip': '127.0.0.1',
      forwarded: 'for=127.0.0.1;host="t.example";proto=http',
    },
    [
      'x-forwarded-prefix',
      'x-forwarded-port',
      'x-forwarded-server',
      'client-ip',
      'x_forwarded_for',
      'x-forwarded_proto',
    ],
  ],
  [
    'X4 asking for one thing and meaning another',
    'X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: DELETE\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n',
    {},
    [
      'x-http-method-override',
      'x-http-method',
      'x-method-override',
      'x-original-url',
      'x-rewrite-url',
    ],
  ],
  [
    'X3 names that an object has already',
    '__proto__: 1\r\nConstructor: 1\r\ntoString: 1\r\n',
    { constructor: '1', tostring: '1' },
    ['__proto__'],
  ],
];

t.test('hostile clients: FIELDS', async (t) => {
  const { server, requests } = strictOrigin(echo);
  const { port } = await front(t, `http://127.0.0.1:${await listen(t, server)}`);
  for (const [name, sent, got, never] of FIELDS) {
    await talk(port, `GET /a HTTP/1.1\r\n${H}${sent}\r\n`);
    const request = requests.at(-1) ?? { fields: [] };
    for (const [field, value] of Object.entries(got))
      t.equal(valueIn(request, field), value, `${name}: ${field}`);
    for (const field of never) t.equal(valueIn(request, field), undefined, `${name}: no ${field}`);
  }
});

const oneOfEach = (rows: readonly OriginRow[]) =>
  rows.filter(([name], at) => name.split(' ')[0] !== rows[at - 1]?.[0].split(' ')[0]);
const HANDSHAKE = `GET /ws HTTP/1.1\r\n${H}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

for (const [how, request, clients] of [
  ['a page', get('/'), 1],
  ['a page for 50', get('/'), 50],
  ['a WebSocket', HANDSHAKE, 1],
  ['50 WebSockets', HANDSHAKE, 50],
] as const)
  t.test(`hostile origins: ${how}`, async (t) => {
    const rows = clients === 1 ? ORIGIN_ROWS : oneOfEach(ORIGIN_ROWS);
    for (const [name, answer, status, body] of rows) {
      const origin = await rawOrigin(
        t,
        typeof answer === 'string' ? answer : (socket) => answer(socket),
      );
      const { port, reports, server } = await front(t, origin.url, {
        upstream: { headTimeout: 1_000 },
        tunnels: { headTimeout: 1_000 },
      });
      const talks = await Promise.all(Array.from({ length: clients }, () => talk(port, request)));
      await until(() => reports.length === clients);
      t.equal(reports.length, clients, `${name}: reported once`);
      const outcomes = talks.map(({ messages, end, text }) => {
        if (end === 'hung') return end;
        if (messages.length > 0) return statusOf(messages[0]?.head);
        return end === 'closed' && statusOf(text) === status ? status : 'cut off';
      });
      t.same(new Set(outcomes), new Set([status]), name);
      const text = talks.map((talk) => talk.text).join('');
      if (body !== undefined) t.equal(talks[0]?.messages[0]?.body, body, `${name}: its body`);
      if (status === 'cut off') t.match(reports[0]?.error, { code: 'UPSTREAM_BROKEN' }, name);
      t.notMatch(
        text,
        /EVIL|x-t: 1|HTTP\/1\.1 10[123]/i,
        `${name}: what does not belong stays here`,
      );
      if (name === 'O12 256 fields') t.match(text, /set-cookie: last=1/i, 'nothing is dropped');
      if (name.startsWith('O11 an 8-bit value')) t.match(text, /x-a: \xe4\xf6\xfc/i, 'bytes stay');
      if (name === 'O13 two Locations') t.match(text, /location: \/a\r\nlocation: \/b/i);
      await until(() => origin.sockets.size <= clients);
      server.close();
    }
  });
