/** Where log lines go, and in which form. */
import { once } from 'node:events';
import { isatty } from 'node:tty';
import type { Finished } from '@headgate/core';
import { type Logger, pino } from 'pino';
import sonicBoom from 'sonic-boom';
import { type AccessLogOptions, accessLog } from './access-log.ts';
import { combinedLog } from './combined-log.ts';
import { upstreamTimes } from './upstream-times.ts';

/** What may be set. */
export interface LogSettings extends Pick<AccessLogOptions, 'query' | 'client'> {
  /**
   * `json`, one record a line; `pretty`, for reading; `combined`, for what reads web servers' logs:
   * then the daemon's own messages go to standard error. Default `pretty` on a terminal, else `json`.
   */
  readonly format?: 'json' | 'pretty' | 'combined' | undefined;
  /** Path of the file that lines are added to. Default standard output. */
  readonly file?: string | undefined;
}

/** A log at work. */
export interface Logging {
  /** For the daemon's own messages. */
  readonly log: Logger;
  /** Logs an exchange. */
  readonly finished: (exchange: Finished) => void;
  /** Opens the file anew, after it was moved away; does nothing where there is none. */
  readonly reopen: () => void;
  /** Lets go, when what was logged is written. */
  readonly close: () => Promise<void>;
}

const STDOUT = 1;
const STDERR = 2;

/** Milliseconds for which lines gather, and the characters that are enough before. */
const GATHERING = 100;
const ENOUGH = 64 * 1024;

/** Bytes that wait for a slow disk or reader; what is more is dropped: serving comes first. */
const MAX_WAITING = 16 * 1024 * 1024;

/** Starts to log. Rejects with a `TypeError` when the file can't be opened. */
export async function logging({
  file,
  query,
  client,
  ...settings
}: LogSettings = {}): Promise<Logging> {
  const isTerminal = file === undefined && isatty(STDOUT);
  const { format = isTerminal ? 'pretty' : 'json' } = settings;
  const lines = await open(file ?? STDOUT, isTerminal);
  let isClosed = false;
  let gathered = '';
  let gathering: NodeJS.Timeout | undefined;
  const handOver = () => {
    clearTimeout(gathering);
    gathering = undefined;
    if (gathered !== '') lines.write(gathered);
    gathered = '';
  };
  const add = (line: string) => {
    if (isClosed) return;
    gathered += line;
    if (isTerminal || gathered.length >= ENOUGH) handOver();
    else gathering ??= setTimeout(handOver, GATHERING).unref();
  };
  const times = upstreamTimes();
  const options = {
    ...(query !== undefined && { query }),
    ...(client !== undefined && { client }),
    upstreamTime: times.take,
  };

  const isCombined = format === 'combined';
  const write = format === 'pretty' ? await prettified(add, isTerminal) : add;
  const log = pino(
    { base: null },
    isCombined ? pino.destination({ dest: STDERR, sync: true }) : { write },
  );
  return {
    log,
    finished: isCombined ? combinedLog(write, options) : accessLog(write, options),
    reopen: () => {
      handOver();
      if (file !== undefined) lines.reopen();
    },
    close: async () => {
      isClosed = true;
      handOver();
      times.close();
      lines.end();
      // What can't be written is lost: to wait for it would be for ever.
      await once(lines, 'close').catch(() => lines.destroy());
    },
  };
}

async function open(dest: string | number, isTerminal: boolean) {
  const lines = new sonicBoom.SonicBoom({
    dest,
    sync: isTerminal,
    maxLength: MAX_WAITING,
    mode: 0o640,
  });
  await once(lines, 'ready').catch((cause: Error) => {
    throw new TypeError(`log.file must be a file that can be written: ${cause.message}`);
  });
  // A full disk must not end the daemon. Said once, and again after it was well in between.
  let isBroken = false;
  lines.on('write', () => {
    isBroken = false;
  });
  lines.on('error', ({ message }: Error) => {
    if (!isBroken) process.stderr.write(`headgate: lines can't be logged: ${message}\n`);
    isBroken = true;
  });
  return lines;
}

async function prettified(write: (line: string) => void, colorize: boolean) {
  const { prettyFactory } = await import('pino-pretty'); // several MB that a daemon doesn't need
  const pretty = prettyFactory({
    colorize,
    singleLine: true,
    errorLikeObjectKeys: ['err'], // else our `error` gets lines of its own
    translateTime: 'HH:MM:ss',
    ignore: 'id,method,host,path,query,protocol,status,ms',
    messageFormat: ({ method, host, path, query, status, ms, msg }) => {
      if (status === undefined) return `${msg}`;
      return `${status} ${method} ${host ?? ''}${path}${query ? `?${query}` : ''} ${ms} ms`;
    },
  });
  return (line: string) => write(pretty(line));
}
