/** csp in Express, Connect and Fastify's onRequest hook. */
import { type ConnectMiddleware, type ConnectOptions, toConnect } from '@headgate/core/connect';
import { type CspParts, csp as layer } from './csp.ts';
import type { CspOptions } from './options.ts';

/** `app.use(csp({ media: ['https://cdn.example'] }))`. What a guest can't do is said at `toConnect`. */
export function csp(
  options?: CspOptions,
  parts: CspParts & ConnectOptions = {},
): ConnectMiddleware {
  return toConnect(layer(options, parts), parts);
}
