/** compress in Express, Connect and Fastify's onRequest hook. */
import { type ConnectMiddleware, type ConnectOptions, toConnect } from '@headgate/core/connect';
import { compress as layer } from './compress.ts';
import type { CompressOptions } from './options.ts';

/** `app.use(compress())`. What a guest's `next` can't do is said at `toConnect`. */
export function compress(options?: CompressOptions, parts: ConnectOptions = {}): ConnectMiddleware {
  return toConnect(layer(options).middleware, parts);
}
