/** The responses that fetchers get. Nothing in them may be kept by a cache that others share. */
import {
  EMPTY,
  field,
  fields,
  type Headers,
  type ProxyRequest,
  type ProxyResponse,
  withFields,
} from '@headgate/core';
import type { Answer, Representation } from './entry.ts';

/** Seconds that a fetcher or a browser may keep an answer for itself. */
const MAX_AGE = 300;

/** What every answer of ours says. */
const OURS = {
  'cdn-cache-control': 'no-store',
  vary: 'Accept, User-Agent, Accept-Encoding',
  fedicache: 'Active',
};

/** The fields of a representation as they were sent last: the same for a second, in which thousands may ask. */
const latest = new WeakMap<Representation, { readonly said: string; readonly headers: Headers }>();

/** How `answer` is sent in reply to `request`. `status` is for Cache-Status (RFC 9211). */
export function toResponse(
  answer: Answer,
  request: ProxyRequest,
  status: string,
  now: number,
): ProxyResponse {
  const representation = choose(answer.representations, field(request.headers, 'accept-encoding'));
  const headers = fieldsOf(answer, representation, status, now);
  if (answer.tag !== undefined && isKnown(request, headers))
    return {
      status: 304,
      headers: withFields(headers, { 'content-encoding': undefined }),
      body: EMPTY,
    };
  return { status: answer.status, headers, body: representation.body };
}

/** The answer to one who would have to wait for too long. `seconds`: when to come again. */
export function busy(seconds: number): ProxyResponse {
  const headers = withFields(
    {},
    {
      ...OURS,
      'cache-control': 'private, max-age=0',
      'cache-status': 'Headgate; fwd=miss; detail=busy',
      'retry-after': String(seconds),
    },
  );
  return { status: 503, headers, body: EMPTY };
}

/** The origin's own answer, with why it wasn't cut. */
export function passed(response: ProxyResponse, reason: string): ProxyResponse {
  const status = [
    ...fields(response.headers, 'cache-status'),
    `Headgate; fwd=bypass; detail=${reason}`,
  ];
  const headers = withFields(response.headers, { 'cache-status': status });
  return { ...response, headers };
}

/** Seconds for which an answer is fresh; negative once it is stale. */
export function secondsLeft({ made, fresh }: Answer, now: number): number {
  return Math.round((made + fresh - now) / 1000);
}

function fieldsOf(
  answer: Answer,
  representation: Representation,
  status: string,
  now: number,
): Headers {
  const age = Math.max(0, Math.round(((answer.age ?? 0) + now - answer.made) / 1000));
  const left = Math.min(MAX_AGE, secondsLeft(answer, now));
  const said = `${age} ${left} ${status}`;
  const known = latest.get(representation);
  if (known?.said === said) return known.headers;
  const { coding } = representation;
  const headers = withFields(answer.fields, {
    ...OURS,
    etag: answer.tag && `"${answer.tag}-${coding}"`,
    'content-encoding': coding === 'identity' ? undefined : coding,
    age: String(age),
    // Who keeps it takes Age off (RFC 9111 section 4.2), and comes to what is left.
    'cache-control': `private, max-age=${left > 0 ? age + left : 0}`,
    'cache-status': `Headgate; ${status}`,
  });
  latest.set(representation, { said, headers });
  return headers;
}

/** The smallest representation that an Accept-Encoding line takes (RFC 9110 section 12.5.3). */
function choose(
  representations: readonly Representation[],
  accepted: string | undefined,
): Representation {
  const found = representations.find(
    ({ coding }) => coding === 'identity' || accepts(accepted, coding),
  );
  return found as Representation; // `identity` is always there
}

/** True when an Accept-Encoding line names the coding, or `*`, with a weight that isn't 0. */
export function accepts(accepted: string | undefined, coding: string): boolean {
  if (accepted === undefined) return false;
  let isAny = false;
  for (const member of accepted.split(',')) {
    const [name = '', ...parameters] = member.toLowerCase().split(';');
    const isZero = parameters.some((parameter) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/.test(parameter));
    if (name.trim() === coding) return !isZero;
    if (name.trim() === '*') isAny = !isZero;
  }
  return isAny;
}

/** True when If-None-Match names the representation (RFC 9110 section 13.1.2). */
function isKnown(request: ProxyRequest, { etag }: Headers): boolean {
  const condition = field(request.headers, 'if-none-match');
  if (condition === undefined) return false;
  const tags = condition.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(String(etag));
}
