/** Makes metrics in one Registry and listens to channels, and takes all of it back at once. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Counter, Gauge, type Metric, type Registry } from 'prom-client';
import { Distribution } from './distribution.ts';
import { type Labels, series } from './series.ts';

/** What a metric is made of. `read` is called for each scrape, before the values are. */
type Wanted<Metric, Label extends string> = [
  name: string,
  help: string,
  labelNames: readonly Label[],
  read?: (metric: Metric) => void | Promise<void>,
];

/** A number that grows. */
export interface Count<Label extends string> {
  /** Adds a finite number that isn't negative, by default 1. */
  inc(labels: Labels<Label>, value?: number): void;
}

/** What the parts of this package make their metrics with. */
export interface Meters {
  counter<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
  ): Count<Label>;
  /** A counter that somebody else counts: `read` is asked for its value. */
  counterOf(name: string, help: string, read: () => number): void;
  gauge<Label extends string>(...wanted: Wanted<Gauge<Label>, Label>): Gauge<Label>;
  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    bounds: readonly number[],
  ): Pick<Distribution<Label>, 'observe'>;
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
    // prom-client is told when somebody asks: each of its own counts takes a microsecond.
    counter: (name, help, labelNames) => {
      const sums = series(labelNames, () => ({ sum: 0 }));
      const made: Counter = new Counter({
        ...described(name, help, labelNames),
        collect: () => {
          empty();
          for (const { labels, count } of sums.all()) made.inc(labels, count.sum);
        },
      });
      const empty = made.reset.bind(made);
      made.reset = () => {
        sums.clear();
        empty();
      };
      return {
        inc: (labels, value = 1) => {
          sums.of(labels).sum += value;
        },
      };
    },
    counterOf: (name, help, read) => {
      new Counter({
        ...described(name, help, []),
        collect() {
          this.reset();
          this.inc(read());
        },
      });
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
    histogram: <Label extends string>(
      name: string,
      help: string,
      labelNames: readonly Label[],
      bounds: readonly number[],
    ) => {
      const made = new Distribution(name, help, labelNames, bounds);
      register.registerMetric(made as unknown as Metric<Label>);
      names.push(name);
      return made;
    },
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
