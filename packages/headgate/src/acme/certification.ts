/** What keys sign: a request for a certificate (PKCS #10), and a challenge's own certificate (RFC 8737). */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import type { Pair } from '../tls/certificates.ts';
import {
  bits,
  context,
  extension,
  integer,
  OID,
  octets,
  oid,
  sequence,
  set,
  subjectAltName,
  text,
  time,
} from './der.ts';

/** A private key, and the public one that belongs to it. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const DAY = 24 * 60 * 60_000;

/** Makes a key on P-256, which every client and authority knows. */
export function newKey(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** Reads a key from PEM. Throws Node's error when it is none, or not on P-256. */
export function keyFromPem(pem: string): KeyPair {
  const privateKey = createPrivateKey(pem);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new TypeError('the key is not on P-256');
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

/** A private key as PEM. */
export function keyToPem({ privateKey }: KeyPair): string {
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

/** A request to certify that `name` has the key, in DER (RFC 2986). */
export function signingRequest(name: string, key: KeyPair): Buffer {
  const nobody = sequence(); // authorities go by subjectAltName
  const wish = sequence(oid(OID.extensionRequest), set(sequence(subjectAltName(name))));
  return signed(sequence(integer(Buffer.of(0)), nobody, publicKeyOf(key), context(0, wish)), key);
}

/** The certificate that shows an authority over TLS that whoever answers for `name` asked for one. */
export function challengePair(name: string, keyAuthorization: string): Pair {
  const proof = createHash('sha256').update(keyAuthorization).digest();
  const now = Date.now();
  return selfSigned(name, {
    from: now - DAY,
    to: now + DAY,
    extensions: [extension(OID.acmeIdentifier, octets(proof), true)],
  });
}

/** A certificate for `name` that nobody but its own key vouches for. */
export function selfSigned(
  name: string,
  { from, to, extensions = [] }: { from: number; to: number; extensions?: readonly Buffer[] },
): Pair {
  const key = newKey();
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40; // positive, and never shorter
  const named = sequence(set(sequence(oid(OID.commonName), text('headgate'))));
  const body = sequence(
    context(0, integer(Buffer.of(2))),
    integer(serial),
    algorithm(),
    named,
    sequence(time(from), time(to)),
    named,
    publicKeyOf(key),
    context(3, sequence(subjectAltName(name), ...extensions)),
  );
  const base64 = signed(body, key)
    .toString('base64')
    .match(/.{1,64}/g)
    ?.join('\n');
  const cert = `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
  return { cert, key: keyToPem(key) };
}

function signed(content: Buffer, { privateKey }: KeyPair): Buffer {
  return sequence(content, algorithm(), bits(sign('sha256', content, privateKey)));
}

function algorithm(): Buffer {
  return sequence(oid(OID.ecdsaWithSha256));
}

function publicKeyOf({ publicKey }: KeyPair): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}
