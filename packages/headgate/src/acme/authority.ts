/** Talks to a certificate authority in ACME (RFC 8555): signed requests, nonces, its errors. */
import { VERSION } from '../version.ts';
import type { KeyPair } from './certification.ts';
import { jwk, signedRequest } from './jws.ts';
import { type Problem, problemError, problemOf, toProblem } from './problem.ts';

/** An answer of an authority. */
export interface Answer {
  /** What is in JSON, else `{}`. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Its Location field, `''` if it has none. */
  readonly location: string;
  /** Milliseconds after which to ask again, if it says so. */
  readonly retryAfter: number | undefined;
}

/** An authority, and the account that asks it. */
export interface Authority {
  /** Asks for what is at `url`, or sends `payload` there. Rejects with what the authority complains of. */
  readonly post: (url: string, payload?: object) => Promise<Answer>;
  /** Where orders go. */
  readonly newOrder: string;
  /** The terms that the account agreed to, if the authority has any. */
  readonly terms: string | undefined;
}

/** Whose account. */
export interface Account {
  readonly key: KeyPair;
  readonly email?: string | undefined;
}

/** Milliseconds that one answer may take. */
const PATIENCE = 30_000;

/** How often a nonce may be refused before it is an error: authorities may forget theirs at any time. */
const MAX_NONCES = 10;

const HEADERS = { 'user-agent': `headgate/${VERSION}`, 'accept-language': 'en' };

/**
 * Opens the account at an authority, or finds it again: the authority knows it by its key. With that
 * the account agrees to the authority's terms.
 */
export async function openAuthority(
  directory: string,
  { key, email }: Account,
  signal: AbortSignal,
): Promise<Authority> {
  const nonces: string[] = [];
  const ask = async (url: string, init: RequestInit = {}) => {
    const headers = { ...HEADERS, ...init.headers };
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
    const response = await fetch(url, { ...init, headers, signal: limit }).catch((error: Error) => {
      throw signal.aborted ? error : new Error(`${url} doesn't answer: ${reasonOf(error)}`);
    });
    const nonce = response.headers.get('replay-nonce');
    if (nonce !== null) nonces.push(nonce);
    const text = await response.text();
    const answer: Answer = {
      text,
      json: toObject(text),
      location: response.headers.get('location') ?? '',
      retryAfter: toDelay(response.headers.get('retry-after')),
    };
    if (response.ok) return answer;
    const problem = toProblem(answer.json, `${url} answers ${response.status}`);
    throw problemError({
      ...problem,
      ...(answer.retryAfter !== undefined && { retryAfter: answer.retryAfter }),
    });
  };

  const { json: resources } = await ask(directory);
  const urlOf = (name: string): string => {
    const url = resources[name];
    if (typeof url === 'string') return url;
    throw new Error(`${directory} is no ACME directory: it names no ${name}`);
  };
  const nonce = async () => {
    if (nonces.length === 0) await ask(urlOf('newNonce'), { method: 'HEAD' });
    return nonces.pop() ?? '';
  };
  let who: { kid: string } | { jwk: object } = { jwk: jwk(key) };
  const post = async (url: string, payload?: object): Promise<Answer> => {
    for (let tries = 1; ; tries++) {
      const body = signedRequest(key, { ...who, url, nonce: await nonce() }, payload);
      const headers = { 'content-type': 'application/jose+json' };
      try {
        return await ask(url, { method: 'POST', headers, body });
      } catch (error) {
        const { type }: Partial<Problem> = problemOf(error) ?? {};
        if (type !== 'badNonce' || tries >= MAX_NONCES) throw error;
      }
    }
  };

  const { location } = await post(urlOf('newAccount'), {
    termsOfServiceAgreed: true,
    ...(email !== undefined && { contact: [`mailto:${email}`] }),
  });
  who = { kid: location };
  const { termsOfService } = Object(resources.meta) as Record<string, unknown>;
  return {
    post,
    newOrder: urlOf('newOrder'),
    terms: typeof termsOfService === 'string' ? termsOfService : undefined,
  };
}

/** `fetch failed` says nothing; what it was is behind it. */
function reasonOf({ message, cause }: Error): string {
  const { code, message: more } = Object(cause) as NodeJS.ErrnoException;
  return more || code || message;
}

function toObject(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** The milliseconds of a Retry-After field: seconds, or a date. */
function toDelay(field: string | null): number | undefined {
  if (field === null) return undefined;
  const ms = /^\d+$/.test(field) ? Number(field) * 1_000 : Date.parse(field) - Date.now();
  return ms > 0 ? ms : undefined;
}
