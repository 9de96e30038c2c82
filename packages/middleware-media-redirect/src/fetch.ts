/** media-redirect in Hono and other fetch-style servers. */
import { type FetchMiddleware, type FetchOptions, toFetch } from '@headgate/core/fetch';
import { mediaRedirect as layer, type MediaRedirectParts } from './media-redirect.ts';
import type { MediaRedirectOptions } from './options.ts';

/** Called with a request and the function that asks the application, see `toFetch`. */
export function mediaRedirect(
  options: MediaRedirectOptions,
  parts?: MediaRedirectParts,
  host?: FetchOptions,
): FetchMiddleware {
  return toFetch(layer(options, parts).middleware, host);
}
