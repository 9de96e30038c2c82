/** fedicache in Express, Connect and Fastify's onRequest hook. */
import { type ConnectMiddleware, toConnect } from '@headgate/core/connect';
import { type FedicacheParts, fedicache as layer } from './fedicache.ts';
import type { FedicacheOptions } from './options.ts';

/** `app.use(fedicache())`. What a guest's `next` can't do is said at `toConnect`. */
export function fedicache(options?: FedicacheOptions, parts?: FedicacheParts): ConnectMiddleware {
  return toConnect(layer(options, parts).middleware);
}
