/** Showing an authority that a name leads here: over HTTP (RFC 8555, 8.3), or over TLS (RFC 8737). */
import type { crypto as Crypto } from 'acme-client';
import type { Pair } from '../tls/certificates.ts';

/** How it is shown. */
export type ChallengeType = 'http-01' | 'tls-alpn-01';

/** What the authority will look for. */
export interface Challenge {
  readonly name: string;
  readonly token: string;
  readonly keyAuthorization: string;
  readonly crypto: typeof Crypto;
}

/** Challenges under way. */
export interface Presenting {
  /** Answers one from now on, until what is returned is called. */
  readonly present: (challenge: Challenge) => Promise<() => void>;
  /** What `/.well-known/acme-challenge/TOKEN` is answered with (http-01). */
  readonly answer: (token: string) => string | undefined;
  /** Whether one is under way for which a certificate is shown. */
  readonly isPresenting: () => boolean;
  /** What is shown for a name to who speaks `acme-tls/1` (tls-alpn-01). */
  readonly challengePairFor: (name: string) => Pair | undefined;
}

/** Begins without any. */
export function presenting(type: ChallengeType): Presenting {
  const answers = new Map<string, string>();
  const pairs = new Map<string, Pair>();
  return {
    present: async ({ name, token, keyAuthorization, crypto }) => {
      if (type === 'http-01') answers.set(token, keyAuthorization);
      else pairs.set(name, await challengePair(name, keyAuthorization, crypto));
      return () => {
        answers.delete(token);
        pairs.delete(name);
      };
    },
    answer: (token) => answers.get(token),
    isPresenting: () => pairs.size > 0,
    challengePairFor: (name) => pairs.get(name.toLowerCase()),
  };
}

/** The certificate that shows an authority over TLS that whoever answers for `name` asked for one. */
async function challengePair(
  name: string,
  keyAuthorization: string,
  { createPrivateEcdsaKey, createAlpnCertificate }: typeof Crypto,
): Promise<Pair> {
  const url = ''; // it is part of an authorization, and not looked at
  const authorization = {
    identifier: { type: 'dns', value: name },
    status: 'pending',
    url,
  } as const;
  const key = await createPrivateEcdsaKey();
  const asked = { ...authorization, challenges: [] };
  const [, cert] = await createAlpnCertificate(asked, keyAuthorization, key);
  return { cert: String(cert), key: String(key) };
}
