/** A certificate authority and our account there, by acme-client (RFC 8555). */
import type { Client, crypto } from 'acme-client';
import { VERSION } from '../version.ts';
import { type Problem, problemError, problemIn } from './problem.ts';

/** An authority, and the account that asks it. */
export interface Authority {
  readonly client: Client;
  /** Makes keys, requests for certificates, and what tls-alpn-01 shows. */
  readonly crypto: typeof crypto;
  /** The terms that the account agreed to, if the authority has any. */
  readonly terms: string | undefined;
  /** The error, with what the authority said of it. */
  readonly explained: (error: Error) => Error;
}

/** Whose account. */
export interface Account {
  /** In PEM. */
  readonly key: string;
  readonly email?: string | undefined;
}

/** Milliseconds in which nothing of an answer comes. */
const PATIENCE = 30_000;

/** Bytes that one answer may have: a chain of certificates has a few thousand. */
const MAX_ANSWER = 1024 * 1024;

/**
 * Opens the account at an authority, or finds it again: the authority knows it by its key. With that the
 * account agrees to the authority's terms. For one at a time: what acme-client asks by is shared.
 */
export async function openAuthority(
  directoryUrl: string,
  { key, email }: Account,
  signal: AbortSignal,
): Promise<Authority> {
  // Loaded here: it takes 12 MB, and whoever has certificates of their own needs none of it.
  const { Client, axios, crypto } = (await import('acme-client')).default;
  let said: Problem | undefined;
  Object.assign(axios.defaults, {
    signal,
    timeout: PATIENCE,
    maxContentLength: MAX_ANSWER,
    acmeSettings: { retryMaxAttempts: 0 }, // else it sleeps for as long as Retry-After says
    transformRequest: (data: unknown) => {
      said = undefined; // where no answer comes, the one before explains nothing
      return JSON.stringify(data);
    },
    transformResponse: (text: string, headers: Record<string, unknown>, status: number) => {
      const data = parsed(text);
      said = problemIn({ data, status, retryAfter: headers['retry-after'] });
      return data;
    },
  });
  axios.defaults.headers.common['User-Agent'] = `headgate/${VERSION}`;
  const explained = (error: Error) => {
    if (said) return problemError(said);
    // What it throws itself where no answer comes.
    return error instanceof TypeError ? new Error(`${directoryUrl} stopped answering`) : error;
  };
  await reach(directoryUrl, signal);

  const client = new Client({ directoryUrl, accountKey: key });
  try {
    await client.createAccount({
      termsOfServiceAgreed: true,
      contact: email === undefined ? [] : [`mailto:${email}`], // none would be an update of nothing
    });
    const terms = (await client.getTermsOfServiceUrl()) ?? undefined;
    return { client, crypto, terms, explained };
  } catch (error) {
    throw explained(error as Error);
  }
}

/** Rejects with the reason where nobody answers, which acme-client doesn't tell. */
async function reach(url: string, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
  await fetch(url, { method: 'HEAD', signal: limit }).catch(({ message, cause }: Error) => {
    const { code, message: more } = Object(cause) as NodeJS.ErrnoException;
    throw new Error(`${url} doesn't answer: ${more || code || message}`);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a certificate is none
  }
}
