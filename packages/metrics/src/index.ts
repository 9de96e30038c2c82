export {
  exposition,
  type InstrumentParts,
  type Instruments,
  instrument,
  processRegistry,
} from './instrument.ts';
export type { RequestMeters } from './requests.ts';
export type { CertificateInUse, Fullness, Watched } from './watching.ts';
