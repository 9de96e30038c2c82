/** The daemon from start to stop. */
import { toAddress, toUrl } from './address.ts';
import { gate } from './gate.ts';
import { listen } from './listeners.ts';
import { logging } from './logging.ts';

/** What `headgate run` was told. */
export interface RunSettings {
  /** URL of the application behind Headgate. */
  readonly upstream: string;
  /** `HOST:PORT`. Default `127.0.0.1:8080`. */
  readonly listen?: string;
  /** Proxies in front whose forwarding fields are believed. Default none. */
  readonly trusted?: readonly string[];
}

/** Milliseconds that requests under way have to finish when the daemon is asked to stop. */
const DRAIN = 10_000;

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

/**
 * Runs the daemon until it is sent SIGTERM or SIGINT. Log lines go to standard output (JSON, or
 * readable on a terminal), what a person should read first to standard error. Rejects with a
 * `TypeError` for wrong settings and with Node's error when it can't listen.
 */
export async function run({ upstream, listen: where = '127.0.0.1:8080', trusted }: RunSettings) {
  const { log, finished, reopen, close: closeLog } = await logging();
  process.on('SIGUSR1', reopen); // also where there is no file: Node's own answer is a debugger
  const { server, close } = await gate({
    upstream,
    finished,
    ...(trusted && { trusted }),
  });
  const { address, stop } = await listen(server, toAddress(where));
  process.stderr.write(greeting(toUrl(address), upstream));

  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  log.info({ signal, drain: DRAIN }, 'stopping: no new connections, waiting for those under way');
  await stop(DRAIN);
  await close();
  log.info('stopped');
  await closeLog();
}

function greeting(url: string, upstream: string): string {
  return `Headgate stands in front of ${upstream}.

  Look:  ${url}
  Try:   curl -i -H 'Accept: text/html' -A '${MASTODON}' ${url}/
         That is what a fediverse server sees of your front page: its head, from memory the second time.

`;
}
