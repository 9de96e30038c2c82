/** One line for each exchange. */
import { isIPv6 } from 'node:net';
import { type Finished, field } from '@headgate/core';
import { classify } from '@headgate/fedi-agents';
import type { Logger } from 'pino';

/**
 * Makes the function that logs a finished exchange. Paths are logged without their query and
 * addresses shortened to their network (/24, /48): tokens and people don't belong in a log.
 */
export function accessLog(log: Logger): (exchange: Finished) => void {
  return ({ request, response, status, bytesIn, bytesOut, ms, error }) => {
    const { id, method, url, headers, client } = request;
    const { family, purpose } = classify(request);
    const cache = response && field(response.headers, 'cache-status');
    const line = {
      id,
      method,
      host: field(headers, 'host'),
      path: pathOf(url),
      status,
      bytesIn,
      bytesOut,
      ms: Math.round(ms * 10) / 10,
      client: network(client),
      ...(family !== 'other' && { agent: family, purpose }),
      ...(cache !== undefined && { cache }),
      ...(error && { error: 'code' in error ? error.code : error.name, reason: reason(error) }),
    };
    if (status >= 500) log.warn(line, 'request');
    else log.info(line, 'request');
  };
}

/** The path alone: no query, and of a target in absolute-form no authority, which may hold a password. */
function pathOf(url: string): string | undefined {
  return url.replace(/^[^/?]*:\/\/[^/?]*/, '').split('?', 1)[0];
}

/** The network that an address is in: enough to tell clients apart, too little to tell people. */
function network(address: string): string {
  if (!isIPv6(address)) return address.replace(/\.\d+$/, '.0');
  const [head = ''] = address.split('::', 1);
  return `${head.split(':').slice(0, 3).join(':')}::`;
}

function reason(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
