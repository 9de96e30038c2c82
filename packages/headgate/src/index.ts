export { type Address, toAddress, toUrl } from './address.ts';
export { type Config, toConfig } from './config/configure.ts';
export type { WrittenConfig } from './config/schema.ts';
export type { WrittenSite } from './config/site-schema.ts';
export { type Gate, type GateParts, gate } from './gate.ts';
export { type Listener, listen } from './listeners.ts';
