/** What is seen when Headgate itself has no answer, over sockets. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HeadgateError, STATUS_OF } from '@headgate/core';
import { aRequest } from '@headgate/core/testing';
import { parse } from 'parse5';
import t, { type Test } from 'tap';
import { front, rawOrigin, talk } from '../../core/test/wire.ts';
import { errorPages } from '../src/error-pages.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const pageFor = errorPages();
const answer = (
  code: keyof typeof STATUS_OF,
  accept?: string,
  { page = pageFor, method = 'GET', message = 'why' } = {},
) => {
  const headers = accept === undefined ? {} : { accept };
  const response = page(new HeadgateError(code, message), aRequest({ method, headers }));
  return { ...response, text: String(response.body) };
};

t.test('a page for people, JSON for programs, a line for the rest', async (t) => {
  const rows: [accept: string | undefined, type: string][] = [
    [BROWSER, 'text/html; charset=utf-8'],
    ['text/html', 'text/html; charset=utf-8'],
    ['text/*', 'text/plain; charset=utf-8'],
    ['application/json', 'application/json'],
    ['application/json, text/plain, */*', 'application/json'],
    ['application/activity+json, application/ld+json', 'application/json'],
    ['application/ld+json; profile="https://www.w3.org/ns/activitystreams"', 'application/json'],
    ['text/html;q=0.5, application/json', 'application/json'],
    ['image/avif,image/webp,*/*;q=0.8', 'text/plain; charset=utf-8'],
    ['image/png', 'text/plain; charset=utf-8'],
    ['*/*', 'text/plain; charset=utf-8'],
    [undefined, 'text/plain; charset=utf-8'],
    ['text/html;q=nonsense;;,', 'text/plain; charset=utf-8'],
  ];
  for (const [accept, type] of rows)
    t.has(
      answer('UPSTREAM_UNREACHABLE', accept),
      { status: 502, headers: { 'content-type': type } },
      `${accept}`,
    );
  t.equal(answer('UPSTREAM_UNREACHABLE').text, '502 Bad Gateway\n');
  t.same(JSON.parse(answer('OVERLOADED', 'application/json').text), {
    error: 'This site is very busy right now',
    status: 503,
  });
});

t.test('every status of ours has a page that says so, and none is kept', async (t) => {
  for (const [code, status] of Object.entries(STATUS_OF)) {
    const response = answer(code as keyof typeof STATUS_OF, BROWSER);
    const isPassing = status === 502 || status === 503 || status === 504;
    t.has(response, { status, headers: { 'cache-control': 'no-store' } }, code);
    t.equal(response.headers['retry-after'], isPassing ? '5' : undefined, code);
    t.equal(response.text.includes('<a href="">try again</a>'), isPassing, code);
    t.ok(response.text.length < 2048, `${code} is small`);
    t.match(response.text, `<small>${status} `);
    const problems: string[] = [];
    parse(response.text, { onParseError: ({ code }) => problems.push(code) });
    t.same(problems, [], `${code} is valid HTML`);
  }
  t.match(answer('METHOD_NOT_ALLOWED', BROWSER).headers, { allow: /GET/ });
  t.notMatch(
    answer('UPSTREAM_TIMEOUT', BROWSER, { method: 'POST' }).text,
    '<a',
    'a POST is no link',
  );
});

t.test(
  'what goes wrong behind is not told, and what the client did is told harmlessly',
  async (t) => {
    const message = '<script>alert("a" & \'b\')</script>';
    for (const accept of [BROWSER, 'application/json', '*/*']) {
      const { text, headers } = answer('UPSTREAM_BROKEN', accept, { message });
      t.notMatch(text, /script/, accept);
      t.equal(headers['x-content-type-options'], 'nosniff');
    }
    const { text, headers } = answer('BAD_REQUEST', BROWSER, { message });
    t.notMatch(text, /<script/);
    t.match(text, '400 Bad Request: &#60;script&#62;alert(&#34;a&#34; &#38; &#39;b&#39;)');
    t.match(
      headers['content-security-policy'],
      /^default-src 'none'; style-src 'sha256-[\w+/=]+';/,
    );
  },
);

t.test('a page of one’s own, where the fault is not the visitor’s', async (t) => {
  const path = join(t.testdir({}), '500.html');
  writeFileSync(path, '<h1>We are moving house</h1>');
  const page = errorPages({ page: path });
  for (const code of ['UPSTREAM_UNREACHABLE', 'OVERLOADED', 'INTERNAL'] as const) {
    const { text, headers } = answer(code, BROWSER, { page });
    t.equal(text, '<h1>We are moving house</h1>');
    t.equal(headers['content-security-policy'], undefined, 'it may bring what it likes');
    t.has(headers, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  }
  t.match(answer('BODY_TOO_LARGE', BROWSER, { page }).text, 'That is too large');
  t.match(answer('OVERLOADED', 'application/json', { page }).text, '"status":503');
  t.equal(answer('OVERLOADED', '*/*', { page }).text, '503 Service Unavailable\n');
  t.throws(() => errorPages({ page: `${path}.not` }), {
    name: 'TypeError',
    message: /^errorPages: page must be an HTML file that can be read: ENOENT/,
  });
});

/** Asks through Headgate's edges as a browser does. */
async function browse(t: Test, url: string, request = 'GET /') {
  const { port } = await front(t, url, { errorPage: pageFor });
  const { messages } = await talk(
    port,
    `${request} HTTP/1.1\r\nHost: a\r\nAccept: ${BROWSER}\r\n\r\n`,
    { isHead: request.startsWith('HEAD') },
  );
  return messages[0];
}

t.test('over sockets: our errors only', async (t) => {
  const { url } = await rawOrigin(t, (socket) => socket.destroy());
  const gone = await browse(t, url);
  t.match(gone?.head, /^HTTP\/1\.1 502 [\s\S]*retry-after: 5/i);
  t.match(gone?.body, 'This site isn\u00e2\u0080\u0099t answering', 'in UTF-8');

  for (const status of ['500 Internal Server Error', '502 Bad Gateway', '503 Unavailable']) {
    const origin = await rawOrigin(t, `HTTP/1.1 ${status}\r\nContent-Length: 3\r\n\r\nown`);
    const passed = await browse(t, origin.url);
    t.match(passed, { head: new RegExp(`^HTTP/1.1 ${status.slice(0, 3)} `), body: 'own' });
    t.notMatch(passed?.head, /retry-after|cache-control/i, 'the application’s own pass untouched');
  }
  const head = await browse(t, url, 'HEAD /');
  t.match(head?.head, /^HTTP\/1\.1 502 [\s\S]*content-length: \d{3,}/i, 'HEAD says how long it is');
  const refused = await browse(t, url, 'GET /a\\b');
  t.match(refused, { head: /^HTTP\/1\.1 400 /, body: /This request can/ });
});
