/**
 * What stands between fedicache and http-cache-tests, which knows no cache that answers with another
 * page than the origin's: the suite's answers become pages, its counts travel in their titles, and
 * what fedicache asks for in its own name is counted as what the suite asked for.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import handleConfig from 'http-cache-tests/server/handle-config.mjs';
import handleState from 'http-cache-tests/server/handle-state.mjs';
import handleTest from 'http-cache-tests/server/handle-test.mjs';
import type { SuiteFetch } from 'http-cache-tests/types';

/** By which the suite counts, and tells the time of the origin. */
const BOOKKEEPING = ['server-request-count', 'request-numbers', 'server-now', 'server-base-url'];

/** The suite's origin, and the way to ask it through what listens at `front`. */
export function shimmed() {
  /** The suite asks for one URL after the other: by a test's token, the number of its last request. */
  const turns = new Map<string, string>();

  const origin = createServer((request, response) => {
    const [, kind, token = '', ...rest] = (request.url ?? '').split('?', 1)[0]?.split('/') ?? [];
    if (kind === 'config') return handleConfig([token], request, response);
    if (kind === 'state') return handleState([token], request, response);
    request.headers['req-num'] ??= turns.get(token);
    asPage(response);
    handleTest([token, ...rest], request, response);
  });

  const fetchThrough =
    (front: string, direct: string): SuiteFetch =>
    async (url, init) => {
      const { pathname, search } = new URL(url);
      const [, kind, token = ''] = pathname.split('/');
      if (kind === 'config') return fetch(direct + pathname, init);
      if (kind === 'state') return withoutFields(await fetch(direct + pathname, init));
      turns.set(token, new Headers(init?.headers).get('req-num') ?? '');
      return asSuite(await fetch(front + pathname + search, init));
    };
  return { origin, fetchThrough };
}

/** Makes a page of what is sent. */
function asPage(response: ServerResponse<IncomingMessage>): void {
  const end = response.end.bind(response);
  const wrapped = (content?: string) => {
    if (content === undefined) return end();
    const fields = BOOKKEEPING.map((name) => [name, String(response.getHeader(name))]);
    const title = encodeURIComponent(JSON.stringify({ fields, content }));
    response.removeHeader('content-length'); // of what it isn't any more
    response.setHeader('content-type', 'text/html;charset=utf-8');
    return end(`<!doctype html><title>${title}</title>`);
  };
  response.end = wrapped as typeof response.end;
}

/** Makes what the suite sent of a page, cut or not. */
async function asSuite(response: Response) {
  const page = await response.text();
  const [, title] = /<title>(.*)<\/title>/.exec(page) ?? [];
  const headers = new Headers(response.headers);
  let content = page;
  if (title !== undefined) {
    const carried = JSON.parse(decodeURIComponent(title));
    content = carried.content;
    for (const [name, value] of carried.fields) headers.set(name, value);
  }
  return { status: response.status, headers, text: async () => content };
}

/**
 * What the origin remembers, without the fields that it sent: the suite would have them all come
 * through each time, before any test of its own, and a cut page has few.
 */
async function withoutFields(response: Response) {
  const { status, headers } = response;
  const text = await response.text();
  if (status !== 200) return { status, headers, text: async () => text };
  const requests: object[] = JSON.parse(text);
  const state = JSON.stringify(requests.map((request) => ({ ...request, response_headers: [] })));
  return { status, headers, text: async () => state };
}
