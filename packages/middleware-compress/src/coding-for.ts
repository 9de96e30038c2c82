/** Which coding a client likes best. */
import { field, type Headers } from '@headgate/core';
import Negotiator from 'negotiator';

/** What the types of negotiator don't tell: the order among what a client likes equally. */
interface Preferring {
  encoding(
    available: readonly string[],
    options: { readonly preferred: readonly string[] },
  ): string | undefined;
}

/**
 * The coding of `codings` that the Accept-Encoding in `headers` prefers (RFC 9110 section 12.5.3),
 * the first among equals. Nothing if the client prefers none, or doesn't say.
 */
export function codingFor<Coding extends string>(
  headers: Headers,
  codings: readonly Coding[],
): Coding | undefined {
  const accepted = field(headers, 'accept-encoding');
  if (accepted === undefined) return undefined;
  const client: Preferring = new Negotiator({ headers: { 'accept-encoding': accepted } });
  const preferred = [...codings, 'identity'];
  const best = client.encoding(preferred, { preferred });
  return codings.find((coding) => coding === best);
}
