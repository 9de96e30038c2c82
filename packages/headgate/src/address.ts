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

/** Sockets that systemd has opened: those with this FileDescriptorName, or all. */
export interface Inherited {
  readonly systemd: string | undefined;
}

/** A place where people come in, and whether TLS is spoken there. */
export interface Door {
  readonly at: Place | Inherited;
  readonly isTls: boolean;
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

/** Reads what `toPlace` does, and `systemd` or `systemd:NAME`; `https://` in front means TLS. */
export function toDoor(text: string): Door {
  const [, scheme, rest = text] = /^(https?):\/\/(.*)$/.exec(text) ?? [];
  const [inherited, name] = /^systemd(?::([^\s:]+))?$/.exec(rest) ?? [];
  const also = ', with https:// in front for TLS, or unix:PATH, or systemd';
  const at = inherited === undefined ? toPlace(rest, also) : { systemd: name };
  return { at, isTls: scheme === 'https' };
}

/** Reads what `toAddress` does, and `unix:PATH`. */
export function toPlace(text: string, also = ', or unix:PATH'): Place {
  const [, path] = /^unix:([^\0]+)$/.exec(text) ?? [];
  return path === undefined ? toAddress(text, also) : { path };
}

/** The URL under which somebody on this machine finds what listens there. */
export function toUrl(
  { host = 'localhost', port }: Address,
  scheme: 'http' | 'https' = 'http',
): string {
  const isEvery = host === '::' || host === '0.0.0.0';
  const name = isEvery ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${name}:${port}`;
}
