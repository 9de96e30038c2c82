/** Where the server in front finds what is behind it. */
import { toAddress } from '../address.ts';

/** Each `HOST:PORT`. */
export interface Places {
  readonly headgate: string;
  /** What answers the fetchers while Headgate is away. */
  readonly application?: string | undefined;
}

/** Reads a `HOST:PORT` that another server connects to; throws a `TypeError` that names the option. */
export function toPlaceBehind(option: string, text: string): string {
  try {
    const { host = 'localhost', port } = toAddress(text);
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  } catch {
    throw new TypeError(`${option} must be HOST:PORT, like 127.0.0.1:8080, got "${text}"`);
  }
}
