/** fedicache in Hono and other fetch-style servers. */
import { type FetchMiddleware, type FetchOptions, toFetch } from '@headgate/core/fetch';
import { type Fedicache, type FedicacheParts, fedicache as layer } from './fedicache.ts';
import type { FedicacheOptions } from './options.ts';

/** Called with a request and the function that asks the application, see `toFetch`. */
export function fedicache(
  options?: FedicacheOptions,
  parts: FedicacheParts & FetchOptions = {},
): FetchMiddleware & Omit<Fedicache, 'middleware'> {
  const { middleware, ...rest } = layer(options, parts);
  return Object.assign(toFetch(middleware, parts), rest);
}
