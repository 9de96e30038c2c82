/** Connections to an origin: how they are made, and how many are kept. */
import { Agent as HttpAgent, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { lookupOnce } from './lookup.ts';
import { toOrigin } from './origin.ts';

/** How an origin is connected to. */
export interface ConnectionOptions {
  /** Certificates, in PEM, that vouch for an `https:` origin, in place of Node's own. */
  readonly ca?: string;
  /** False takes any certificate of an `https:` origin. Default true. */
  readonly verify?: boolean;
  /** Name that an `https:` origin must prove, in place of the one in its URL. */
  readonly servername?: string;
}

/** The connections to one origin. */
export interface Pool {
  readonly ask: typeof httpRequest;
  /** Options of a request that takes a kept connection, or makes one that will be kept. */
  readonly kept: RequestOptions;
  /** Options of a request that makes a connection of its own. */
  readonly fresh: RequestOptions;
  /** The event of a socket that says that it is connected. */
  readonly connected: 'connect' | 'secureConnect';
  /** The Host field of the origin itself. */
  readonly hostField: string;
  /** Lets go of all connections. */
  close(): void;
}

/** Milliseconds after which an idle connection is closed, before common origins do it (60 s). */
const IDLE_CONNECTION = 55_000;

/** Bytes that a response's head may have. */
export const MAX_HEAD = 64 * 1024;

/** Field lines that a response may have: twice what a request may. */
export const MAX_FIELD_LINES = 256;

/** Responses of status 1xx that may come before the one that counts. */
export const MAX_INTERIM = 100;

/**
 * Makes the pool of an origin, which keeps at most `keepAlive` idle connections. Names are looked up
 * for each new connection. Throws a `TypeError` for a URL that is no origin.
 */
export function poolOf(url: string, options: ConnectionOptions, keepAlive: number): Pool {
  const { host, port, isTls, servername, socketPath, url: base } = toOrigin(url);
  const Agent = isTls ? HttpsAgent : HttpAgent;
  const lone = new Agent({ keepAlive: false });
  const pool =
    keepAlive > 0
      ? new Agent({
          keepAlive: true,
          maxFreeSockets: keepAlive,
          scheduling: 'lifo',
          timeout: IDLE_CONNECTION,
        })
      : lone; // Node takes a maxFreeSockets of 0 for none given
  const fresh: RequestOptions & { servername: string; ca?: string; rejectUnauthorized?: boolean } =
    {
      ...(socketPath === undefined ? { host, port, lookup: lookupOnce } : { socketPath }),
      servername: options.servername ?? servername,
      ...(options.ca !== undefined && { ca: options.ca }),
      ...(options.verify === false && { rejectUnauthorized: false }),
      agent: lone,
      maxHeaderSize: MAX_HEAD,
    };
  return {
    ask: isTls ? httpsRequest : httpRequest,
    kept: { ...fresh, agent: pool },
    fresh,
    connected: isTls ? 'secureConnect' : 'connect',
    hostField: base.host,
    close: () => {
      pool.destroy();
      lone.destroy();
    },
  };
}
