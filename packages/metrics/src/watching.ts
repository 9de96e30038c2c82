/** What is looked up when somebody asks for the metrics, and not before. */
import type { Server } from 'node:net';
import { promisify } from 'node:util';
import type { Meters } from './meters.ts';

/** A store that tells how full it is: the `memoryStore` of `@headgate/store` is one. */
export interface Fullness {
  /** Entries kept. */
  readonly size: number;
  readonly bytes: number;
  readonly maxBytes: number;
  /** Entries that had to go for others since it was made. */
  readonly evictions: number;
}

/** One address of an upstream. */
export interface UpstreamInUse {
  readonly site: string;
  /** As it is configured. */
  readonly url: string;
  /** Whether it answered when it was asked last; absent before that. */
  readonly isHealthy?: boolean;
}

/** What may be watched. */
export interface Watched {
  readonly servers?: readonly Pick<Server, 'getConnections'>[];
  readonly store?: Fullness;
  /** Asked for each scrape: after a reload it gives others. */
  readonly upstreams?: () => Iterable<UpstreamInUse>;
}

/** Makes a gauge for everything that there is. */
export function watch({ counterOf, gauge }: Meters, { servers, store, upstreams }: Watched): void {
  if (servers)
    gauge('headgate_connections_open', "Clients' connections.", [], async (gauge) => {
      const counts = servers.map((server) => promisify(server.getConnections).call(server));
      gauge.set((await Promise.all(counts)).reduce((sum, count) => sum + count, 0));
    });
  if (store) {
    gauge('headgate_store_bytes', 'Bytes kept.', [], (gauge) => gauge.set(store.bytes));
    gauge('headgate_store_max_bytes', 'Bytes that may be kept.', [], (gauge) =>
      gauge.set(store.maxBytes),
    );
    gauge('headgate_store_entries', 'Entries kept.', [], (gauge) => gauge.set(store.size));
    counterOf(
      'headgate_store_evictions_total',
      'Entries that had to go for others.',
      () => store.evictions,
    );
  }
  if (upstreams)
    gauge(
      'headgate_upstream_healthy',
      'Whether an address of an upstream answered when it was asked last.',
      ['site', 'upstream'],
      (gauge) => {
        gauge.reset();
        for (const { site, url, isHealthy } of upstreams())
          if (isHealthy !== undefined) gauge.set({ site, upstream: url }, isHealthy ? 1 : 0);
      },
    );
}
