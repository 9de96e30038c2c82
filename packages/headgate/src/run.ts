/** The daemon from start to stop. */
import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from 'pino';
import { toUrl } from './address.ts';
import type { Config } from './config/configure.ts';
import { type Loaded, type Loading, load } from './config/load.ts';
import { onCrash } from './crash.ts';
import { type Gate, gate } from './gate.ts';
import { type Listener, listen } from './listeners.ts';
import { logging } from './logging.ts';

/** Milliseconds that requests under way have to finish when the daemon is asked to stop. */
const DRAIN = 10_000;

/** Milliseconds between two looks at a file that is watched. */
const LOOK = 1_000;

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

/**
 * Runs the daemon until it is sent SIGTERM or SIGINT; SIGHUP loads its configuration again, SIGUSR1
 * opens its log anew. What a person should read first goes to standard error. Rejects with a `TypeError` for a wrong configuration and with Node's error when it
 * can't listen.
 */
export async function run(loading: Loading) {
  const { config, problems, file } = await load(loading);
  if (!config) throw new TypeError(problems.join('\n'));
  const { log, finished, reopen, close: closeLog } = await logging(config.log);
  process.on('SIGUSR1', reopen); // also where there is no file: Node's own answer is a debugger
  const warn = (message: string) => log.warn(message);
  const opened = await gate(config, { finished, warn });
  const listeners: Listener[] = [];
  for (const address of config.listen) listeners.push(await listen(opened.server(), address));
  const stopReloading = reloading(opened, loading, { config, file }, log);
  process.stderr.write(greeting(listeners, config, file));

  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    onCrash(log, DRAIN, () => resolve('crash'));
  });
  stopReloading();
  log.info({ signal, drain: DRAIN }, 'stopping: no new connections, waiting for those under way');
  await Promise.all(listeners.map(({ stop }) => stop(DRAIN)));
  await opened.close();
  log.info('stopped');
  await closeLog();
}

/** Reloads on SIGHUP, and when the file changes if it is watched. Returns what ends that. */
function reloading(
  { reload }: Gate,
  loading: Loading,
  started: { readonly config: Config; readonly file: string | undefined },
  log: Logger,
): () => void {
  const { file } = started;
  const asked = JSON.stringify([started.config.listen, started.config.log]);
  let isWatched = false;
  const watch = ({ watch: isWanted }: Config) => {
    if (file === undefined || isWanted === isWatched) return;
    if (isWanted) watchFile(file, { interval: LOOK }, again);
    else unwatchFile(file, again);
    isWatched = isWanted;
  };
  const once = async () => {
    const { config, problems }: Loaded = await load(loading);
    if (!config) return log.error({ problems }, 'not reloaded: the configuration before stays');
    await reload(config);
    watch(config);
    if (JSON.stringify([config.listen, config.log]) !== asked)
      log.warn('listen or log has changed: that needs a restart');
    log.info({ sites: config.sites.map(({ name }) => name) }, 'reloaded');
  };
  let last = Promise.resolve();
  const again = () => {
    last = last.then(once).catch((error: Error) => {
      log.error({ problems: [error.message] }, 'not reloaded: the configuration before stays');
    });
  };
  process.on('SIGHUP', again);
  watch(started.config);
  return () => {
    process.off('SIGHUP', again);
    process.on('SIGHUP', () => {}); // else it would end the process at once
    if (file !== undefined) unwatchFile(file, again);
  };
}

function greeting(
  listeners: readonly Listener[],
  { sites }: Config,
  file: string | undefined,
): string {
  const [url, ...more] = listeners.map(({ address }) => toUrl(address));
  const fronts = sites.map(({ name, upstream, routes }) => {
    const to = upstream?.to.join(', ') ?? routes.map(({ path }) => path).join(', ');
    return sites.length > 1 ? `${name} (${to})` : to;
  });
  return `Headgate stands in front of ${fronts.join(', ')}${file ? `, as ${file} says` : ''}.

  Look:  ${[url, ...more].join(', ')}
  Try:   curl -i -H 'Accept: text/html' -A '${MASTODON}' ${url}/
         That is what a fediverse server sees of your front page: its head, from memory the second time.

`;
}
