/** Which site a host name belongs to. */

/** Something that is reached under names: `example.org`, `*.example.org`, `*`; none is every name. */
interface Named {
  readonly hosts: readonly string[];
}

/**
 * Makes the function that finds the site of a Host field: the one with this very name, else the one
 * with the longest wildcard that fits, else the one for every name.
 */
export function hostTable<T extends Named>(
  sites: readonly T[],
): (host: string | undefined) => T | undefined {
  const exact = new Map<string, T>();
  const wildcards: { readonly ending: string; readonly site: T }[] = [];
  let every: T | undefined;
  for (const site of sites)
    for (const host of site.hosts.length > 0 ? site.hosts : ['*']) {
      const pattern = host.toLowerCase();
      if (pattern === '*') every = site;
      else if (pattern.startsWith('*.')) wildcards.push({ ending: pattern.slice(1), site });
      else exact.set(pattern, site);
    }
  wildcards.sort((one, other) => other.ending.length - one.ending.length);

  return (host) => {
    const name = toName(host);
    const fits = ({ ending }: { ending: string }) =>
      name.endsWith(ending) && name.length > ending.length;
    return exact.get(name) ?? wildcards.find(fits)?.site ?? every;
  };
}

/** The name in a Host field: no port, no dot at the end, in lower case. */
export function toName(host = ''): string {
  return host.replace(/:\d+$/, '').replace(/\.$/, '').toLowerCase();
}
