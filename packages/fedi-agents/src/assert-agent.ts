/** Refuses agents that would silently never match, match too much, or mark metrics with anything. */
import type { Agent } from './agent.ts';

/** Throws a `TypeError` that names the fix when `agent` can't work. */
export function assertAgent({ family, userAgent, fetches = [] }: Agent): void {
  if (!/^[a-z0-9-]+$/.test(family))
    throw wrong('family', 'made of a-z, 0-9 and - only, since it labels metrics', `"${family}"`);
  if (!isAnchored(userAgent.source))
    throw wrong(`userAgent of ${family}`, 'a pattern that begins with ^', `${userAgent}`);

  for (const fetch of fetches) {
    if (fetch.mayTrim && fetch.purpose !== 'preview' && fetch.purpose !== 'link-verification')
      throw wrong(`mayTrim of ${family}`, 'left out for anything but pages', fetch.purpose);
  }
  // Such a pattern remembers where it last matched, and misses every second request.
  for (const pattern of [userAgent, ...fetches.flatMap((fetch) => [fetch.userAgent, fetch.accept])])
    if (pattern instanceof RegExp && (pattern.global || pattern.sticky))
      throw wrong(`pattern of ${family}`, 'without the flags g and y', `${pattern}`);
}

/** True when every alternative at the top level begins with `^`. */
function isAnchored(source: string): boolean {
  let flat = source.replace(/\\./g, '_').replace(/\[[^\]]*\]/g, '_');
  for (let before = ''; before !== flat; ) {
    before = flat;
    flat = flat.replace(/\([^()]*\)/g, '_');
  }
  return flat.split('|').every((alternative) => alternative.startsWith('^'));
}

function wrong(what: string, must: string, got: string): TypeError {
  return new TypeError(`classifier: ${what} must be ${must}, got ${got}`);
}
