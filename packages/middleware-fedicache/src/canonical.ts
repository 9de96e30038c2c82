/** What the origin is asked for a preview. */
import { EMPTY, field, type ProxyRequest, withFields } from '@headgate/core';
import type { Settings } from './options.ts';
import type { Target } from './target.ts';

/** What the User-Agent of fills begins with, if nothing else is set. */
const FILLER = 'Headgate (link preview; ';

/**
 * True for what a Headgate asks to fill its cache, which is never cut, whoever is to be served: a loop over
 * two of them must come back to the first, with the field that tells it so.
 */
export function isFill({ headers }: ProxyRequest, { userAgent }: Settings): boolean {
  const said = field(headers, 'user-agent');
  return said !== undefined && (said === userAgent || said.startsWith(FILLER));
}

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
      'user-agent': userAgent ?? `${FILLER}+${scheme}://${host}/)`,
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
