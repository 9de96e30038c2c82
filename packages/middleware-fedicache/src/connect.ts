/** fedicache in Express, Connect and Fastify. */
import { type ConnectMiddleware, type ConnectOptions, toConnect } from '@headgate/core/connect';
import { type Fedicache, type FedicacheParts, fedicache as layer } from './fedicache.ts';
import type { FedicacheOptions } from './options.ts';

/** `app.use(fedicache())`. What a guest's `next` can't do is said at `toConnect`. */
export function fedicache(
  options?: FedicacheOptions,
  parts: FedicacheParts & ConnectOptions = {},
): ConnectMiddleware & Omit<Fedicache, 'middleware'> {
  const { middleware, ...rest } = layer(options, parts);
  return Object.assign(toConnect(middleware, parts), rest);
}
