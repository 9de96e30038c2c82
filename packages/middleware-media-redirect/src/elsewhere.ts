/** Serves a rule's files from another upstream than the site's: a bucket, say. */
import { EMPTY, field, type ProxyRequest, type ProxyResponse, withFields } from '@headgate/core';
import { upstreamTo } from '@headgate/core/upstream';
import { hostOf } from './host.ts';

/** An upstream that has a rule's files. */
export interface Elsewhere {
  /** Its host, in the form of `hostOf`. */
  readonly host: string;
  /** Asks for what stands behind the rule's folder. */
  readonly serve: (request: ProxyRequest, rest: string) => Promise<ProxyResponse>;
  /** Lets go of idle connections. */
  readonly close: () => void;
}

/** All that it is told: cookies, signatures and passwords are the site's own. */
const PASSED_ON = [
  'accept',
  'accept-encoding',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'user-agent',
];

/** Makes the upstream at the URL `base`, asked with its own Host and without the client's address. */
export function elsewhere(base: string): Elsewhere {
  const { origin, host, pathname } = new URL(base);
  const { handler, close } = upstreamTo(origin);
  const serve = (request: ProxyRequest, rest: string) => {
    const passed = PASSED_ON.map((name) => [name, field(request.headers, name)] as const);
    const headers = withFields({}, { ...Object.fromEntries(passed), host });
    return handler({ ...request, url: pathname + rest, headers, body: EMPTY, client: '' });
  };
  return { host: hostOf(host), serve, close };
}
