/** Which route a target takes. */

/** A path segment of dots, or an encoded slash: what stands behind may read another path in it. */
const AMBIGUOUS = /\/(?:\.|%2e){1,2}(?:\/|$)|%2f|%5c/i;

/**
 * Makes the function that finds the route of a target: the first whose path the target begins with,
 * byte for byte, up to the end of a segment. A target that others could read as another path takes
 * no route.
 */
export function routeTable<T extends { readonly path: string }>(
  routes: readonly T[],
): (target: string) => T | undefined {
  if (routes.length === 0) return () => undefined;
  return (target) => {
    const query = target.indexOf('?');
    const path = query < 0 ? target : target.slice(0, query);
    if (AMBIGUOUS.test(path)) return undefined;
    return routes.find((route) => isBelow(path, route.path));
  };
}

/** Where a redirect leads: what follows the route's path in the target is appended. */
export function redirectTo(location: string, path: string, target: string): string {
  const rest = target.slice(path.length);
  if (rest === '' || rest.startsWith('?')) return location + rest;
  // Exactly one slash between them: none would lengthen a host's name, two would name a host.
  return `${location.replace(/\/+$/, '')}/${rest.replace(/^\/+/, '')}`;
}

function isBelow(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false;
  return path.length === prefix.length || prefix.endsWith('/') || path[prefix.length] === '/';
}
