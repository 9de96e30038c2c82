/** Servers of the fediverse that fetch: each on a connection of its own. */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Peer } from './process.ts';

/** One answer, or what came of it. */
export interface Fetched {
  /** From the connection to the last byte. */
  readonly ms: number;
  /** Of head and body; what TCP and TLS add is not in it. */
  readonly bytes: number;
  /** True for a redirect, and for a 200 with all of its body. */
  readonly isRight: boolean;
  readonly status: number;
}

/** Milliseconds after which a server has lost its patience. */
const TOO_LONG = 60_000;

/** Fetches once, as Mastodon does. */
export function fetchOnce(
  { port, isTls }: Peer,
  path: string,
  accept = 'text/html',
): Promise<Fetched> {
  const began = performance.now();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const ask = () =>
      socket.write(
        `GET ${path} HTTP/1.1\r\nUser-Agent: Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot\r\n` +
          `Accept: ${accept}\r\nAccept-Encoding: gzip\r\nConnection: close\r\nHost: path.example\r\n\r\n`,
      );
    const host = '127.0.0.1';
    const socket: Socket = isTls
      ? connectTls({ port, host, rejectUnauthorized: false, session: undefined }, ask)
      : connect(port, host, ask);
    socket.setTimeout(TOO_LONG, () => socket.destroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      const answer = Buffer.concat(chunks);
      const text = answer.toString('latin1');
      resolve({
        ms: performance.now() - began,
        bytes: answer.length,
        isRight: isComplete(text),
        status: Number(text.slice(9, 12)),
      });
    });
  });
}

/** Lets so many servers visit, evenly within so many milliseconds, and waits for all. */
export async function stampede<T>(
  servers: number,
  within: number,
  visit: () => Promise<T>,
): Promise<T[]> {
  const began = performance.now();
  const visits: Promise<T>[] = [];
  while (visits.length < servers) {
    const due = Math.min(servers, ((performance.now() - began) / within) * servers);
    while (visits.length < due) visits.push(visit());
    await delay(1);
  }
  return Promise.all(visits);
}

function isComplete(answer: string): boolean {
  const end = answer.indexOf('\r\n\r\n') + 4;
  const head = answer.slice(0, end);
  if (/^HTTP\/1\.1 30[1278] /.test(head)) return true;
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  if (!head.startsWith('HTTP/1.1 200 ')) return false;
  if (length !== undefined) return answer.length - end === Number(length);
  return /\r\ntransfer-encoding: *chunked/i.test(head) && answer.endsWith('\r\n0\r\n\r\n');
}
