export type { CdnChange } from './cdn-check.ts';
export type { Reason } from './exceptions.ts';
export {
  type MediaRedirect,
  type MediaRedirectDecision,
  type MediaRedirectParts,
  mediaRedirect,
} from './media-redirect.ts';
export type { MediaRedirectOptions } from './options.ts';
export { plugin } from './plugin.ts';
