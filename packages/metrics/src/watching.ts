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

/** A certificate in use. */
export interface CertificateInUse {
  /** A name of it that is configured. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/** What may be watched. */
export interface Watched {
  readonly servers?: readonly Pick<Server, 'getConnections'>[];
  readonly store?: Fullness;
  /** Asked for each scrape: after a renewal it gives others. */
  readonly certificates?: () => Iterable<CertificateInUse>;
}

/** Makes a gauge for everything that there is. */
export function watch({ counter, gauge }: Meters, { servers, store, certificates }: Watched): void {
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
    counter(
      'headgate_store_evictions_total',
      'Entries that had to go for others.',
      [],
      (counter) => {
        counter.reset();
        counter.inc(store.evictions);
      },
    );
  }
  if (certificates)
    gauge(
      'headgate_certificate_expiry_timestamp_seconds',
      'When a certificate in use expires, in seconds since the epoch.',
      ['name'],
      (gauge) => {
        gauge.reset();
        for (const { name, expires } of certificates()) gauge.set({ name }, expires / 1000);
      },
    );
}
