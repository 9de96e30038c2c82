/** How a client's If-None-Match knows the ETag of a compressed response again. */
import { field, type ProxyRequest, type ProxyResponse } from '@headgate/core';

/**
 * True if the client names the weak form of the response's strong ETag: what it has of it was
 * compressed here.
 */
export function hasCompressed({ headers }: ProxyRequest, response: ProxyResponse): boolean {
  const etag = field(response.headers, 'etag');
  const known = field(headers, 'if-none-match');
  if (!etag?.startsWith('"') || known === undefined) return false;
  const listed: readonly string[] = known.match(/(?:W\/)?"[^"]*"/g) ?? [];
  return listed.includes(`W/${etag}`);
}
