/** Where to listen, as people write it. */

/** A TCP address. Without `host`: every address of the machine, IPv4 and IPv6. */
export interface Address {
  readonly host?: string;
  readonly port: number;
}

/** A Unix socket. */
export interface SocketPath {
  readonly path: string;
}

/** Where the admin server listens. */
export type Place = Address | SocketPath;

/**
 * Reads `127.0.0.1:8080`, `localhost:8080`, `[::1]:80`, or `:80` for every address of the machine.
 * Throws a `TypeError` that says what to write.
 */
export function toAddress(text: string, also = ''): Address {
  const [, v6, name, digits] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/\s]*)):(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535)
    throw new TypeError(
      `listen must be HOST:PORT, like 127.0.0.1:8080, [::1]:8080, or :8080 for every address${also}, got "${text}"`,
    );
  const host = v6 ?? name;
  return host ? { host, port } : { port };
}

/** Reads what `toAddress` does, and `unix:PATH`. */
export function toPlace(text: string): Place {
  const [, path] = /^unix:([^\0]+)$/.exec(text) ?? [];
  return path === undefined ? toAddress(text, ', or unix:PATH') : { path };
}

/** The URL under which somebody on this machine finds what listens there. */
export function toUrl({ host = 'localhost', port }: Address): string {
  const isEvery = host === '::' || host === '0.0.0.0';
  const name = isEvery ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}
