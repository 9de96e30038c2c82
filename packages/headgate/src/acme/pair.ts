/** A certificate with its key, and what can be said of it. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { Pair } from '../tls/certificates.ts';

/** A pair, and the milliseconds of its life. */
export interface DatedPair extends Pair {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Takes a pair for `name`. Throws an error that says what is wrong with it. */
export function toDatedPair({ cert, key }: Pair, name: string): DatedPair {
  const leaf = new X509Certificate(cert);
  if (leaf.checkHost(name, { subject: 'never' }) === undefined)
    throw new Error(`the certificate is for ${leaf.subjectAltName ?? 'no name'}, not for ${name}`);
  if (!leaf.checkPrivateKey(createPrivateKey(key)))
    throw new Error('the key does not belong to the certificate');
  const { validFromDate, validToDate } = leaf;
  return { cert, key, notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
}
