/** Who sends a request, as its User-Agent has it. */
import { field, type Headers, type ProxyRequest } from '@headgate/core';
import { classify, PREVIEW_BOTS } from '@headgate/fedi-agents';

/** What is told of a sender. */
export interface Sender {
  /** The software's label, `other` when it is not known. */
  readonly family: string;
  /** `fediverse`: software that federates. `bot`: a machine that says so. */
  readonly kind: SenderKind;
}

/** Kinds of senders: a closed set, which can be a label of metrics. */
export const SENDER_KINDS = ['fediverse', 'bot', 'browser', 'other'] as const;

/** One of `SENDER_KINDS`. */
export type SenderKind = (typeof SENDER_KINDS)[number];

const BOTS: ReadonlySet<string> = new Set(PREVIEW_BOTS.map(({ family }) => family));
const BOT = /bot\b|crawl|spider|slurp|\+https?:\/\//i;
const BROWSER = /^(?:Mozilla|Opera)\/\d/;

/** Characters of a User-Agent that are looked at. */
const LONGEST = 512;

/**
 * Makes the function that tells who sent a request. It remembers its last answer, since several ask about
 * the same request one after the other.
 */
export function senders(): (request: ProxyRequest) => Sender {
  let last: { readonly headers: Headers; readonly sender: Sender } | undefined;
  return (request) => {
    const { headers } = request;
    if (last?.headers !== headers) last = { headers, sender: senderOf(request) };
    return last.sender;
  };
}

function senderOf(request: ProxyRequest): Sender {
  const { family } = classify(request);
  if (family !== 'other') return { family, kind: BOTS.has(family) ? 'bot' : 'fediverse' };
  const userAgent = (field(request.headers, 'user-agent') ?? '').slice(0, LONGEST);
  if (BOT.test(userAgent)) return { family, kind: 'bot' };
  return { family, kind: BROWSER.test(userAgent) ? 'browser' : 'other' };
}
