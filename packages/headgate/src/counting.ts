/** The daemon's metrics, which are counted only where somebody can ask for them. */
import { type Instruments, instrument, processRegistry } from '@headgate/metrics';
import type { Config } from './config/configure.ts';

/** Metrics at work. */
export interface Counting extends Pick<Instruments, 'layer' | 'tunnel' | 'finished'> {
  readonly watch: Instruments['watch'];
  readonly reloaded: Instruments['reloaded'];
  /** The metrics in Prometheus' text format. */
  readonly text: () => Promise<string>;
}

/** Begins to count, if there is an admin server or a listener for metrics. */
export function counting({ admin, metrics }: Config): Counting | undefined {
  if (!admin && !metrics) return undefined;
  const register = processRegistry();
  return { ...instrument(register), text: () => register.metrics() };
}
