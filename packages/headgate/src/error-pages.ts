/** What people, programs and fediverse servers see when Headgate itself has no answer. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  field,
  type HeadgateError,
  type ProxyRequest,
  type ProxyResponse,
  withFields,
} from '@headgate/core';
import { errorResponse } from '@headgate/core/server';
import Negotiator from 'negotiator';

/** How errors look. */
export interface ErrorPagesOptions {
  /** Path of an HTML file that people see instead of ours where the fault isn't theirs (5xx). */
  readonly page?: string;
}

/** Seconds after which to try again: an application starts, a rush passes. */
const RETRY_AFTER = '5';

/** What is said of an error, and what can be done about it. */
interface Words {
  readonly title: string;
  readonly advice: string;
}

const LATER = 'Please try again in a moment.';
const WORDS: Readonly<Record<number, Words>> = {
  413: { title: 'That is too large', advice: 'This site doesn’t take so much at once.' },
  421: { title: 'There is no such site here', advice: 'Please check the address.' },
  502: { title: 'This site isn’t answering right now', advice: LATER },
  503: { title: 'This site is very busy right now', advice: LATER },
  504: { title: 'This site took too long to answer', advice: LATER },
};
const FAULT: Words = { title: 'Something went wrong here', advice: LATER };
const MISTAKE: Words = {
  title: 'This request can’t be answered',
  advice: 'Please check the address.',
};

/** In order for who takes any: programs that don't say, like curl, are read by people. */
const TYPES = [
  'text/plain',
  'text/html',
  'application/json',
  'application/activity+json',
  'application/ld+json',
  'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
] as const;

const STYLE = `
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  font: 1.125rem/1.5 system-ui, sans-serif; color: #1f2328; background: #f6f7f9; }
main { padding: 2rem; max-width: 32rem; }
h1 { margin: 0 0 .5rem; font-size: 1.75rem; line-height: 1.25; text-wrap: balance; }
p { margin: 0 0 1rem; }
a { color: #0b57d0; }
small { color: #57606a; }
@media (prefers-color-scheme: dark) {
  body { color: #e6e8eb; background: #16181c; }
  a { color: #8ab4f8; }
  small { color: #a3abb4; }
}
`;

/** Nothing but our own style: whatever gets into such a page does nothing. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/**
 * Makes the function that answers for a failed exchange: a page for people, JSON for programs (with
 * `error`, as Mastodon's API has it), a line of text for the rest, by Accept. Throws a `TypeError` if
 * `page` can't be read.
 */
export function errorPages({
  page,
}: ErrorPagesOptions = {}): (error: HeadgateError, request: ProxyRequest) => ProxyResponse {
  const custom = page === undefined ? undefined : read(page);

  return (error, request) => {
    const { status } = error;
    const plain = errorResponse(error);
    const words = WORDS[status] ?? (status < 500 ? MISTAKE : FAULT);
    const isPassing = status === 502 || status === 503 || status === 504;
    const answer = (body: Buffer, fields: Record<string, string>) => ({
      status,
      headers: withFields(plain.headers, {
        ...(isPassing && { 'retry-after': RETRY_AFTER }),
        'x-content-type-options': 'nosniff',
        ...fields,
      }),
      body,
    });

    switch (typeFor(request)) {
      case 'text/plain':
        return answer(plain.body as Buffer, {});
      case 'text/html': {
        const fields = { 'content-type': 'text/html; charset=utf-8' };
        if (custom && status >= 500) return answer(custom, fields);
        const html = ourPage(
          words,
          String(plain.body).trim(),
          isPassing && request.method === 'GET',
        );
        return answer(Buffer.from(html), { ...fields, 'content-security-policy': POLICY });
      }
      default: {
        const json = Buffer.from(`${JSON.stringify({ error: words.title, status })}\n`);
        return answer(json, { 'content-type': 'application/json' });
      }
    }
  };
}

function typeFor({ headers }: ProxyRequest): (typeof TYPES)[number] {
  const client = new Negotiator({ headers: { accept: field(headers, 'accept') } });
  const best = client.mediaType(TYPES);
  return TYPES.find((type) => type === best) ?? 'text/plain';
}

function read(page: string): Buffer {
  try {
    return readFileSync(page);
  } catch (cause) {
    const { message } = cause as Error;
    throw new TypeError(`errorPages: page must be an HTML file that can be read: ${message}`);
  }
}

function ourPage({ title, advice }: Words, reason: string, canRepeat: boolean): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${canRepeat ? advice.replace('try again', '<a href="">try again</a>') : advice}</p>
<small>${escaped(reason)}</small>
</main>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
