export { type Balancer, balancer } from './balance.ts';
export {
  discard,
  EMPTY,
  isEmpty,
  readBody,
  whenOver,
  withBody,
} from './body.ts';
export { type ErrorCode, HeadgateError, STATUS_OF, toHeadgateError } from './errors.ts';
export {
  type Body,
  compose,
  type Finished,
  type Handler,
  type Headers,
  type Middleware,
  type ProxyRequest,
  type ProxyResponse,
} from './exchange.ts';
export { field, fields, toEndToEnd, toHeaders, withFields } from './headers.ts';
export { limit } from './limit.ts';
export { type OptionsSchema, toSettings } from './options.ts';
export type { Layer, MediaHost, Plugin, PurgeTarget, Site } from './plugin.ts';
export { type Quantity, SIZE, TIME } from './quantity.ts';
export type { CacheStore, Keep } from './store.ts';
export type { UpstreamRetry } from './upstream-retry.ts';
export type { UpstreamAnswer } from './upstream-time.ts';
