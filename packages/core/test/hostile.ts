/**
 * What hostile clients send and hostile origins answer: one row each, named by its id and the reason.
 * Bytes are latin1.
 */
import type { Socket } from 'node:net';

/** The target that no origin may ever be asked for. */
export const SMUGGLED = 'GET /SMUGGLED HTTP/1.1\r\nHost: t.example\r\n\r\n';

/**
 * The input, in pieces if they come apart; the statuses that come back; and what the origin is asked:
 * method, target and body. A refusal ends the connection and asks the origin nothing.
 */
export type ClientRow = readonly [
  name: string,
  input: string | readonly string[],
  statuses: readonly number[],
  upstream?: readonly string[],
];

const H = 'Host: t.example\r\n';
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const SIZE = SMUGGLED.length;
const SMUGGLED_CHUNK = `${SIZE.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`;
const get = (target: string) => `GET ${target} HTTP/1.1\r\n${H}\r\n`;
const withHost = (host: string) => `GET /a HTTP/1.1\r\nHost:${host}\r\n\r\n`;
const post = (fields: string, body = '') => `POST /a HTTP/1.1\r\n${H}${fields}\r\n${body}`;
const coded = (coding: string) => post(`Transfer-Encoding: ${coding}\r\n`, SMUGGLED_CHUNK);
const sized = (length: string) => post(`Content-Length:${length}\r\n`, 'hello');
const chunks = (body: string) => post(CHUNKED, body);

const refused = (name: string, input: string | readonly string[], status = 400): ClientRow => [
  name,
  input,
  [status],
];
const passes = (name: string, input: string | readonly string[], ...asked: string[]): ClientRow => [
  name,
  input,
  asked.map(() => 200),
  asked,
];

