/** media-redirect in Express, Connect and Fastify's onRequest hook. */
import { type ConnectMiddleware, type ConnectOptions, toConnect } from '@headgate/core/connect';
import {
  mediaRedirect as layer,
  type MediaRedirect,
  type MediaRedirectParts,
} from './media-redirect.ts';
import type { MediaRedirectOptions } from './options.ts';

/** `app.use(mediaRedirect({ rules }))`. What a guest's `next` can't do is said at `toConnect`. */
export function mediaRedirect(
  options: MediaRedirectOptions,
  parts: MediaRedirectParts & ConnectOptions = {},
): ConnectMiddleware & Omit<MediaRedirect, 'middleware'> {
  const { middleware, ...rest } = layer(options, parts);
  return Object.assign(toConnect(middleware, parts), rest);
}
