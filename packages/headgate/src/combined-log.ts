/** One line for each exchange in the format that web servers share and GoAccess, fail2ban … read. */
import { type Finished, field } from '@headgate/core';
import type { AccessLogOptions } from './access-log.ts';
import {
  loggedClient,
  MAX_USER_AGENT,
  MAX_VALUE,
  maskedQuery,
  pathOf,
  withoutQuery,
} from './log-values.ts';

/**
 * Makes the function that writes a finished exchange as a line of the `combined` format. What is
 * logged of it is as in `accessLog`, and a Referer is logged as a target is. It has no place for the
 * rest: agent, cache, upstream.
 */
export function combinedLog(
  write: (line: string) => void,
  { query = false, client = 'truncated' }: AccessLogOptions = {},
): (exchange: Finished) => void {
  const withQuery = (address: string, url: string) => {
    const masked = query ? maskedQuery(url) : undefined;
    return masked === undefined ? address : `${address}?${masked}`;
  };

  return ({ request, httpVersion = '1.1', status, bytesOut }) => {
    const { method, url, headers } = request;
    const referer = field(headers, 'referer');
    const agent = quoted(field(headers, 'user-agent'), MAX_USER_AGENT);
    const asked = url && `${method} ${withQuery(pathOf(url), url)} HTTP/${httpVersion}`;
    const from = referer && withQuery(withoutQuery(referer), referer);
    const who = loggedClient(request.client, client) ?? '-';
    const fields = [quoted(asked), status, bytesOut, quoted(from), agent];
    write(`${who} - - [${timestamp(new Date())}] ${fields.join(' ')}\n`);
  };
}

/** At most `limit` bytes in quotes, with what could end them or the line escaped as nginx does it. */
function quoted(text: string | undefined, limit = MAX_VALUE): string {
  const escaped = (text || '-').slice(0, limit).replace(/[^ !#-[\]-~]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).toUpperCase();
    return `\\x${code.padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

/** `10/Oct/2000:13:55:36 +0000` */
function timestamp(date: Date): string {
  const [, day, month, year, time] = date.toUTCString().split(' ');
  return `${day}/${month}/${year}:${time} +0000`;
}
