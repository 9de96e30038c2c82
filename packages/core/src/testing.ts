/** The whole kit for testing a middleware without a socket. */
import { EMPTY } from './body.ts';
import type { Handler, ProxyRequest, ProxyResponse } from './exchange.ts';
import { withFields } from './headers.ts';

/** What differs from the plain request or response: any part, and headers as a plain object. */
export type Changes<T> = Partial<Omit<T, 'headers'>> & {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
};

const NOTHING = withFields({}, {});

/** A request: `GET /` for `site.example` by a client at 192.0.2.1, unless `changes` says otherwise. */
export function aRequest(changes: Changes<ProxyRequest> = {}): ProxyRequest {
  const { signal } = new AbortController();
  return {
    id: 'test',
    site: 'test',
    method: 'GET',
    url: '/',
    body: EMPTY,
    scheme: 'https',
    client: '192.0.2.1',
    signal: () => signal,
    ...changes,
    headers: withFields(NOTHING, { host: 'site.example', ...changes.headers }),
  };
}

/** A response: an empty 200, unless `changes` says otherwise. */
export function aResponse(changes: Changes<ProxyResponse> = {}): ProxyResponse {
  return {
    status: 200,
    body: EMPTY,
    ...changes,
    headers: withFields(NOTHING, { ...changes.headers }),
  };
}

/** A handler that stands for the upstream and remembers in `asked` what it was asked. */
export function upstream(
  answer: Changes<ProxyResponse> | ((request: ProxyRequest) => Changes<ProxyResponse>) = {},
): Handler & { readonly asked: readonly ProxyRequest[] } {
  const asked: ProxyRequest[] = [];
  const handler = async (request: ProxyRequest) => {
    asked.push(request);
    return aResponse(typeof answer === 'function' ? answer(request) : answer);
  };
  return Object.assign(handler, { asked });
}
