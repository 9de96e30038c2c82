/** All that can be counted, to compare with what names it. */
import { instrument, processRegistry } from '@headgate/metrics';
import { memoryStore } from '@headgate/store';

/** Every metric that there can be, with its labels. */
export function everything(): Map<string, readonly string[]> {
  const register = processRegistry();
  const metrics = instrument(register, { audience: () => ({ host: '', sender: '' }) });
  metrics.watch({ servers: [], store: memoryStore(), upstreams: () => [] });
  metrics.reloaded(true);
  const made = register.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[];
  const all = new Map(made.map(({ name, labelNames }) => [name, labelNames]));
  metrics.stop();
  return all;
}

/** The metrics that some text names, without what Prometheus puts behind a histogram's name. */
export function namedIn(text: string): Set<string> {
  const names = text.match(/\b(?:headgate|nodejs|process)_\w+/g) ?? [];
  return new Set(names.map((name) => name.replace(/_(?:count|sum|bucket)$/, '')));
}
