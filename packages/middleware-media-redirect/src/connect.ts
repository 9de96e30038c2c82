/** media-redirect in Express, Connect and Fastify's onRequest hook. */
import { type ConnectMiddleware, type ConnectOptions, toConnect } from '@headgate/core/connect';
import { mediaRedirect as layer, type MediaRedirectParts } from './media-redirect.ts';
import type { MediaRedirectOptions } from './options.ts';

/** `app.use(mediaRedirect({ rules }))`. What a guest's `next` can't do is said at `toConnect`. */
export function mediaRedirect(
  options: MediaRedirectOptions,
  parts?: MediaRedirectParts,
  host?: ConnectOptions,
): ConnectMiddleware {
  return toConnect(layer(options, parts).middleware, host);
}
