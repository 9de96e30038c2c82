export type { Answered, FedicacheEvent, Filled } from './events.ts';
export { type Fedicache, type FedicacheParts, fedicache } from './fedicache.ts';
export type { FedicacheOptions } from './options.ts';
export { plugin } from './plugin.ts';
