export { type Address, toAddress, toUrl } from './address.ts';
export { type Gate, type GateSettings, gate } from './gate.ts';
export { type Listener, listen } from './listeners.ts';
