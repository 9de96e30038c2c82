/** Sends people to a CDN for files, and serves whoever the redirect would break. */
import { channel } from 'node:diagnostics_channel';
import {
  EMPTY,
  field,
  type Handler,
  type Layer,
  type Middleware,
  type ProxyRequest,
  type ProxyResponse,
  toSettings,
  withFields,
} from '@headgate/core';
import { type Classification, classify } from '@headgate/fedi-agents';
import { answers } from './answers.ts';
import { type Cdn, cdnCheck, isCheck } from './cdn-check.ts';
import { type Elsewhere, elsewhere } from './elsewhere.ts';
import { choiceFields, exceptions, type Reason } from './exceptions.ts';
import { hostOf } from './host.ts';
import { type MediaRedirectOptions, OWN_HOST, ownHosts, rulesTo, schema } from './options.ts';
import { originPull } from './origin-pull.ts';
import { type Match, router } from './target.ts';

/** What only code can pass. */
export interface MediaRedirectParts {
  /** The site's own names: a rule that leads to one of them is refused. Default none. */
  readonly hosts?: readonly string[];
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/**
 * What was done with a request that a rule fits; the message on the channel `headgate:media-redirect`.
 * What becomes known of a CDN is told on `headgate:media-redirect:cdn`, see `CdnChange`.
 */
export type MediaRedirectDecision = {
  readonly request: ProxyRequest;
  /** The software that asked, see `@headgate/fedi-agents`. */
  readonly family: string;
} & (
  | { readonly outcome: 'redirected'; readonly location: string }
  | {
      readonly outcome: 'served';
      readonly reason: Reason;
      readonly status: number;
      /** Bytes of the body, where the answer tells its length. */
      readonly bytes?: number;
    }
);

const decisions = channel('headgate:media-redirect');

/** A media-redirect at work. */
export interface MediaRedirect extends Layer {
  /** Stops checking the CDN. */
  readonly close: () => Promise<void>;
}

/**
 * Makes the layer. Requests that no rule fits pass untouched, as does whatever is not GET or HEAD.
 * Throws a `TypeError` for wrong options.
 */
export function mediaRedirect(
  options: MediaRedirectOptions,
  { hosts = [], now = Date.now }: MediaRedirectParts = {},
): MediaRedirect {
  const settings = toSettings('media-redirect', schema, options);
  const { rules, plume, signed, serveTo, health } = settings;
  const siteHosts = hosts.map(hostOf);
  const [wrong] = rulesTo(siteHosts, rules);
  if (wrong) throw new TypeError(`media-redirect: rules.${wrong.index}.${wrong.name}: ${OWN_HOST}`);

  const isAlike =
    plume === 'redirect' &&
    signed === 'redirect' &&
    serveTo.length === 0 &&
    !settings.originPull.expected &&
    !health;
  const { redirect, pulled, foreign, chosen } = answers(settings, isAlike, choiceFields(settings));
  const route = router(settings);
  const { isPull, withoutSecret } = originPull(settings);
  const whyServed = exceptions(settings);
  const known = { health, hosts: new Set([...siteHosts, ...ownHosts(settings)]), now };
  const cdns = new Map<string, Cdn>();
  const upstreams = new Map<string, Elsewhere>();
  for (const { to, serve } of rules) {
    const host = hostOf(new URL(to).host);
    if (!cdns.has(host)) cdns.set(host, cdnCheck({ base: to, ...known }));
    if (serve && !upstreams.has(serve)) upstreams.set(serve, elsewhere(serve));
  }

  const middleware: Middleware = async (received, next) => {
    const request = withoutSecret(received);
    const { match, isPulled } = route(request);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || !(match || isPulled)) return next(request);
    if (!match) return pulled(await next(request));

    const agent = classify(request);
    const decided = { request, family: agent.family };
    const isFileByPath = classify({ ...request, headers: {} }).purpose === 'media';
    const vary = isFileByPath ? [] : ['Accept'];
    const { location, reason } = await decide(received, match, agent);
    if (location !== undefined) {
      tell({ ...decided, outcome: 'redirected', location });
      return redirect(match.rule.status, location, vary);
    }
    const served = await serve(request, match, reason, next);
    const response = reason === 'origin-pull' ? pulled(served) : chosen(served, vary);
    tell({ ...decided, outcome: 'served', reason, ...sizeOf(response) });
    return response;
  };

  /** Where to redirect, or why to serve. */
  async function decide(
    request: ProxyRequest,
    match: Match,
    agent: Classification,
  ): Promise<{ location: string; reason?: never } | { location?: never; reason: Reason }> {
    const { location, rest, cdnHost } = match;
    if (isPull(request)) return { reason: 'origin-pull' };
    if (location === undefined) return { reason: 'target' };
    const exception = whyServed(request, match, agent);
    if (exception) return { reason: exception };
    const cdn = cdns.get(cdnHost);
    if (isCheck(rest)) {
      cdn?.cameBack(rest);
      return { location };
    }
    const trouble = await cdn?.trouble(hostOf(field(request.headers, 'host') ?? ''));
    return trouble ? { reason: trouble } : { location };
  }

  /** The bytes themselves, from whoever has them. */
  async function serve(
    request: ProxyRequest,
    { rule, rest, location, cdnHost }: Match,
    reason: Reason,
    next: Handler,
  ): Promise<ProxyResponse> {
    // Not from the application, which may answer what it doesn't know with a redirect to its own pages.
    if (reason === 'origin-pull' && isCheck(rest)) return NOT_FOUND;
    const other = rule.serve && upstreams.get(rule.serve);
    if (!other || location === undefined || reason === 'activitypub') return next(request);
    // A CDN that is asked for what it asks for here would ask for it again.
    if (reason === 'origin-pull' && other.host === cdnHost) return next(request);
    return foreign(await other.serve(request, rest));
  }

  return {
    middleware,
    close: async () => {
      for (const part of [...cdns.values(), ...upstreams.values()]) part.close();
    },
  };
}

const NOT_FOUND: ProxyResponse = { status: 404, headers: withFields({}, {}), body: EMPTY };

function tell(decision: MediaRedirectDecision): void {
  if (decisions.hasSubscribers) decisions.publish(decision);
}

/** What is told of an answer: its status, and its size where that is known. */
function sizeOf({ status, headers, body }: ProxyResponse): { status: number; bytes?: number } {
  if (body instanceof Buffer) return { status, bytes: body.length };
  const length = field(headers, 'content-length');
  return length === undefined ? { status } : { status, bytes: Number(length) };
}
