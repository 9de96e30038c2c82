/** Makes a request value of what Node received. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { EMPTY } from './body.ts';
import { type HeadgateError, toHeadgateError } from './errors.ts';
import type { Body, Headers, ProxyRequest } from './exchange.ts';
import { isClaim, type OriginationReader } from './forwarded.ts';
import { guard } from './guard.ts';
import { toEndToEnd, toHeaders } from './headers.ts';

/** A request, and what the guard has against it. A refused one is a value too: it is reported. */
export interface Received {
  readonly request: ProxyRequest;
  readonly refused?: HeadgateError;
}

/** What only the exchange knows: how it is aborted, and how its body is read, if it has one. */
export type Receiver = (
  req: IncomingMessage,
  signal: () => AbortSignal,
  body: () => Body,
) => Received;

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
}

/** Makes the receiver of a server. */
export function receiver({ siteOf, origination, isPrivate }: ReceiverSettings): Receiver {
  const isDropped = isPrivate ? (name: string) => isClaim(name) || isPrivate(name) : isClaim;

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
      const { url, hasBody } = guard(req);
      return { request: { ...request, url, body: hasBody ? body() : EMPTY } };
    } catch (error) {
      return { request, refused: toHeadgateError(error) };
    }
  };
}

/**
 * The body of a client that waits for `100 Continue` (RFC 9110 section 10.1.1): `invite` is called
 * when the body is first read, so that a layer which answers without reading never invites it.
 */
export function bodyOnInvitation(req: IncomingMessage, invite: () => void): Readable {
  async function* invited() {
    invite();
    yield* req.iterator({ destroyOnReturn: false });
  }
  return Readable.from(invited(), { objectMode: false });
}
