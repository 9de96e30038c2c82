/** Makes metrics in one Registry and listens to channels, and takes all of it back at once. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What a metric is made of. `read` is called for each scrape, before the values are. */
type Wanted<Metric, Label extends string> = [
  name: string,
  help: string,
  labelNames: readonly Label[],
  read?: (metric: Metric) => void | Promise<void>,
];

/** What the parts of this package make their metrics with. */
export interface Meters {
  counter<Label extends string>(...wanted: Wanted<Counter<Label>, Label>): Counter<Label>;
  gauge<Label extends string>(...wanted: Wanted<Gauge<Label>, Label>): Gauge<Label>;
  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    buckets: readonly number[],
  ): Histogram<Label>;
  /**
   * Hears every message on a channel. `hear` must not throw: what a listener throws there ends the
   * process.
   */
  listen<Message>(channel: string, hear: (message: Message) => void): void;
  /** Hears nothing any more, and takes the metrics out of the Registry. */
  stop(): void;
}

/** Makes the meters of a Registry. */
export function meters(register: Registry): Meters {
  const names: string[] = [];
  const ends: (() => void)[] = [];
  const described = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
  ) => {
    names.push(name);
    return { name, help, labelNames, registers: [register] };
  };

  return {
    counter: <Label extends string>(
      ...[name, help, labelNames, read]: Wanted<Counter<Label>, Label>
    ) => {
      const made: Counter<Label> = new Counter({
        ...described(name, help, labelNames),
        ...(read && { collect: () => read(made) }),
      });
      return made;
    },
    gauge: <Label extends string>(
      ...[name, help, labelNames, read]: Wanted<Gauge<Label>, Label>
    ) => {
      const made: Gauge<Label> = new Gauge({
        ...described(name, help, labelNames),
        ...(read && { collect: () => read(made) }),
      });
      return made;
    },
    histogram: (name, help, labelNames, buckets) =>
      new Histogram({ ...described(name, help, labelNames), buckets: [...buckets] }),
    listen: (channel, hear) => {
      const onMessage = (message: unknown) => hear(message as Parameters<typeof hear>[0]);
      subscribe(channel, onMessage);
      ends.push(() => unsubscribe(channel, onMessage));
    },
    stop: () => {
      for (const end of ends.splice(0)) end();
      for (const name of names.splice(0)) register.removeSingleMetric(name);
    },
  };
}
