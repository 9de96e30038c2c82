/** The daemon from start to stop. */
import { type DestinationStream, pino } from 'pino';
import { accessLog } from './access-log.ts';
import { toAddress, toUrl } from './address.ts';
import { onCrash } from './crash.ts';
import { gate } from './gate.ts';
import { listen } from './listeners.ts';

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

/** Bytes of log lines that wait to be written; when the disk is full, further ones are lost. */
const MAX_LOG_WAITING = 1024 * 1024;

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

/**
 * Runs the daemon until it is sent SIGTERM or SIGINT. Log lines go to standard output (JSON, or
 * readable on a terminal), what a person should read first to standard error. Rejects with a
 * `TypeError` for wrong settings and with Node's error when it can't listen.
 */
export async function run({ upstream, listen: where = '127.0.0.1:8080', trusted }: RunSettings) {
  const log = pino({ base: null }, await destination());
  const { server, close } = await gate({
    upstream,
    finished: accessLog(log),
    ...(trusted && { trusted }),
  });
  const { address, stop } = await listen(server, toAddress(where));
  process.stderr.write(greeting(toUrl(address), upstream));

  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    onCrash(log, DRAIN, () => resolve('crash'));
  });
  log.info({ signal, drain: DRAIN }, 'stopping: no new connections, waiting for those under way');
  await stop(DRAIN);
  await close();
  log.info('stopped');
}

async function destination(): Promise<DestinationStream> {
  if (!process.stdout.isTTY) {
    const log = pino.destination({ dest: 1, sync: false, maxLength: MAX_LOG_WAITING });
    log.on('error', () => {}); // a full disk must not stop the site
    return log;
  }
  const { default: pretty } = await import('pino-pretty'); // several MB that a daemon doesn't need
  return pretty({ sync: true, ignore: 'id', translateTime: 'HH:MM:ss' });
}

function greeting(url: string, upstream: string): string {
  return `Headgate stands in front of ${upstream}.

  Look:  ${url}
  Try:   curl -i -H 'Accept: text/html' -A '${MASTODON}' ${url}/
         That is what a fediverse server sees of your front page: its head, from memory the second time.

`;
}
