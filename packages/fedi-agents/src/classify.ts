/** Who is asking, and for what: the decision, in the order that real requests force. */
import { isData, isFederated, isMedia, isTelling, mediaTypes } from './accept.ts';
import type { Agent, Classification, Fetch, FetchRequest, Purpose } from './agent.ts';
import { AGENTS } from './agents.ts';
import { assertAgent } from './assert-agent.ts';
import { pathKind } from './path.ts';

type Headers = FetchRequest['headers'];

/**
 * A User-Agent line beyond so many bytes is nobody's: software that federates needs a third of it.
 * It bounds what the patterns read.
 */
const LONGEST_USER_AGENT = 512;

/** Matches what anybody of `AGENTS` sends, so that one look dismisses a browser. */
const KNOWN = new RegExp(AGENTS.map(({ userAgent }) => `(?:${userAgent.source})`).join('|'));

const NOTHING: readonly string[] = [];

/** Tells which software of `AGENTS` sent a request, and for what. */
export const classify: (request: FetchRequest) => Classification = remembering(decider([]));

/**
 * Makes a `classify` that looks at `more` before `AGENTS`: for software that is missing there, or
 * to decide otherwise for one that isn't. Throws a `TypeError` for an agent that can't work.
 */
export function classifier(more: readonly Agent[]): (request: FetchRequest) => Classification {
  for (const agent of more) assertAgent(agent);
  return more.length === 0 ? classify : remembering(decider(more));
}

/** Remembers the last answer, since a cache, a log and metrics ask about the same request. */
function remembering(
  decide: (request: FetchRequest) => Classification,
): (request: FetchRequest) => Classification {
  let last: { readonly asked: FetchRequest; readonly told: Classification } | undefined;
  return (request) => {
    const { method, url, headers } = request;
    const isLast =
      headers === last?.asked.headers && url === last.asked.url && method === last.asked.method;
    if (last && isLast) return last.told;
    const told = decide(request);
    last = { asked: { method, url, headers }, told };
    return told;
  };
}

function decider(more: readonly Agent[]): (request: FetchRequest) => Classification {
  return (request) => {
    const { headers } = request;
    const userAgents = lines(headers, 'user-agent').filter(isShort);
    const agent = find(more, userAgents) ?? findKnown(userAgents);
    const { family = 'other', redirects = 'unknown' } = agent ?? {};
    const acceptLines = lines(headers, 'accept');
    const types = agent || acceptLines.some(isTelling) ? mediaTypes(acceptLines) : NOTHING;

    const purpose = purposeOf(request, types);
    if (purpose !== undefined) return { family, purpose, mayTrim: false, redirects };
    if (agent === undefined) return { family, purpose: 'other', mayTrim: false, redirects };

    const own = userAgents.filter((line) => agent.userAgent.test(line));
    const accept = types.join(', ');
    const fetch = agent.fetches?.find((candidate) => fits(candidate, request, accept, own));
    return {
      family,
      purpose: fetch?.purpose ?? 'other',
      mayTrim: fetch?.mayTrim === true && !has(headers, 'authorization') && !has(headers, 'cookie'),
      redirects,
    };
  };
}

function findKnown(userAgents: readonly string[]): Agent | undefined {
  return someMatch(userAgents, KNOWN) ? find(AGENTS, userAgents) : undefined;
}

function find(agents: readonly Agent[], userAgents: readonly string[]): Agent | undefined {
  return agents.find(({ userAgent }) => someMatch(userAgents, userAgent));
}

/** The purpose that a request's own shape tells, whoever sent it. */
function purposeOf({ method, url }: FetchRequest, types: readonly string[]): Purpose | undefined {
  const kind = pathKind(url);
  const isRead = method === 'GET' || method === 'HEAD';
  // Before Accept, because Plume asks for images as if they were objects.
  if (kind === 'media' && isRead) return 'media';
  if (kind === 'activitypub') return 'activitypub';
  // Before the table, because a search from Mastodon accepts text/html as well.
  if (types.some(isFederated)) return 'activitypub';
  if (!isRead || kind === 'data' || types.some(isData)) return 'other';
  return types[0] !== undefined && isMedia(types[0]) ? 'media' : undefined;
}

function fits(
  fetch: Fetch,
  { method, headers }: FetchRequest,
  accept: string,
  userAgents: readonly string[],
): boolean {
  if (fetch.method !== undefined && fetch.method !== method) return false;
  if (typeof fetch.accept === 'string' && fetch.accept !== accept) return false;
  if (fetch.accept instanceof RegExp && !fetch.accept.test(accept)) return false;
  if (fetch.range !== undefined && !lines(headers, 'range')[0]?.startsWith(fetch.range))
    return false;
  if (fetch.userAgent !== undefined && !someMatch(userAgents, fetch.userAgent)) return false;
  return !isOfPage(fetch) || !isSigned(headers);
}

function isOfPage({ purpose }: Fetch): boolean {
  return purpose === 'preview' || purpose === 'link-verification';
}

/** No preview or verification is: who signs asks for more than anybody may see. */
function isSigned(headers: Headers): boolean {
  return has(headers, 'signature') || has(headers, 'signature-input');
}

function isShort(userAgent: string): boolean {
  return userAgent.length <= LONGEST_USER_AGENT;
}

function someMatch(values: readonly string[], pattern: RegExp): boolean {
  return values.some((value) => pattern.test(value));
}

function has(headers: Headers, name: string): boolean {
  return lines(headers, name).length > 0;
}

function lines(headers: Headers, name: string): readonly string[] {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (value === undefined) return NOTHING;
  return typeof value === 'string' ? [value] : value;
}
