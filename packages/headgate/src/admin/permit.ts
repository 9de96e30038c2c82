/** Who may ask the admin server for what. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { field, type ProxyRequest, type ProxyResponse } from '@headgate/core';
import type { Admin } from '../config/read.ts';
import { toName } from '../hosts.ts';
import { refusal } from './answer.ts';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * Why a request is refused, if it is. A browser can be made to ask, by a name that leads here though it
 * is another's (DNS rebinding), or by another site's page; through SSH it gets to a Unix socket too.
 * Whoever changes something (`isChange`) must show the token, or come by the Unix socket, which lets
 * in who may open it.
 */
export function refused(
  { headers }: ProxyRequest,
  { listen, hosts, token }: Admin,
  isChange: boolean,
): ProxyResponse | undefined {
  const name = toName(field(headers, 'host'));
  const isSocket = 'path' in listen;
  const host = (isSocket ? undefined : listen.host?.toLowerCase()) ?? 'localhost';
  const own = [...hosts.map((known) => toName(known)), host, `[${host}]`];
  if (!LOOPBACK.test(name) && !own.includes(name))
    return refusal(421, `"${name}" is not a name of this server; add it to admin.hosts if it is`);
  const from = field(headers, 'sec-fetch-site') ?? 'none';
  if (field(headers, 'origin') !== undefined || !['none', 'same-origin'].includes(from))
    return refusal(403, 'pages of a browser have no business here');
  if (!isChange || isSocket) return undefined;
  if (token === undefined)
    return refusal(403, 'nothing can be changed here without admin.token, or by a Unix socket');
  const [, shown = ''] = /^bearer +(\S+)$/i.exec(field(headers, 'authorization') ?? '') ?? [];
  if (timingSafeEqual(hash(shown), hash(token))) return undefined;
  return refusal(401, 'write the token: Authorization: Bearer TOKEN', {
    'www-authenticate': 'Bearer',
  });
}

/** All hashes are equally long, so the time of a comparison tells nothing of the token. */
function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
