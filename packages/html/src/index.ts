export { type Attribute, attribute } from './attribute.ts';
export type { CloseTag, Doubt, OpenTag, ScannerEvents } from './events.ts';
export { type Scanner, type ScannerOptions, scanner } from './scanner.ts';
