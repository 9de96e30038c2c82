/** The daemon from start to stop. */
import { memoryStore } from '@headgate/store';
import type { Logger } from 'pino';
import type { Acme } from './acme/acme.ts';
import { type Place, toUrl } from './address.ts';
import { openAdmin } from './admin/admin.ts';
import type { InForce } from './admin/readings.ts';
import { type Audience, audience } from './audience.ts';
import { cdnLog } from './cdn-log.ts';
import type { Config } from './config/configure.ts';
import { type Loaded, type Loading, load } from './config/load.ts';
import type { AcmeSettings } from './config/read-acme.ts';
import type { Counting } from './counting.ts';
import { onCrash } from './crash.ts';
import { openDoors } from './doors.ts';
import { gate } from './gate.ts';
import { type Logging, logging } from './logging.ts';
import { collectYoungBuffers } from './memory.ts';
import { reloading } from './reloading.ts';
import { senders } from './sender.ts';
import { openStatistics } from './statistics/statistics.ts';
import { certificateLog } from './tls/certificate-log.ts';

/** Milliseconds that requests under way have to finish when the daemon is asked to stop. */
const DRAIN = 10_000;

/** Milliseconds that the admin server has then to finish. */
const LAST_WORDS = 1_000;

/** The configuration to start with, and what is odd about it. */
type Started = Pick<InForce, 'config' | 'expanded' | 'file'> & Pick<Loaded, 'warnings'>;

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

/**
 * Runs the daemon until it is sent SIGTERM or SIGINT; SIGHUP loads its configuration again, SIGUSR1
 * opens its log anew. What a person should read first goes to standard error. Rejects with a `TypeError`
 * for a wrong configuration and with Node's error when it can't listen.
 */
export async function run(loading: Loading) {
  collectYoungBuffers();
  const { config, expanded, problems, warnings, file } = await load(loading);
  if (!config || !expanded) throw new TypeError(problems.join('\n'));
  const logs = await logging(config.log);
  process.on('SIGUSR1', logs.reopen); // also where there is no file: Node's own answer is a debugger
  try {
    await serve(
      { config, expanded, ...(warnings && { warnings }), ...(file !== undefined && { file }) },
      loading,
      logs,
    );
  } finally {
    await logs.close();
  }
}

/** What `run` does between the first and the last line of the log. */
async function serve(
  { warnings = [], ...started }: Started,
  loading: Loading,
  { log, finished }: Logging,
): Promise<void> {
  const { config, file } = started;
  const warn = (message: string) => log.warn(message);
  for (const warning of warnings) warn(warning);
  const stopCdnLog = cdnLog(log);
  const stopCertificateLog = certificateLog(log);
  const store = memoryStore();
  const senderOf = senders();
  const asked = audience(config, senderOf);
  const counted = config.admin || config.metrics ? await count(asked.of) : undefined;
  const statistics = await openStatistics(config, { log, senderOf });
  const authority = config.tls?.acme && (await openAuthority(config.tls.acme, log));
  const opened = await gate(config, {
    finished: (exchange) => {
      finished(exchange);
      counted?.finished(exchange);
      statistics.finished(exchange);
    },
    warn,
    store,
    ...(authority && { authority }),
    ...(counted && { measure: counted }),
    front: statistics.layer,
  });
  const doors = await openDoors(config.listen, opened.server, loading.environment);
  const servers = doors.map(({ server }) => server);
  authority?.begin();
  counted?.watch({ servers, store, upstreams: opened.upstreams });
  counted?.reloaded(true);
  const {
    inForce,
    again: reload,
    stop: stopReloading,
  } = reloading(
    async (next) => {
      await opened.reload(next);
      statistics.follow(next);
      asked.follow(next);
    },
    loading,
    started,
    { log, ...(counted && { reloaded: counted.reloaded }) },
  );
  const { purge, warm } = opened;
  let isStopping = false;
  const { reports } = statistics;
  const stopping = { isStopping: () => isStopping };
  const parts = { inForce, store, purge, warm, reload, log, reports, ...stopping };
  const admin = await openAdmin({ ...parts, ...(counted && { metrics: counted.text }) });
  process.stderr.write(
    greeting(
      doors.map(({ url }) => url),
      config,
      { file, metrics: admin.metrics },
    ),
  );

  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    onCrash(log, DRAIN, () => resolve('crash'));
  });
  isStopping = true;
  stopReloading();
  log.info({ signal, drain: DRAIN }, 'stopping: no new connections, waiting for those under way');
  await authority?.stop();
  await Promise.all(doors.map(({ stop }) => stop(DRAIN)));
  await admin.stop(LAST_WORDS);
  await opened.close();
  await statistics.close();
  stopCdnLog();
  stopCertificateLog();
  log.info('stopped');
}

/** Where certificates are ordered. Loaded only where some are. */
async function openAuthority(settings: AcmeSettings, log: Logger): Promise<Acme> {
  const { acme } = await import('./acme/acme.ts');
  return acme({ ...settings, log });
}

/** Begins to count. Loaded where somebody can ask only: it is several MB. */
async function count(audience: Audience['of']): Promise<Counting> {
  const { counting } = await import('./counting.ts');
  return counting(audience);
}

function greeting(
  urls: readonly string[],
  config: Config,
  { file, metrics }: { readonly file: string | undefined; readonly metrics: Place | undefined },
): string {
  const { sites } = config;
  const fronts = sites.map(({ name, upstream, routes }) => {
    const to = upstream?.to.join(', ') ?? routes.map(({ path }) => path).join(', ');
    return sites.length > 1 ? `${name} (${to})` : to;
  });
  return `Headgate stands in front of ${fronts.join(', ')}${file ? `, as ${file} says` : ''}.

  Look:  ${urls.join(', ')}
  Try:   curl -i ${fetcherFields(config)} -A '${MASTODON}' ${urls.find((url) => url.startsWith('http')) ?? urls[0]}/
         That is what a fediverse server sees of your front page: its head, from memory the second time.
${metrics && 'port' in metrics ? `  Metrics: ${toUrl(metrics)}/metrics\n` : ''}
`;
}

/** What a fetcher says, as curl takes it: the name of a site, and https where a proxy here tells so. */
function fetcherFields({ sites, trusted, scheme }: Config): string {
  const [name] = sites.flatMap(({ hosts }) => hosts).filter((host) => !host.includes('*'));
  const isTold = scheme === undefined && trusted.proxies.includes('loopback');
  return [
    ...(name ? [`Host: ${name}`] : []),
    ...(isTold ? ['X-Forwarded-Proto: https'] : []),
    'Accept: text/html',
  ]
    .map((line) => `-H '${line}'`)
    .join(' ');
}
