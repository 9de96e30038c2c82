/** Raw TCP on both sides of the proxy, and the exact bytes that went over it. */
import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import type { Finished } from '@headgate/core';
import { createServer, type ServerOptions } from '@headgate/core/server';
import { type TunnelOptions, tunnelTo } from '@headgate/core/upgrade';
import { type UpstreamOptions, upstreamTo } from '@headgate/core/upstream';
import type { Test } from 'tap';

/** One HTTP message as bytes in latin1. */
export interface Message {
  readonly head: string;
  readonly body: string;
}

/** Listens on a free port of 127.0.0.1 until the test is over. */
export async function listen(t: Test, server: Server | HttpServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** An answer as bytes, or what to do with the connection instead. */
export type Answer = string | ((socket: Socket, request: Message) => void);

/** The plain answer of an origin that has nothing special to say. */
export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/**
 * A strict origin on raw TCP. It answers each request that it can make out with `answer`, and
 * remembers every byte (`bytes`) and every request (`requests`): one too many was smuggled.
 */
export async function rawOrigin(t: Test, answer: Answer = OK) {
  const requests: Message[] = [];
  const sockets = new Set<Socket>();
  const state = { bytes: '', connections: 0 };
  const server = createTcpServer((socket) => {
    state.connections += 1;
    sockets.add(socket);
    let rest = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      state.bytes += text;
      rest += text;
      for (;;) {
        const next = takeMessage(rest, false);
        if (!next) return;
        rest = next.rest;
        requests.push(next.message);
        if (typeof answer === 'function') answer(socket, next.message);
        else socket.write(answer, 'latin1');
      }
    });
  });
  const port = await listen(t, server);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    sockets,
    get bytes() {
      return state.bytes;
    },
    get connections() {
      return state.connections;
    },
  };
}

/** What a test may say of the proxy that it puts in front of an origin. */
export interface FrontOptions extends Partial<ServerOptions> {
  readonly upstream?: UpstreamOptions;
  readonly tunnels?: TunnelOptions;
}

/** Headgate's edges with nothing between them, in front of the origin at `url`. */
export async function front(
  t: Test,
  url: string,
  { upstream, tunnels, ...options }: FrontOptions = {},
) {
  const reports: Finished[] = [];
  const { handler, close } = upstreamTo(url, upstream);
  t.teardown(close);
  const server = createServer({
    handler,
    tunnel: tunnelTo(url, tunnels),
    finished: (exchange) => reports.push(exchange),
    ...options,
  });
  const port = await listen(t, server);
  return { port, url: `http://127.0.0.1:${port}`, server, reports };
}

/** What came back, and how it ended: `hung` is an end that never came. */
export interface Talk {
  readonly text: string;
  readonly messages: readonly Message[];
  readonly end: 'answered' | 'closed' | 'reset' | 'hung';
}

/**
 * Writes `pieces` to a port, 40 ms apart, and reads until `answers` whole responses have come or the
 * connection is gone.
 */
export async function talk(
  port: number,
  pieces: string | readonly string[],
  { answers = 1, patience = 4_000, isHead = false, halfClose = false } = {},
): Promise<Talk> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  const { promise, resolve } = Promise.withResolvers<Talk['end']>();
  const messages = () => {
    const found: Message[] = [];
    let rest = text;
    for (let next = takeMessage(rest, true, isHead); next; next = takeMessage(rest, true, isHead)) {
      if (!/^HTTP\/1\.\d 1\d\d /.test(next.message.head)) found.push(next.message);
      rest = next.rest;
    }
    return found;
  };
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    if (messages().length >= answers) resolve('answered');
  });
  socket.on('error', () => resolve('reset'));
  socket.on('end', () => resolve('closed'));
  socket.on('close', () => resolve('closed'));
  const timer = setTimeout(() => resolve('hung'), patience);
  for (const [index, piece] of [pieces].flat().entries()) {
    if (index > 0) await new Promise((done) => setTimeout(done, 40));
    socket.write(piece, 'latin1');
  }
  if (halfClose) socket.end();
  const end = await promise;
  clearTimeout(timer);
  socket.destroy();
  return { text, messages: messages(), end };
}

/** The first whole message in `text`, if there is one, framed as strictly as RFC 9112 has it. */
function takeMessage(text: string, isResponse: boolean, isHead = false) {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd);
  const after = text.slice(headEnd + 4);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  if (isResponse && (isHead || /^HTTP\/1\.\d (1\d\d|204|304)/.test(head)))
    return { message: { head, body: '' }, rest: after };
  if (/^transfer-encoding: *chunked$/im.test(head)) {
    const end = chunkedEnd(after);
    if (!end) return undefined;
    return { message: { head, body: after.slice(0, end) }, rest: after.slice(end) };
  }
  if (isResponse && !/^content-length:/im.test(head)) return undefined;
  if (after.length < length) return undefined;
  return { message: { head, body: after.slice(0, length) }, rest: after.slice(length) };
}

function chunkedEnd(text: string): number {
  let at = 0;
  for (;;) {
    const line = /^([0-9a-f]+)[^\r\n]*\r\n/i.exec(text.slice(at));
    if (!line) return 0;
    const size = Number.parseInt(line[1] as string, 16);
    at += line[0].length + size + 2;
    if (at > text.length) return 0;
    if (size === 0) return at;
  }
}

/** Waits until `holds`, or gives up after two seconds: the assertion that follows tells. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await new Promise((done) => setTimeout(done, 10));
}

/** A port that nobody has just now: nginx and Caddy take no 0. */
export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
