/** What the origin is asked for a preview. */
import { EMPTY, type ProxyRequest, withFields } from '@headgate/core';
import type { Settings } from './options.ts';
import type { Target } from './target.ts';

/**
 * The request that every fetcher would send alike, so that nothing in the page can depend on who
 * came first. It belongs to nobody: no client who leaves ends it.
 */
export function canonical(
  request: ProxyRequest,
  { scheme, host, url }: Target,
  { userAgent, acceptLanguage }: Settings,
  signal: AbortSignal,
): ProxyRequest {
  const headers = withFields(
    {},
    {
      host,
      'user-agent': userAgent ?? `Headgate (link preview; +${scheme}://${host}/)`,
      accept: 'text/html',
      'accept-encoding': 'identity',
      'accept-language': acceptLanguage,
    },
  );
  return {
    ...request,
    method: 'GET',
    url,
    scheme,
    headers,
    body: EMPTY,
    client: '',
    signal: () => signal,
  };
}
