/** media-redirect in Hono and other fetch-style servers. */
import { type FetchMiddleware, type FetchOptions, toFetch } from '@headgate/core/fetch';
import {
  mediaRedirect as layer,
  type MediaRedirect,
  type MediaRedirectParts,
} from './media-redirect.ts';
import type { MediaRedirectOptions } from './options.ts';

/** Called with a request and the function that asks the application, see `toFetch`. */
export function mediaRedirect(
  options: MediaRedirectOptions,
  parts: MediaRedirectParts & FetchOptions = {},
): FetchMiddleware & Omit<MediaRedirect, 'middleware'> {
  const { middleware, ...rest } = layer(options, parts);
  return Object.assign(toFetch(middleware, parts), rest);
}
