/** Another target for a request of an application that has mounted us somewhere, or rewritten it. */
import { TARGET } from './guard.ts';

/**
 * What `url`, the part of `before` below the mount path, becomes when the whole becomes `after`. Throws a
 * `TypeError` where that can't be told.
 */
export function retargeted(url: string, before: string, after: string): string {
  if (!TARGET.test(after)) throw new TypeError(`the target must be in origin-form, got "${after}"`);
  // Express and Connect cut the mount path off, and put a slash before if nothing is left.
  const isBare = !before.endsWith(url);
  const base = before.slice(0, before.length - url.length + (isBare ? 1 : 0));
  if (base + (isBare ? url.slice(1) : url) !== before) {
    // The application has rewritten it. A query that it left alone can still be changed.
    const [own, was, becomes] = [url, before, after].map(halves) as [Halves, Halves, Halves];
    if (own.query === was.query && was.path === becomes.path) return own.path + becomes.query;
    throw new TypeError('a target that was changed before the middleware cannot be changed again');
  }
  const rest = after.slice(base.length);
  const isBelow = isBare ? /^(\?|$)/.test(rest) : /^([/?]|$)/.test(rest);
  if (!after.startsWith(base) || !isBelow)
    throw new TypeError(`the target must stay at ${base}, where the middleware is mounted`);
  return isBare ? `/${rest}` : rest;
}

/** A target's path, and its query with its `?`. */
interface Halves {
  readonly path: string;
  readonly query: string;
}

function halves(target: string): Halves {
  const mark = target.indexOf('?');
  if (mark < 0) return { path: target, query: '' };
  return { path: target.slice(0, mark), query: target.slice(mark) };
}
