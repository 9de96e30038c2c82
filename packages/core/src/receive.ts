/** Makes a request value of what Node received. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { EMPTY } from './body.ts';
import { HeadgateError, toHeadgateError } from './errors.ts';
import type { Body, Headers, ProxyRequest } from './exchange.ts';
import { isClaim, type OriginationReader } from './forwarded.ts';
import { guard, isHost, toHostName } from './guard.ts';
import { toEndToEnd, toHeaders } from './headers.ts';
import { isLoop } from './hop.ts';

/** A request, and what the guard has against it. A refused one is a value too: it is reported. */
export interface Received {
  readonly request: ProxyRequest;
  readonly refused?: HeadgateError;
}

/** What is read of a request's head, as HTTP/1.1 says it. */
export type Head = Pick<
  IncomingMessage,
  'httpVersion' | 'method' | 'url' | 'rawHeaders' | 'socket'
>;

/** What only the exchange knows: how it is aborted, and how its body is read, if it has one. */
export type Receiver = (req: Head, signal: () => AbortSignal, body: () => Body) => Received;

/** Names of hosts that are served, or what knows them; asked in lower case, without port. */
export type Hosts = readonly string[] | ((name: string) => boolean);

/** One numbering for all servers of the process: an exchange is known by its id. */
const ID_PREFIX = `${Date.now().toString(36)}-`;
let count = 0;

/** How a request becomes a value. */
export interface ReceiverSettings {
  /** Name of the site that a request is for. */
  readonly siteOf: (headers: Headers) => string;
  readonly origination: OriginationReader;
  /** True for fields besides those of `isClaim` that end here. */
  readonly isPrivate?: ((name: string) => boolean) | undefined;
  readonly hosts?: Hosts | undefined;
  /** True when a host must not be asked for on this connection, whose certificate is another's. */
  readonly isMisdirected?: ((socket: Socket, host: string) => boolean) | undefined;
}

/** Makes the receiver of a server. Throws a `TypeError` for wrong `hosts`. */
export function receiver({
  siteOf,
  origination,
  isPrivate,
  hosts,
  isMisdirected,
}: ReceiverSettings): Receiver {
  const isDropped = isPrivate ? (name: string) => isClaim(name) || isPrivate(name) : isClaim;
  const isServed = hosts && (typeof hosts === 'function' ? hosts : among(hosts));

  return (req, signal, body) => {
    count += 1;
    const { rawHeaders, socket } = req;
    const peer = socket.remoteAddress ?? '';
    const { client, scheme } = origination(peer, 'encrypted' in socket, () =>
      toHeaders(rawHeaders),
    );
    const headers = toEndToEnd(rawHeaders, isDropped);
    const request = {
      id: ID_PREFIX + count.toString(36),
      site: siteOf(headers),
      method: req.method ?? '',
      url: req.url ?? '',
      headers,
      body: EMPTY,
      scheme,
      client,
      signal,
    };
    try {
      const { url, host, hasBody } = guard(req);
      if (isServed?.(host) === false)
        throw new HeadgateError(
          'MISDIRECTED_REQUEST',
          `no site here is called ${host}; if one should be, add the name to its hosts`,
        );
      if (isMisdirected?.(socket, host))
        throw new HeadgateError(
          'MISDIRECTED_REQUEST',
          `the certificate of this connection is not for ${host}; ask for it on another`,
        );
      if (isLoop(request.headers))
        throw new HeadgateError('LOOP_DETECTED', 'the upstream leads back to Headgate');
      return { request: { ...request, url, body: hasBody ? body() : EMPTY } };
    } catch (error) {
      return { request, refused: toHeadgateError(error) };
    }
  };
}

/**
 * The body of a request, apart from it: who gives it up doesn't give up the connection, on which the
 * answer is still owed. `onRead` is called when it is first read. Who serves it ends it early.
 */
export function bodyOf(req: Readable, onRead: () => void): Readable {
  let isRead = false;
  const onData = (chunk: Buffer) => {
    if (!body.push(chunk)) req.pause();
  };
  const onEnd = () => body.push(null);
  const body = new Readable({
    read() {
      if (isRead) return void req.resume();
      isRead = true;
      onRead();
      req.on('data', onData);
    },
    destroy(error, done) {
      req.off('data', onData).off('end', onEnd);
      done(error);
    },
  });
  req.on('end', onEnd);
  return body;
}

function among(hosts: readonly string[]): (name: string) => boolean {
  for (const name of hosts)
    if (name !== toHostName(name) || !isHost(name))
      throw new TypeError(
        `hosts must list names in lower case without a port, like social.example, got "${name}"`,
      );
  const names = new Set(hosts);
  return (name) => names.has(name);
}
