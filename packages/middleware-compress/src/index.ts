export { codingFor } from './coding-for.ts';
export { compress } from './compress.ts';
export type { CompressOptions } from './options.ts';
export { plugin } from './plugin.ts';
