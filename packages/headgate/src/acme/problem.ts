/** What went wrong with an authority, and what a person can do about it. */

import type { ChallengeType } from './challenges.ts';

/** What an authority says of an error (RFC 8555, section 6.7). */
export interface Problem {
  /** Without `urn:ietf:params:acme:error:`. */
  readonly type: string;
  readonly detail: string;
  /** Milliseconds that the authority asks to wait. */
  readonly retryAfter?: number;
}

const URN = 'urn:ietf:params:acme:error:';

/** The longest text of an authority that is logged. */
const MAX_DETAIL = 500;

/** The problem that an answer tells of, if it is none of success. */
export function problemIn({
  data,
  status,
  retryAfter,
}: {
  readonly data: unknown;
  readonly status: number;
  readonly retryAfter: unknown;
}): Problem | undefined {
  const asked = toDelay(retryAfter);
  const wait = asked === undefined ? {} : { retryAfter: asked };
  if (status >= 400) return { ...toProblem(data, `the authority answers ${status}`), ...wait };
  const { status: outcome, error, challenges } = Object(data) as Record<string, unknown>;
  if (outcome !== 'invalid') return undefined;
  const failed = Array.isArray(challenges)
    ? challenges.find((one) => Object(one).error)
    : undefined;
  return { ...toProblem(error ?? Object(failed).error, 'the authority says no'), ...wait };
}

function toProblem(sent: unknown, fallback: string): Problem {
  const { type, detail, subproblems } = Object(sent) as Record<string, unknown>;
  const parts = Array.isArray(subproblems) ? subproblems.map((part) => Object(part).detail) : [];
  const texts = [detail, ...parts].filter((part) => typeof part === 'string');
  return {
    type: typeof type === 'string' ? type.replace(URN, '') : 'unknown',
    detail: (texts.join('; ') || fallback).slice(0, MAX_DETAIL),
  };
}

/** The milliseconds of a Retry-After field: seconds, or a date. */
function toDelay(field: unknown): number | undefined {
  if (typeof field !== 'string') return undefined;
  const ms = /^\d+$/.test(field) ? Number(field) * 1_000 : Date.parse(field) - Date.now();
  return ms > 0 ? ms : undefined;
}

/** An error that carries a problem. */
export function problemError(problem: Problem): Error {
  return new Error(problem.detail, { cause: problem });
}

/** The problem that an error carries. */
export function problemOf(error: unknown): Problem | undefined {
  const { cause } = Object(error) as Error;
  return cause instanceof Object && 'type' in cause && 'detail' in cause
    ? (cause as Problem)
    : undefined;
}

/** What to look at, for a problem with a certificate for `name`. */
export function adviceFor(
  error: unknown,
  { name, challenge }: { readonly name: string; readonly challenge: ChallengeType },
): string {
  const type = problemOf(error)?.type;
  switch (type) {
    case 'connection':
    case 'dns':
    case 'tls':
    case 'unauthorized':
    case 'incorrectResponse':
      return challenge === 'http-01'
        ? `the A and AAAA records of ${name} must lead here, and port 80 must be open: http://${name}/.well-known/acme-challenge/ is asked from outside`
        : `the A and AAAA records of ${name} must lead here, and port 443 must be open and end here: nothing in front may end TLS`;
    case 'caa':
      return `a CAA record of ${name}, or of a domain above it, forbids this authority`;
    case 'rateLimited':
      return 'the authority has had enough requests for now: wait';
    case 'rejectedIdentifier':
    case 'unsupportedIdentifier':
      return `the authority gives no certificates for ${name}: take the name out of hosts, or get one elsewhere`;
    case 'externalAccountRequired':
      return 'this authority asks for an account that was made elsewhere, which is not supported: take another';
    case 'userActionRequired':
      return 'the authority asks its users to do something first, as it says';
    default:
      return type === undefined
        ? 'the authority must be reachable from here: look at DNS, the firewall, and tls.acme.directory'
        : 'the authority says no more than this';
  }
}
