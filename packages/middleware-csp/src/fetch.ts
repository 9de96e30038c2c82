/** csp in Hono and other fetch-style servers. */
import { type FetchMiddleware, type FetchOptions, toFetch } from '@headgate/core/fetch';
import { type CspParts, csp as layer } from './csp.ts';
import type { CspOptions } from './options.ts';

/** Called with a request and the function that asks the application, see `toFetch`. */
export function csp(options?: CspOptions, parts: CspParts & FetchOptions = {}): FetchMiddleware {
  return toFetch(layer(options, parts), parts);
}
