/** fedicache in Hono and other fetch-style servers. */
import { type FetchMiddleware, toFetch } from '@headgate/core/fetch';
import { type FedicacheParts, fedicache as layer } from './fedicache.ts';
import type { FedicacheOptions } from './options.ts';

/** Called with a request and the function that asks the application, see `toFetch`. */
export function fedicache(options?: FedicacheOptions, parts?: FedicacheParts): FetchMiddleware {
  return toFetch(layer(options, parts).middleware);
}
