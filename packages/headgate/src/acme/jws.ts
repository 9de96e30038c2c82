/** What proves to an authority who asks: signed requests (RFC 8555, section 6.2) of an account's key. */
import { createHash, sign } from 'node:crypto';
import type { KeyPair } from './certification.ts';

/** The public key as a JSON Web Key. */
export function jwk({ publicKey }: KeyPair): Readonly<Record<string, unknown>> {
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  return { crv, kty, x, y }; // in this order, without anything else: see thumbprint
}

/** RFC 7638: what a key is recognised by. */
export function thumbprint(key: KeyPair): string {
  return createHash('sha256')
    .update(JSON.stringify(jwk(key)))
    .digest('base64url');
}

/** A request in the form that goes over the wire; without `payload` it only asks (POST-as-GET). */
export function signedRequest(
  key: KeyPair,
  header: { readonly url: string; readonly nonce: string } & ({ kid: string } | { jwk: object }),
  payload?: object,
): string {
  const head = toBase64({ alg: 'ES256', ...header });
  const body = payload === undefined ? '' : toBase64(payload);
  const { privateKey } = key;
  const signature = sign('sha256', Buffer.from(`${head}.${body}`), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
  });
  return JSON.stringify({
    protected: head,
    payload: body,
    signature: signature.toString('base64url'),
  });
}

function toBase64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
