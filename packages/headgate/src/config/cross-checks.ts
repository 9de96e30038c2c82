/** What no part of a configuration shows alone: that its parts don't fit together. */
import type { Fault, Path } from './faults.ts';

type Written = Readonly<Record<string, unknown>>;

/** Where a route may lead. */
const TARGETS = ['upstream', 'files', 'redirect', 'status'];

/** The faults between the parts of `config`, as far as it has the right shape. */
export function crossCheck(config: unknown): Fault[] {
  const sites = mappings(isMapping(config) ? config.sites : undefined);
  const unnamed = sites.flatMap(([{ name, hosts }]) =>
    name === undefined ? [nameFor(hosts)] : [],
  );
  return [
    ...sites.flatMap(([site, index]) => checkSite(site, ['sites', index])),
    ...twice(sites, 'name', ({ name }) => [name], unnamed),
    ...twice(sites, 'hosts', ({ hosts }) => (Array.isArray(hosts) ? hosts : [])),
    ...everyName(sites),
  ];
}

/** What a site without a name is called. */
export function nameFor(hosts: unknown): string {
  const names: unknown[] = Array.isArray(hosts) ? hosts : [];
  return String(names.find((host) => host !== '*') ?? 'default');
}

function checkSite(site: Written, at: Path): Fault[] {
  const { preset, streaming, cdn, cdnPaths, middleware, upstream } = site;
  const routes = mappings(site.routes);
  const faults: Fault[] = [];
  const fault = (path: Path, message: string) => faults.push({ path: [...at, ...path], message });
  if (preset === 'mastodon' && streaming === undefined)
    fault(
      ['streaming'],
      "is missing: the preset mastodon needs Mastodon's streaming server; write streaming: http://127.0.0.1:4000 or set HEADGATE_STREAMING",
    );
  if (preset !== 'mastodon' && streaming !== undefined)
    fault(['streaming'], 'is for the preset mastodon; write a route with an upstream instead');
  if (cdn === undefined && cdnPaths !== undefined)
    fault(['cdnPaths'], 'leads nowhere: write cdn too, the base URL of the CDN');
  if (cdn !== undefined && preset === undefined && cdnPaths === undefined)
    fault(['cdn'], 'is for nothing: write cdnPaths too, the paths that are redirected there');
  if (isAmong(cdn, site.hosts))
    fault(['cdn'], 'is this site itself: whoever is redirected there comes back here');
  if (cdn !== undefined && middleware !== undefined)
    fault(
      ['cdn'],
      'has no effect beside middleware; write media-redirect and csp there, as headgate check --expand shows them',
    );
  if (
    upstream === undefined &&
    !routes.some(([route]) => route.path === '/' && targets(route).length)
  )
    fault(
      ['upstream'],
      'is missing: write where the application is, like upstream: http://127.0.0.1:3000, or set HEADGATE_UPSTREAM',
    );
  for (const [route, index] of routes) {
    const [, second] = targets(route);
    if (second !== undefined)
      fault(
        ['routes', index, second],
        `is one target too many: keep one of ${targets(route).join(', ')}`,
      );
    if (upstream === undefined && targets(route).length === 0)
      fault(['routes', index], `leads nowhere: write one of ${TARGETS.join(', ')}`);
  }
  return faults;
}

/** True for the URL of one of the site's own names. */
function isAmong(cdn: unknown, hosts: unknown): boolean {
  if (typeof cdn !== 'string' || !URL.canParse(cdn) || !Array.isArray(hosts)) return false;
  const { hostname } = new URL(cdn);
  return hosts.some((host) => typeof host === 'string' && host.toLowerCase() === hostname);
}

function targets(route: Written): string[] {
  return TARGETS.filter((name) => route[name] !== undefined);
}

/** A fault for everything that an earlier site has said already, or that is `taken`. */
function twice(
  sites: readonly (readonly [Written, number])[],
  what: string,
  saidBy: (site: Written) => readonly unknown[],
  taken: readonly string[] = [],
): Fault[] {
  const seen = new Set(taken.map((name) => name.toLowerCase()));
  const faults: Fault[] = [];
  for (const [site, index] of sites)
    for (const [position, said] of saidBy(site).entries()) {
      if (typeof said !== 'string' || said === '*') continue;
      const key = said.toLowerCase();
      const path = ['sites', index, what, ...(what === 'hosts' ? [position] : [])];
      if (seen.has(key)) faults.push({ path, message: `"${said}" is another site's already` });
      seen.add(key);
    }
  return faults;
}

/** One site alone can take every name. */
function everyName(sites: readonly (readonly [Written, number])[]): Fault[] {
  return sites
    .filter(([{ hosts }]) => hosts === undefined || (Array.isArray(hosts) && hosts.includes('*')))
    .slice(1)
    .map(([, index]) => ({
      path: ['sites', index, 'hosts'],
      message: 'takes every name, as another site does already; write the names of this one',
    }));
}

/** The mappings in a list, each with its place in it. */
function mappings(list: unknown): (readonly [Written, number])[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item, index) => (isMapping(item) ? [[item, index] as const] : []));
}

function isMapping(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
