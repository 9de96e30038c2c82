/** What can be asked of a configuration at work besides requests: to forget, and to fetch beforehand. */
import type { PurgeTarget } from '@headgate/core';
import type { OpenSite } from './site.ts';

/** Looks after what the layers keep. */
export interface Upkeep {
  /**
   * Forgets what is kept of these URLs, and tells how many there were. Rejects with a `TypeError` when
   * they are no site's here.
   */
  purge(what: PurgeTarget): Promise<number>;
  /**
   * Has a URL fetched before anybody asks for it, and tells how many layers did. Rejects with a
   * `TypeError` when it is no site's here, and with the reason when it can't be kept.
   */
  warm(url: string): Promise<number>;
}

/** Makes the upkeep of `sites`; `byHost` finds the one that has a name. */
export function upkeep(
  sites: readonly OpenSite[],
  byHost: (host: string) => OpenSite | undefined,
): Upkeep {
  const siteOf = (host: string) => {
    const site = byHost(host);
    if (!site) throw new TypeError(`no site here is called "${host}"`);
    return site;
  };
  return {
    async purge(what) {
      const meant = 'all' in what ? sites : [siteOf(hostIn(what))];
      const known = canonical(what);
      let count = 0;
      for (const { layers } of meant)
        for (const layer of layers) count += (await layer.purge?.(known)) ?? 0;
      return count;
    },
    async warm(url) {
      const { layers } = siteOf(hostIn({ url }));
      const warmers = layers.flatMap(({ warm }) => warm ?? []);
      await Promise.all(warmers.map((warm) => warm(withKnownOrigin(url))));
      return warmers.length;
    },
  };
}

function hostIn(what: Exclude<PurgeTarget, { all: true }>): string {
  if ('host' in what) return what.host;
  return new URL('url' in what ? what.url : what.prefix).host;
}

/** The same with its host as requests have it. */
function canonical(what: PurgeTarget): PurgeTarget {
  if ('url' in what) return { url: withKnownOrigin(what.url) };
  if ('prefix' in what) return { prefix: withKnownOrigin(what.prefix) };
  return what;
}

/** The URL with scheme and host in lower case and without the scheme's own port; else byte for byte. */
function withKnownOrigin(url: string): string {
  return new URL(url).origin + url.replace(/^[a-z]+:\/\/[^/]*/i, '');
}
