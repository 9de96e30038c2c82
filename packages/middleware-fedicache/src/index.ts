export { type FedicacheDecision, type FedicacheParts, fedicache } from './fedicache.ts';
export type { FedicacheOptions } from './options.ts';
export { plugin } from './plugin.ts';
