/** The statistics of a site, at a path of the site itself. */
import { EMPTY, type ProxyRequest, type ProxyResponse, withFields } from '@headgate/core';
import type { Config } from '../config/configure.ts';
import { jsonAnswer, pageAnswer } from './answers.ts';
import type { Report } from './site-statistics.ts';

/** Whatever stands in front may keep it for a minute. */
const CACHING = 'public, max-age=60';

/**
 * Makes the function that answers a request for one of these pages, at its path and at its path with
 * `.json`; it gives nothing for any other request. No pages are listed there, and no names of servers
 * unless the configuration says so: a server is often a person.
 */
export function publicPages(
  { sites }: Pick<Config, 'sites'>,
  report: (site: string) => Report | undefined,
): (request: ProxyRequest) => ProxyResponse | undefined {
  const shown = new Map(sites.map(({ name, statistics }) => [name, statistics]));

  return ({ site, method, url }) => {
    const settings = shown.get(site);
    if (!settings || !url.startsWith(settings.path)) return undefined;
    const { path, servers } = settings;
    const [asked] = url.split('?', 1);
    const json = `${path}.json`;
    const found = asked === path || asked === json ? report(site) : undefined;
    if (!found) return undefined;
    if (method !== 'GET' && method !== 'HEAD')
      return { status: 405, headers: withFields({}, { allow: 'GET, HEAD' }), body: EMPTY };
    const lastHour = { servers: servers ? found.lastHour.servers : [], pages: [] };
    const reports = [{ ...found, lastHour }];
    if (asked === json) return jsonAnswer(reports, CACHING);
    return pageAnswer(reports, { json, caching: CACHING });
  };
}
