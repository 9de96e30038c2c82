export { type CspParts, csp } from './csp.ts';
export type { CspDoubt, CspEvent, Place } from './events.ts';
export type { CspOptions } from './options.ts';
export { plugin } from './plugin.ts';
