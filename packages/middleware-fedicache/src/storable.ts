/** Which answers may be cut and kept. */
import { field, type ProxyResponse } from '@headgate/core';

/**
 * True for an answer that may be cut and kept for everybody: a complete HTML page, in no coding, that
 * doesn't forbid it (RFC 9111 section 5.2.2.5) or depend on who asks (`Vary: *`). XHTML is left
 * alone: fetchers treat it in another way.
 */
export function isStorable({ status, headers }: ProxyResponse): boolean {
  const type = field(headers, 'content-type') ?? '';
  const control = field(headers, 'cache-control') ?? '';
  const coding = field(headers, 'content-encoding') ?? 'identity';
  return (
    status === 200 &&
    /^text\/html\s*(?:;|$)/i.test(type) &&
    !/^attachment\b/i.test(field(headers, 'content-disposition') ?? '') &&
    coding.toLowerCase() === 'identity' &&
    !/(?:^|[,\s])no-store(?:$|[,\s])/i.test(control) &&
    !(field(headers, 'vary') ?? '').split(',').some((name) => name.trim() === '*')
  );
}
