/** Where a route leads: the application, another place, or a plain answer. */
import { compose, EMPTY, type Handler, type ProxyResponse, withFields } from '@headgate/core';
import type { Tunnel } from '@headgate/core/upgrade';
import type { SiteConfig } from './config/configure.ts';
import type { RouteSettings, SiteSettings, UpstreamSettings } from './config/site-schema.ts';
import { files } from './files.ts';
import { withResponseFields } from './response-fields.ts';
import { redirectTo, routeTable } from './routes.ts';
import { type UpstreamAddress, type UpstreamGroup, upstreamGroup } from './upstream-group.ts';

const REASONS = { 403: 'Forbidden', 404: 'Not Found', 410: 'Gone' };

/** What answers a request, and what is allowed to it. */
export interface Target {
  readonly handler: Handler;
  /** Carries its WebSockets, where there can be any. */
  readonly tunnel?: Tunnel;
  /** Bytes. */
  readonly bodyLimit?: number;
}

/** The targets of a site. */
export interface Targets {
  readonly of: (url: string) => Target;
  readonly addresses: () => readonly UpstreamAddress[];
  /** Lets go of all connections. */
  close(): void;
}

/** What a route takes over from its site. */
interface Shared {
  readonly upstream: UpstreamSettings | undefined;
  readonly headers: SiteSettings['headers'];
  readonly timeouts: SiteSettings['timeouts'];
  readonly bodyLimit: number | undefined;
}

/** Makes the targets of a site. */
export function targetsOf(site: SiteConfig): Targets {
  const groups = new Map<UpstreamSettings, UpstreamGroup>();
  const groupOf = (upstream: UpstreamSettings) => {
    const group = groups.get(upstream) ?? upstreamGroup(upstream);
    groups.set(upstream, group);
    return group;
  };
  const toTarget = (shared: Shared, route?: RouteSettings): Target => {
    const { upstream, headers, timeouts, bodyLimit } = shared;
    const answered = route && ownAnswer(route);
    const asked = answered || !upstream ? undefined : groupOf(upstream).within(timeouts);
    const layers = route?.files === undefined ? [] : [files(route.files)];
    const handler = compose(layers, answered ?? asked?.handler ?? answer(404));
    return {
      handler: withResponseFields({ headers, hsts: site.hsts }, handler),
      ...(asked && { tunnel: asked.tunnel }),
      ...(bodyLimit !== undefined && { bodyLimit }),
    };
  };

  const { upstream, headers, timeouts, bodyLimit } = site;
  const own = toTarget({ upstream, headers, timeouts, bodyLimit });
  const routes = site.routes.map((route) => {
    const shared = {
      upstream: route.upstream ?? upstream,
      headers: { ...inLowerCase(headers), ...inLowerCase(route.headers) },
      timeouts: { ...timeouts, ...route.timeouts },
      bodyLimit: route.bodyLimit ?? bodyLimit,
    };
    return { path: route.path, target: toTarget(shared, route) };
  });
  const find = routeTable(routes);
  return {
    of: (url) => find(url)?.target ?? own,
    addresses: () => Array.from(groups.values(), (group) => group.addresses()).flat(),
    close: () => {
      for (const group of groups.values()) group.close();
    },
  };
}

/** The answer of a route that asks no application. */
function ownAnswer({ path, redirect, status }: RouteSettings): Handler | undefined {
  if (status !== undefined) return answer(status);
  if (redirect === undefined) return undefined;
  return async ({ method, url }) => {
    const isSafe = method === 'GET' || method === 'HEAD'; // others keep their method by 308 alone
    const headers = withFields({}, { location: redirectTo(redirect, path, url) });
    return { status: isSafe ? 301 : 308, headers, body: EMPTY };
  };
}

function answer(status: keyof typeof REASONS): Handler {
  return async (): Promise<ProxyResponse> => ({
    status,
    headers: withFields({}, { 'content-type': 'text/plain; charset=utf-8' }),
    body: Buffer.from(`${status} ${REASONS[status]}\n`),
  });
}

function inLowerCase<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
