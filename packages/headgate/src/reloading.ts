/** The configuration, loaded again while the daemon runs. */
import { unwatchFile, watchFile } from 'node:fs';
import type { Logger } from 'pino';
import type { InForce } from './admin/readings.ts';
import type { Config } from './config/configure.ts';
import { type Loaded, type Loading, load } from './config/load.ts';

/** Milliseconds between two looks at a file that is watched. */
const LOOK = 1_000;

/**
 * Reloads when it is asked to, on SIGHUP, and when the file changes if it is watched. `reload` puts a
 * configuration in force, or rejects and changes nothing.
 */
export function reloading(
  reload: (config: Config) => Promise<void>,
  loading: Loading,
  started: Pick<InForce, 'config' | 'expanded' | 'file'>,
  { log, reloaded }: { readonly log: Logger; readonly reloaded?: (isTaken: boolean) => void },
) {
  const { file } = started;
  const asked = placesOf(started.config);
  let inForce: InForce = { ...started, since: new Date(), problems: [] };
  let isWatched = false;
  let isStopped = false;
  const watch = ({ watch: isWanted }: Config) => {
    if (file === undefined || isStopped || isWanted === isWatched) return;
    if (isWanted) watchFile(file, { interval: LOOK }, again);
    else unwatchFile(file, again);
    isWatched = isWanted;
  };
  const once = async (): Promise<readonly string[]> => {
    const { config, expanded, problems, warnings = [] }: Loaded = await load(loading);
    if (!config || !expanded) return problems;
    await reload(config);
    inForce = { ...inForce, config, expanded, since: new Date() };
    watch(config);
    for (const warning of warnings) log.warn(warning);
    if (placesOf(config) !== asked)
      log.warn(
        'listen, tls.minVersion, tls.acme, state, admin.listen, metrics or log has changed: that needs a restart',
      );
    log.info({ sites: config.sites.map(({ name }) => name) }, 'reloaded');
    return [];
  };
  let last: Promise<readonly string[]> = Promise.resolve([]);
  /** Resolves to what keeps the configuration before in force. */
  const again = () => {
    last = last.then(async () => {
      const problems = await once().catch((error: Error) => [error.message]);
      inForce = { ...inForce, problems };
      reloaded?.(problems.length === 0);
      if (problems.length > 0)
        log.error({ problems }, 'not reloaded: the configuration before stays');
      return problems;
    });
    return last;
  };
  process.on('SIGHUP', again);
  watch(started.config);
  return {
    again,
    inForce: () => inForce,
    stop: () => {
      isStopped = true; // one that is under way still ends
      process.off('SIGHUP', again);
      process.on('SIGHUP', () => {}); // else it would end the process at once
      if (file !== undefined) unwatchFile(file, again);
    },
  };
}

/** What can't be changed while it runs. */
function placesOf({ listen, tls, admin, metrics, state, log }: Config): string {
  const acme = tls?.acme && { ...tls.acme, names: undefined }; // those can be changed
  return JSON.stringify([listen, tls?.minVersion, acme, admin?.listen, metrics, state, log]);
}
