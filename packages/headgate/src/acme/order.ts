/** One order: from a name to a certificate for it (RFC 8555, section 7.4). */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Authority } from './authority.ts';
import type { ChallengeType, Presenting } from './challenges.ts';
import { type DatedPair, toDatedPair } from './pair.ts';

/** What an order needs besides the authority. */
export interface Ordering {
  readonly challenge: ChallengeType;
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
  authority: Authority,
  ordering: Ordering,
): Promise<DatedPair> {
  try {
    return await ordered(name, authority, ordering);
  } catch (error) {
    throw authority.explained(error as Error);
  }
}

async function ordered(
  name: string,
  { client, crypto }: Authority,
  { challenge: type, signal, present }: Ordering,
): Promise<DatedPair> {
  const begun = await client.createOrder({ identifiers: [{ type: 'dns', value: name }] });

  for (const { status, challenges } of await client.getAuthorizations(begun)) {
    if (status === 'valid') continue; // proven a while ago
    const chosen = challenges.find((challenge) => challenge.type === type);
    if (!chosen)
      throw new Error(
        `the authority does not offer ${type} for ${name}, but ${challenges.map((one) => one.type).join(', ') || 'nothing'}`,
      );
    const keyAuthorization = await client.getChallengeKeyAuthorization(chosen);
    const done = await present({ name, token: chosen.token, keyAuthorization, crypto });
    try {
      await client.completeChallenge(chosen);
      await settled(
        async () => (await client.getAuthorizations(begun))[0]?.status,
        'valid',
        signal,
      );
    } finally {
      done();
    }
  }

  const key = await crypto.createPrivateEcdsaKey();
  const [, request] = await crypto.createCsr({ altNames: [name] }, key);
  const statusOf = async () => (await client.getOrder(begun)).status;
  await settled(statusOf, 'ready', signal);
  await client.finalizeOrder(begun, request);
  await settled(statusOf, 'valid', signal);
  const cert = await client.getCertificate(await client.getOrder(begun));
  return toDatedPair({ cert, key: String(key) }, name);
}

/** Looks until it has the status that is hoped for. Rejects when it never will. */
async function settled(
  look: () => Promise<string | undefined>,
  hoped: 'ready' | 'valid',
  signal: AbortSignal,
): Promise<void> {
  const giveUp = Date.now() + PATIENCE;
  for (let wait = FIRST_LOOK; ; wait = Math.min(wait * 2, LAST_LOOK)) {
    const status = (await look()) ?? '';
    if (status === hoped) return;
    if (!['pending', 'processing', 'ready'].includes(status))
      throw new Error(`the authority calls it ${status}`);
    if (Date.now() > giveUp)
      throw new Error(`the authority calls it ${status} for ${PATIENCE / 60_000} minutes now`);
    await sleep(wait, undefined, { signal });
  }
}
