/** PURGE: how applications tell the cache in front of them that a page has changed. */
import { field, type Handler, HeadgateError, withFields } from '@headgate/core';
import { addressList } from '@headgate/core/server';
import type { Upkeep } from './upkeep.ts';

/** What Varnish's plugins for WordPress end a target with when they mean all that begins like it. */
const AND_ALL_BELOW = '.*';

/**
 * Makes what answers PURGE: for clients in `from` it forgets the target, over http and https; for all
 * others the method doesn't exist. With `X-Purge-Method: regex` the target must end with `.*`, and all
 * that begins with what stands before is forgotten: no pattern of a client is ever run.
 */
export function purgeMethod(from: readonly string[], purge: Upkeep['purge']): Handler {
  const isAllowed = addressList(from);
  return async ({ client, headers, url }) => {
    if (!isAllowed(client))
      throw new HeadgateError('METHOD_NOT_ALLOWED', 'PURGE is for the addresses in purge.from');
    const isPattern = field(headers, 'x-purge-method')?.toLowerCase() === 'regex';
    if (isPattern && !url.endsWith(AND_ALL_BELOW))
      throw new HeadgateError('BAD_REQUEST', 'a pattern can only be the start of a target and .*');
    const host = field(headers, 'host') ?? '';
    const start = url.slice(0, -AND_ALL_BELOW.length);
    let count = 0;
    for (const origin of [`http://${host}`, `https://${host}`])
      count += await purge(isPattern ? { prefix: origin + start } : { url: origin + url });
    return {
      status: 200,
      headers: withFields({}, { 'content-type': 'text/plain; charset=utf-8' }),
      body: Buffer.from(`${count} purged\n`),
    };
  };
}
