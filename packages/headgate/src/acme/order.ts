/** One order: from a name to a certificate for it (RFC 8555, section 7.4). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Authority } from './authority.ts';
import { type KeyPair, keyToPem, newKey, signingRequest } from './certification.ts';
import type { ChallengeType, Presenting } from './challenges.ts';
import { thumbprint } from './jws.ts';
import { type DatedPair, toDatedPair } from './pair.ts';
import { problemError, toProblem } from './problem.ts';

/** What an order needs besides the authority. */
export interface Ordering {
  readonly challenge: ChallengeType;
  readonly accountKey: KeyPair;
  readonly signal: AbortSignal;
  readonly present: Presenting['present'];
}

/** Milliseconds between two looks: the first, and the longest. */
const FIRST_LOOK = 250;
const LAST_LOOK = 10_000;

/** Milliseconds that an authority may take to make up its mind. */
const PATIENCE = 3 * 60_000;

/** Orders a certificate. Rejects with what the authority complains of, or that it takes too long. */
export async function order(
  name: string,
  { post, newOrder }: Authority,
  { challenge: type, accountKey, signal, present }: Ordering,
): Promise<DatedPair> {
  const begun = await post(newOrder, { identifiers: [{ type: 'dns', value: name }] });
  const orderUrl = begun.location;

  /** Looks at what is at `url` until it is neither of `states`. */
  const outcome = async (url: string, states: readonly unknown[]): Promise<Answer> => {
    const giveUp = Date.now() + PATIENCE;
    for (let wait = FIRST_LOOK; ; wait = Math.min(wait * 2, LAST_LOOK)) {
      const answer = await post(url);
      if (!states.includes(answer.json.status)) return answer;
      if (Date.now() > giveUp)
        throw new Error(`${url} is still ${answer.json.status} after ${PATIENCE / 60_000} minutes`);
      const asked = Math.min(answer.retryAfter ?? wait, LAST_LOOK);
      await sleep(asked, undefined, { signal });
    }
  };

  for (const url of urlsIn(begun.json.authorizations)) {
    const { json } = await post(url);
    if (json.status === 'valid') continue; // proven a while ago
    const offered = challengesIn(json.challenges);
    const chosen = offered.find((challenge) => challenge.type === type);
    const { token, url: place } = chosen ?? {};
    if (typeof token !== 'string' || typeof place !== 'string')
      throw new Error(
        `the authority does not offer ${type} for ${name}, but ${offered.map((one) => one.type).join(', ') || 'nothing'}`,
      );
    const done = present({ name, token, keyAuthorization: `${token}.${thumbprint(accountKey)}` });
    try {
      await post(place, {});
      const { json: proven } = await outcome(url, ['pending']);
      if (proven.status !== 'valid') {
        const failed = challengesIn(proven.challenges).find(({ error }) => error !== undefined);
        throw problemError(
          toProblem(failed?.error, `${name} is ${proven.status} to the authority`),
        );
      }
    } finally {
      done();
    }
  }

  const ready = await outcome(orderUrl, ['pending']);
  const key = newKey();
  if (ready.json.status === 'ready')
    await post(String(ready.json.finalize), {
      csr: signingRequest(name, key).toString('base64url'),
    });
  const { json: ended } = await outcome(orderUrl, ['ready', 'processing']);
  if (ended.status !== 'valid')
    throw problemError(toProblem(ended.error, `the order is ${ended.status}`));
  const { text: cert } = await post(String(ended.certificate));
  return toDatedPair({ cert, key: keyToPem(key) }, name);
}

function urlsIn(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((url) => typeof url === 'string') : [];
}

function challengesIn(list: unknown): Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.map(Object) : [];
}
