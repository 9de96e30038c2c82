export {
  type InstrumentParts,
  type Instruments,
  instrument,
  processRegistry,
} from './instrument.ts';
export type { Audience, RequestMeters } from './requests.ts';
export type { Fullness, UpstreamInUse, Watched } from './watching.ts';
