/** Where an upstream is, read from its URL. */
import { isIP } from 'node:net';

/** Where an upstream is. */
export interface Origin {
  readonly url: URL;
  /** Host name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Name for TLS, `''` for an address, which must not be sent as one (RFC 6066 section 3). */
  readonly servername: string;
  /** Path of a Unix socket, in place of host and port. */
  readonly socketPath?: string;
}

/** Reads the URL of an upstream. Throws a `TypeError` that says what to write. */
export function toOrigin(upstream: string): Origin {
  const socketPath = /^unix:(\/[^\0]+)$/.exec(upstream)?.[1];
  if (socketPath !== undefined) {
    const local = { url: new URL('http://localhost'), host: 'localhost', port: 80 };
    return { ...local, isTls: false, servername: '', socketPath };
  }
  const url = URL.canParse(upstream) ? new URL(upstream) : undefined;
  const isOrigin = url && /^https?:$/.test(url.protocol) && url.hostname !== '';
  if (!isOrigin || url.pathname !== '/' || url.search || url.hash || url.username || url.password)
    throw new TypeError(
      `upstream must be a URL without path or credentials, like http://127.0.0.1:3000, or unix:/PATH, got "${upstream}"`,
    );
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isTls = url.protocol === 'https:';
  const port = Number(url.port) || (isTls ? 443 : 80);
  return { url, host, port, isTls, servername: isIP(host) === 0 ? host : '' };
}
