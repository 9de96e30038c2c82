/** The daemon's metrics. */
import { type Audience, type Instruments, instrument, processRegistry } from '@headgate/metrics';

/** Metrics at work. */
export interface Counting extends Pick<Instruments, 'layer' | 'tunnel' | 'finished'> {
  readonly watch: Instruments['watch'];
  readonly reloaded: Instruments['reloaded'];
  /** The metrics in Prometheus' text format. */
  readonly text: () => Promise<string>;
}

/** Begins to count. */
export function counting(audience: Audience): Counting {
  const register = processRegistry();
  return { ...instrument(register, { audience }), text: () => register.metrics() };
}
