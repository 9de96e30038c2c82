/** One record for each exchange. */
import { type Finished, field } from '@headgate/core';
import { classify } from '@headgate/fedi-agents';
import {
  type LoggedClient,
  loggedClient,
  MAX_USER_AGENT,
  maskedQuery,
  pathOf,
  printable,
} from './log-values.ts';

/** What of an exchange is logged. */
export interface AccessLogOptions {
  /** True to log queries, but for values that are secret by their name. Default false. */
  readonly query?: boolean;
  /** Default `truncated`. */
  readonly client?: LoggedClient;
  /** Milliseconds that the upstream took for the request of this id, if it was asked. */
  readonly upstreamTime?: (id: string) => number | undefined;
}

/** pino's numbers, since its readers read these records too. */
const LEVELS = { info: 30, warn: 40 };

/**
 * Makes the function that writes a finished exchange as a line of JSON, in pino's form. Paths are
 * logged without their query and addresses shortened to their network, unless asked otherwise: tokens
 * and people don't belong in a log.
 */
export function accessLog(
  write: (line: string) => void,
  { query = false, client = 'truncated', upstreamTime }: AccessLogOptions = {},
): (exchange: Finished) => void {
  return ({ request, httpVersion, response, status, bytesIn, bytesOut, ms, error }) => {
    const { id, method, url, headers } = request;
    const { family, purpose } = classify(request);
    const isKnown = family !== 'other';
    const upstreamMs = upstreamTime?.(id);
    const host = field(headers, 'host');
    const record = {
      level: status >= 500 ? LEVELS.warn : LEVELS.info,
      time: Date.now(),
      id,
      method,
      host: said(host?.slice(host.lastIndexOf('@') + 1)), // a refused one may say anything
      path: printable(pathOf(url)),
      query: query ? said(maskedQuery(url)) : undefined,
      protocol: httpVersion && `HTTP/${httpVersion}`,
      status,
      bytesIn,
      bytesOut,
      ms: rounded(ms),
      upstreamMs: upstreamMs === undefined ? undefined : rounded(upstreamMs),
      client: loggedClient(request.client, client),
      userAgent: said(field(headers, 'user-agent'), MAX_USER_AGENT),
      agent: isKnown ? family : undefined,
      purpose: isKnown ? purpose : undefined,
      cache: response && cacheOutcome(field(response.headers, 'cache-status')),
      error: error && ('code' in error ? error.code : error.name),
      reason: error && reason(error),
      msg: 'request',
    };
    write(`${JSON.stringify(record)}\n`);
  };
}

function said(text: string | undefined, limit?: number): string | undefined {
  return text === undefined ? undefined : printable(text, limit);
}

/**
 * What Headgate's own caches did, of all that are in a Cache-Status (RFC 9211): `hit`, `stale`,
 * `collapsed`, or why the request was forwarded (`miss`, `bypass` …).
 */
function cacheOutcome(status: string | undefined): string | undefined {
  const own = status?.split(',').findLast((member) => /^\s*headgate\s*;/i.test(member));
  if (own === undefined) return undefined;
  if (/;\s*hit\b/.test(own)) return /;\s*ttl=-/.test(own) ? 'stale' : 'hit';
  if (/;\s*collapsed\b/.test(own)) return 'collapsed';
  return /;\s*fwd=([a-z-]+)/.exec(own)?.[1];
}

function reason(error: Error): string {
  const { message, cause } = error;
  return printable(cause instanceof Error ? `${message}: ${cause.message}` : message);
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
