/** What the admin server tells: whether all is well, what is in force, how things are. */
import type { MemoryStore } from '@headgate/store';
import type { Loaded } from '../config/load.ts';
import { jsonAnswer, pageAnswer } from '../statistics/answers.ts';
import type { Report } from '../statistics/site-statistics.ts';
import { VERSION } from '../version.ts';
import { answer, text } from './answer.ts';
import { isReady, type Reach, reach } from './reachable.ts';
import type { Routes } from './routes.ts';
import { withoutSecrets } from './without-secrets.ts';

/** The configuration in force, and what became of the attempts to replace it. */
export interface InForce extends Required<Pick<Loaded, 'config' | 'expanded'>> {
  readonly file?: string;
  readonly since: Date;
  /** What was wrong at the last reload; nothing when it went well. */
  readonly problems: readonly string[];
}

/** What there is to tell. */
export interface Readable {
  readonly inForce: () => InForce;
  /** True as soon as it stops: what is under way ends, and nothing new should be sent here. */
  readonly isStopping?: () => boolean;
  readonly store: Pick<MemoryStore, 'size' | 'bytes' | 'maxBytes'>;
  /** The metrics in Prometheus' text format. */
  readonly metrics?: () => Promise<string>;
  /** What is known of each site. */
  readonly reports: () => readonly Report[];
}

/** What anybody may read who gets to it: health, readiness, metrics. */
export function probes({ inForce, isStopping = () => false, metrics }: Readable): Routes {
  const look = together(() => reach(inForce().config));
  return {
    '/healthz': { read: async () => text(200, 'healthy\n') },
    '/readyz': {
      read: async () => {
        if (isStopping()) return text(503, 'it stops\n');
        const reaches = await look();
        if (isReady(reaches)) return text(200, 'ready\n');
        const missing = reaches.filter((each) => !isReady([each])).map(({ site }) => site);
        return text(503, `the upstream can't be reached: ${[...new Set(missing)].join(', ')}\n`);
      },
    },
    ...(metrics && {
      '/metrics': { read: async () => text(200, await metrics(), 'text/plain; version=0.0.4') },
    }),
  };
}

/** What an administrator reads besides. */
export function readings({ inForce, isStopping = () => false, store, reports }: Readable): Routes {
  const started = Date.now();
  const look = together(() => reach(inForce().config));
  const caching = 'no-store';
  return {
    '/statistics': {
      read: async () => pageAnswer(reports(), { json: '/statistics.json', caching }),
    },
    '/statistics.json': { read: async () => jsonAnswer(reports(), caching) },
    '/config': { read: async () => answer(200, withoutSecrets(inForce().expanded)) },
    '/status': {
      read: async () => {
        const { config, file = null, since, problems } = inForce();
        const reaches = await look();
        const { size: entries, bytes, maxBytes } = store;
        return answer(200, {
          version: VERSION,
          node: process.version,
          pid: process.pid,
          uptime: Math.round((Date.now() - started) / 1000),
          memory: process.memoryUsage.rss(),
          configuration: { file, since, problems },
          ready: isReady(reaches) && !isStopping(),
          sites: config.sites.map(({ name, hosts, chain }) => ({
            name,
            hosts,
            upstreams: reaches.filter(({ site }) => site === name).flatMap(toReport),
            middleware: chain.map(({ plugin }) => plugin.name),
          })),
          store: { entries, bytes, maxBytes },
        });
      },
    },
  };
}

function toReport({ addresses }: Reach) {
  return addresses.map(({ url, isReachable }) => ({ url, reachable: isReachable }));
}

/** Does the work once for all who ask while it is done: nobody can have us knock without end. */
function together<T>(work: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | undefined;
  return () => {
    underWay ??= work().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}
