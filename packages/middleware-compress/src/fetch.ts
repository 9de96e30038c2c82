/** compress in Hono and other fetch-style servers. */
import { type FetchMiddleware, type FetchOptions, toFetch } from '@headgate/core/fetch';
import { compress as layer } from './compress.ts';
import type { CompressOptions } from './options.ts';

/** Called with a request and the function that asks the application, see `toFetch`. */
export function compress(options?: CompressOptions, parts: FetchOptions = {}): FetchMiddleware {
  return toFetch(layer(options).middleware, parts);
}