/** Framing: how long is it, and where does the next one begin? */
export const FRAMING: readonly ClientRow[] = [
  refused('F1 a length and chunks', post(`Content-Length: 6\r\n${CHUNKED}`, '0\r\n\r\nX')),
  refused('F2 chunks and a length', post(`${CHUNKED}Content-Length: 4\r\n`, '0\r\n\r\nX')),
  ...['DELETE', 'OPTIONS', 'GET', 'PROPFIND'].flatMap((method) => [
    passes(
      `F3 ${method} with chunks: its body is no request`,
      `${method} /a HTTP/1.1\r\n${H}${CHUNKED}\r\n${SMUGGLED_CHUNK}`,
      `${method} /a ${SMUGGLED}`,
    ),
    passes(
      `F4 ${method} with a length: its body is no request`,
      `${method} /a HTTP/1.1\r\n${H}Content-Length: ${SIZE}\r\n\r\n${SMUGGLED}`,
      `${method} /a ${SMUGGLED}`,
    ),
  ]),
  refused(
    'F5 fields that Node would drop, a length behind them',
    `GET /a HTTP/1.1\r\n${H}${'a:\r\n'.repeat(1100)}Content-Length: ${SIZE}\r\n\r\n${SMUGGLED}`,
    431,
  ),
  refused(
    'F5 fields that Node would drop, chunks behind them',
    `GET /a HTTP/1.1\r\n${H}${'a:\r\n'.repeat(1100)}${CHUNKED}\r\n${SMUGGLED_CHUNK}`,
    431,
  ),
  refused('F6 129 field lines', `GET /a HTTP/1.1\r\n${H}${'a: b\r\n'.repeat(128)}\r\n`, 431),
  passes('F6 128 field lines', `GET /a HTTP/1.1\r\n${H}${'a: b\r\n'.repeat(127)}\r\n`, 'GET /a '),
  refused(
    'F6 a head of over 32 KiB',
    `GET /a HTTP/1.1\r\n${H}a: ${'b'.repeat(33_000)}\r\n\r\n`,
    431,
  ),
  refused('F7 an empty member before chunked', coded(',chunked'), 501),
  refused('F7 gzip before chunked', coded('gzip, chunked'), 501),
  refused('F7 gzip after chunked', coded('chunked, gzip')),
  refused('F7 a coding that ends like chunked', coded('xchunked'), 501),
  refused('F7 a vertical tab before chunked', coded('\x0bchunked')),
  refused('F7 chunked in quotes', coded('"chunked"'), 501),
  refused('F7 two fields', post(`${CHUNKED}${CHUNKED}`, SMUGGLED_CHUNK)),
  refused('F7 identity', coded('identity'), 501),
  refused('F8 chunks in HTTP/1.0', `POST /a HTTP/1.0\r\n${H}${CHUNKED}\r\n${SMUGGLED_CHUNK}`),
  refused(
    'F8 chunks and a length in HTTP/1.0',
    `POST /a HTTP/1.0\r\n${H}Content-Length: 5\r\n${CHUNKED}\r\n0\r\n\r\n`,
  ),
  ...[
    ' +5',
    ' -5',
    ' 0x5',
    ' 1_0',
    '',
    ' ',
    ' 5, 5',
    ' 5 5',
    ' 18446744073709551621',
    ' 5\x0b',
  ].map((length) => refused(`F9 ${JSON.stringify(length)} as a length`, sized(length))),
  refused('F9 a length of 16 digits', post('Content-Length: 1000000000000000\r\n')),
  refused('F9 two lengths, the same', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')),
  refused('F9 two lengths', post('Content-Length: 5\r\nContent-Length: 0\r\n', 'hello')),
  refused('F10 a bare LF in a chunk extension', chunks('5;\nxx\r\nhello\r\n0\r\n\r\n')),
  refused('F10 a bare CR in a chunk extension', chunks('5;\rxx\r\nhello\r\n0\r\n\r\n')),
  refused('F10 a line break in quotes', chunks('5;a="\r\nb"\r\nhello\r\n0\r\n\r\n')),
  refused(
    'F10 a long chunk extension',
    chunks(`5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`),
    413,
  ),
  ...['0x5', '0_2e', '+5', '-5', ' 5', '', '12345678901234567'].map((size) =>
    refused(`F10 ${JSON.stringify(size)} as a chunk size`, chunks(`${size}\r\nhello\r\n0\r\n\r\n`)),
  ),
  refused('F10 a bare LF behind a chunk size', chunks('5\nhello\r\n0\r\n\r\n')),
  refused('F10 a bare LF behind a chunk', chunks('5\r\nhello\n0\r\n\r\n')),
  refused('F10 a bare LF at the end', chunks('5\r\nhello\r\n0\n\n')),
  refused('F10 a chunk longer than it says', chunks('5\r\nhelloXX0\r\n\r\n')),
  passes(
    'F10 a plain chunk extension stays here',
    chunks('5;a=b\r\nhello\r\n0\r\n\r\n'),
    'POST /a hello',
  ),
  refused('F11 a length as a trailer', chunks('0\r\nContent-Length: 99\r\n\r\n')),
  passes(
    'F11 trailers are never fields',
    chunks('0\r\nHost: evil\r\nX-Forwarded-For: 6.6.6.6\r\nX_Auth_User: a\r\n\r\n'),
    'POST /a ',
  ),
  passes(
    'F13 framing that Connection names',
    post(`Connection: close, Transfer-Encoding, Content-Length\r\n${CHUNKED}`, SMUGGLED_CHUNK),
    `POST /a ${SMUGGLED}`,
  ),
  passes('F14 two at once', get('/a') + get('/b'), 'GET /a ', 'GET /b '),
  ['F14 rubbish behind a request', `${get('/a')}BAD\r\n\r\n`, [200, 400], ['GET /a ']],
  passes(
    'F14 nothing follows the last',
    `GET /a HTTP/1.1\r\n${H}Connection: close\r\n\r\n${SMUGGLED}`,
    'GET /a ',
  ),
  refused('F16 an unknown expectation', post('Expect: 200-ok\r\nContent-Length: 1\r\n', 'x'), 417),
  refused(
    'F16 two expectations',
    post('Expect: 100-continue, x\r\nContent-Length: 1\r\n', 'x'),
    417,
  ),
  ...Object.entries({
    'a bare LF in a value': 'a: b\nc: d\r\n',
    'a bare CR in a value': 'a: b\rc: d\r\n',
    'a NUL in a value': 'a: b\0c\r\n',
    'a control character in a value': 'a: b\x01c\r\n',
    'a folded line': 'a: b\r\n c\r\n',
    'no name': ': b\r\n',
    'a space in a name': 'a b: c\r\n',
    'a space before the colon': 'a : b\r\n',
    'an 8-bit name': '\xe4: b\r\n',
    'no colon': 'ab\r\n',
  }).flatMap(([why, line]) => [
    refused(`F17 ${why}, first`, `GET /a HTTP/1.1\r\n${line}${H}\r\n`),
    refused(`F17 ${why}, last`, `GET /a HTTP/1.1\r\n${H}${line}\r\n`),
    refused(`F17 ${why}, before the length`, post(`${line}Content-Length: ${SIZE}\r\n`, SMUGGLED)),
  ]),
  refused('F18 no version', 'GET /a\r\n\r\n', 505),
  refused('F18 HTTP/0.9', `GET /a HTTP/0.9\r\n${H}\r\n`, 505),
  refused('F18 HTTP/1.2', `GET /a HTTP/1.2\r\n${H}\r\n`),
  refused('F18 HTTP/2.0', `GET /a HTTP/2.0\r\n${H}\r\n`, 505),
  refused('F18 the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  refused('F18 HTTP/1.10', `GET /a HTTP/1.10\r\n${H}\r\n`),
  refused('F18 http/1.1', `GET /a http/1.1\r\n${H}\r\n`),
  refused('F18 tabs', `GET\t/a\tHTTP/1.1\r\n${H}\r\n`),
  refused('F18 a lower-case method', `get /a HTTP/1.1\r\n${H}\r\n`),
  refused('F18 a banner', 'SSH-2.0-OpenSSH\r\n\r\n'),
];

const same = (target: string, id = 'T8') =>
  passes(`${id} ${target.slice(0, 40)} goes upstream as it is`, get(target), `GET ${target} `);

/** Hosts, targets and methods: what is asked for? */
export const TARGETS: readonly ClientRow[] = [
  refused('T1 two Hosts', `GET /a HTTP/1.1\r\n${H}Host: evil.example\r\n\r\n`),
  refused('T1 two Hosts, the same', `GET /a HTTP/1.1\r\n${H}${H}\r\n`),
  ...[
    'a, b',
    'a b',
    'a@b',
    'a/x',
    'a%0d%0a',
    'a:99999',
    'a:@b',
    'a:',
    '',
    '[::1',
    '[:::]',
    '-',
    'a\\b',
  ].map((host) => refused(`T1 ${JSON.stringify(host)} as Host`, withHost(` ${host}`))),
  ...['T.EXAMPLE', 't.example.', 't.example:443', 'a_b.example', '192.0.2.7', '[::1]:80'].map(
    (host) => passes(`T2 ${host} as Host`, withHost(` ${host}`), 'GET /a '),
  ),
  refused('T3 no Host', 'GET /a HTTP/1.1\r\n\r\n'),
  refused('T3 no Host in HTTP/1.0', 'GET /a HTTP/1.0\r\n\r\n'),
  passes('T4 absolute-form for the own host', get('http://t.example/a%2Fb?c'), 'GET /a%2Fb?c '),
  passes('T4 absolute-form in capitals', get('HTTPS://T.Example/x'), 'GET /x '),
  passes('T4 absolute-form without a path', get('http://t.example'), 'GET / '),
  passes('T4 absolute-form, a query alone', get('http://t.example?q'), 'GET /?q '),
  refused('T4 absolute-form for another host', get('http://other.example/a'), 421),
  refused('T4 absolute-form for another port', get('http://t.example:81/a'), 421),
  refused('T4 userinfo', get('http://a@t.example/a')),
  refused('T4 a port that is none', get('http://t.example:99999/a')),
  refused('T4 half an address', get('http://[')),
  refused('T4 a file', get('file:///etc/passwd')),
  refused('T4 a fragment', get('http://t.example/a#b')),
  same('//evil.example/a', 'T5'),
  same('///a', 'T5'),
  refused('T6 a backslash', get('/\\evil.example/a')),
  refused('T6 a backslash behind dots', get('/..\\x')),
  refused('T6 brackets that crash URL parsers', get('/\\[')),
  refused('T6 a fragment', get('/a#b')),
  refused('T6 a DEL', get('/a\x7fb')),
  refused('T6 8 bits', get('/\xe4')),
  ...[
    '/public/%2e%2e/admin',
    '/public/../admin',
    '/a/./b',
    '//',
    '/..;/',
    '/%2f',
    '/%5c',
    '/%00',
    '/%2561',
  ].map((target) => same(target, 'T7')),
  ...["/?x='1'&y=[2]", '/a?', '/a??', '/a"b{c}|d^e`f~<g>', `/${'long/'.repeat(1_500)}`].map(
    (target) => same(target),
  ),
  ['T9 OPTIONS * is answered here', `OPTIONS * HTTP/1.1\r\n${H}\r\n`, [204], []],
  ...['*', '@evil/a', ':80/a', 'a', '?a'].map((target) =>
    refused(`T9 ${target} as target`, get(target)),
  ),
  refused('T9 TRACE', `TRACE /a HTTP/1.1\r\n${H}\r\n`, 405),
  refused('T9 CONNECT', 'CONNECT t.example:443 HTTP/1.1\r\nHost: t.example:443\r\n\r\n', 405),
  refused('T9 a method nobody knows', `SMUGGLE /a HTTP/1.1\r\n${H}\r\n`),
];

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const upgrade = (token: string, more = '') =>
  `GET /a HTTP/1.1\r\n${H}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${token}\r\nHTTP2-Settings: AAMAAABk\r\n${more}\r\n`;
const handshake = (more: string, method = 'GET', version = '13', key = KEY) =>
  `${method} /a HTTP/1.1\r\n${H}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: ${key}\r\n${more}`;

/** Upgrades: anything but a plain WebSocket handshake is the plain request that it also is. */
export const UPGRADES: readonly ClientRow[] = [
  passes('X5 h2c, as curl --http2 asks', upgrade('h2c'), 'GET /a '),
  passes(
    'X5 h2c, and nothing behind it: Node loses some of that',
    upgrade('h2c') + get('/b'),
    'GET /a ',
  ),
  passes('X5 a token nobody knows', upgrade('foo'), 'GET /a '),
  passes('X5 two tokens', upgrade('websocket, h2c'), 'GET /a '),
  passes(
    'X5 a POST with a body',
    handshake(`Content-Length: ${SIZE}\r\n\r\n${SMUGGLED}`, 'POST'),
    `POST /a ${SMUGGLED}`,
  ),
  passes(
    'X5 a body of a length',
    handshake(`Content-Length: ${SIZE}\r\n\r\n${SMUGGLED}`),
    `GET /a ${SMUGGLED}`,
  ),
  passes('X5 a body in chunks', handshake(`${CHUNKED}\r\n${SMUGGLED_CHUNK}`), `GET /a ${SMUGGLED}`),
  passes('X5 version 777', handshake('\r\n', 'GET', '777'), 'GET /a '),
  passes('X5 a bad key', handshake('\r\n', 'GET', '13', 'short'), 'GET /a '),
  refused('X5 a handshake with two Hosts', handshake(`${H}\r\n`)),
  [
    'X5 a request pipelined behind a handshake that is refused',
    handshake(`\r\n${SMUGGLED}`),
    [200],
    ['GET /a '],
  ],
];

/** All of them. */
export const CLIENT_ROWS: readonly ClientRow[] = [...FRAMING, ...TARGETS, ...UPGRADES];

/** What an origin does instead of an answer. */
export type Deed = string | ((socket: Socket) => void);

/**
 * The origin's answer, and what the client gets: a status, with the body where it matters, or
 * `cut off`, which is no whole answer and a connection that ends.
 */
export type OriginRow = readonly [
  name: string,
  answer: Deed,
  status: number | 'cut off',
  body?: string,
];

const OK = 'HTTP/1.1 200 OK\r\n';
const LONG = 'x'.repeat(0x30_000);
const answered = (fields: string, body = 'ok') =>
  `${OK}${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
const inChunks = (body: string) => `${OK}${CHUNKED}\r\n${body}`;
const then = (text: string, end: 'FIN' | 'RST') => (socket: Socket) => {
  socket.write(text, 'latin1', () => {
    if (end === 'FIN') socket.end();
    else setTimeout(() => socket.resetAndDestroy(), 30); // else it overtakes what was written
  });
};

const INTERIM = 'HTTP/1.1 102 Processing\r\n\r\n';
/** A WebSocket, for who asked for one with the key that the rows have. */
const switched = (fields: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n${fields}\r\n`;
const flood = (text: string) => (socket: Socket) => {
  const timer = setInterval(() => socket.write(text), 5);
  socket.once('close', () => clearInterval(timer));
};

/** What origins do wrong. None of it may hang, crash, or look like a clean end. */
export const ORIGIN_ROWS: readonly OriginRow[] = [
  ['O1 shorter than its length, FIN', then(`${OK}Content-Length: 10\r\n\r\nabc`, 'FIN'), 'cut off'],
  ['O1 shorter than its length, RST', then(`${OK}Content-Length: 10\r\n\r\nabc`, 'RST'), 'cut off'],
  ['O2 chunks without the last, FIN', then(inChunks('3\r\nabc\r\n'), 'FIN'), 'cut off'],
  ['O2 chunks without the last, RST', then(inChunks('3\r\nabc\r\n'), 'RST'), 'cut off'],
  ['O2 a chunk without its end, FIN', then(inChunks('5\r\nabc'), 'FIN'), 'cut off'],
  ['O3 a bad chunk size at once', inChunks('zz\r\n'), 'cut off'],
  ['O3 a bad chunk size after 192 KiB', inChunks(`30000\r\n${LONG}\r\nzz\r\n`), 'cut off'],
  ['O4 delimited by its end, FIN', then(`${OK}\r\nabc`, 'FIN'), 200],
  ['O4 delimited by its end, RST', then(`${OK}\r\nabc`, 'RST'), 'cut off'],
  ['O5 more than its length', `${answered('')}${answered('', 'EVIL')}`, 200, 'ok'],
  ['O6 two lengths', `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`, 502],
  ['O6 a length and chunks', `${OK}Content-Length: 2\r\n${CHUNKED}\r\n0\r\n\r\n`, 502],
  ['O6 a list as a length', `${OK}Content-Length: 2, 2\r\n\r\nok`, 502],
  ['O6 a signed length', `${OK}Content-Length: +2\r\n\r\nok`, 502],
  ['O7 gzip as a transfer coding', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 502],
  ['O7 an empty member as a coding', `${OK}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`, 502],
  ['O8 a 204 with a body', 'HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nEVIL', 204],
  ['O8 a 304 with a body', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nEVIL', 304],
  ['O9 status 199, which is no last word', 'HTTP/1.1 199 X\r\n\r\n', 504],
  ...['000', '099', '600', '999', '1000', 'abc', '-20'].map(
    (status): OriginRow => [
      `O9 status ${status}`,
      `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`,
      502,
    ],
  ),
  [
    'O10 a control character in the reason',
    'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok',
    200,
  ],
  ['O10 8 bits in the reason', 'HTTP/1.1 200 \xe4\r\nContent-Length: 2\r\n\r\nok', 200],
  ['O10 a tab in the reason', 'HTTP/1.1 200 O\tK\r\nContent-Length: 2\r\n\r\nok', 200],
  ['O10 no reason', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok', 200, 'ok'],
  ['O11 a folded line', answered('a: b\r\n c\r\n'), 502],
  ['O11 a bare LF', answered('a: b\nc: d\r\n'), 502],
  ['O11 a bare CR', answered('a: b\rc: d\r\n'), 502],
  ['O11 a bad name', answered('a b: c\r\n'), 502],
  ['O11 no name', answered(': c\r\n'), 502],
  ['O11 a control character in a value', answered('a: b\x01c\r\n'), 502],
  ['O11 a DEL in a value', answered('a: b\x7fc\r\n'), 502],
  ['O11 an 8-bit value', answered('X-A: \xe4\xf6\xfc\r\n'), 200, 'ok'],
  [
    'O11 an 8-bit value before a late body',
    (socket) => {
      socket.write(`${OK}X-A: \xe4\xf6\xfc\r\nContent-Length: 2\r\n\r\n`, 'latin1');
      setTimeout(() => socket.write('ok'), 50);
    },
    200,
    'ok',
  ],
  ['O12 a head of 32 KB', answered(`a: ${'b'.repeat(32_000)}\r\n`), 200, 'ok'],
  ['O12 a head that never ends', `${OK}a: ${'b'.repeat(70_000)}`, 502],
  ['O12 256 fields', answered(`${'a: b\r\n'.repeat(254)}Set-Cookie: last=1\r\n`), 200, 'ok'],
  ['O12 257 fields', answered('a: b\r\n'.repeat(256)), 502],
  ['O12 1100 fields', answered(`${'a: b\r\n'.repeat(1_100)}Set-Cookie: last=1\r\n`), 502],
  ['O12 257 fields of a switch', switched('a: b\r\n'.repeat(254)), 502],
  ['O13 two Locations', answered('Location: /a\r\nLocation: /b\r\n'), 200, 'ok'],
  ['O14 103', `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${answered('')}`, 200, 'ok'],
  ['O14 100 times 102', `${INTERIM.repeat(100)}${answered('')}`, 200, 'ok'],
  ['O14 101 times 102', `${INTERIM.repeat(101)}${answered('', 'EVIL')}`, 502],
  ['O14 5000 times 102', `${INTERIM.repeat(5_000)}${answered('', 'EVIL')}`, 502],
  ['O14 102 without end', flood(INTERIM.repeat(20)), 502],
  ['O14 101 times 102, then a switch', `${INTERIM.repeat(101)}${switched('')}EVIL`, 502],
  [
    'O15 a 101 that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    502,
  ],
  ['O16 Trailer with a length', answered('Trailer: X-T\r\n'), 200, 'ok'],
  ['O16 a trailer', `${OK}Trailer: X-T\r\n${CHUNKED}\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n`, 200],
  ['O17 a banner', 'SSH-2.0-OpenSSH_9\r\n', 502],
  ['O17 HTTP/2.0', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok', 502],
  ['O17 HTTP/0.9', '<p>ok</p>\n', 502],
  ['O18 no byte, FIN', (socket) => socket.end(), 502],
  ['O18 no byte, RST', (socket) => socket.resetAndDestroy(), 502],
  ['O18 half a head, FIN', then(`${OK}Content-`, 'FIN'), 502],
  ['O18 half a head, RST', then(`${OK}Content-`, 'RST'), 502],
  ['O19 silence', () => {}, 504],
];
