/** What of a request may stand in a log: nothing secret, no more than needed, nothing that is obeyed. */

/** How a client's address is logged: its network (/24, /48), in full, or not at all. */
export type LoggedClient = 'truncated' | 'full' | 'off';

/** Bytes of a User-Agent that are logged. */
export const MAX_USER_AGENT = 256;

/** Bytes of anything else that are logged. */
export const MAX_VALUE = 1_024;

/** What needs no look at its characters: nearly everything. */
const PLAIN = /^[ -~]*$/;

/** Names of query parameters whose values nobody but the application should see. */
const SECRET = /token|key|code|secret|sig|pass|nonce/i;

/**
 * At most `limit` bytes of what a client sent (it is latin1, one character for each), with every
 * character that a terminal obeys or a reader of lines stumbles over in sight: `\x1b`.
 */
export function printable(text: string, limit: number = MAX_VALUE): string {
  const start = text.slice(0, limit);
  if (PLAIN.test(start)) return start;
  return start.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** A target, or an address like that of a Referer, without query, fragment and credentials. */
export function withoutQuery(url: string): string {
  const end = url.search(/[?#]/);
  const address = end < 0 ? url : url.slice(0, end);
  if (address.startsWith('/')) return address;
  return address.replace(/^([a-z][\w+.-]*:\/\/)[^/]*@/i, '$1');
}

/** The path of a target: of one in absolute-form, which was refused, what follows its host. */
export function pathOf(url: string): string {
  const path = withoutQuery(url);
  return path.startsWith('/') ? path : path.replace(/^[^/]*:\/\/[^/]*/, '');
}

/** The query of a target with `***` for the values that are secret; nothing if there is none. */
export function maskedQuery(url: string): string | undefined {
  const [, query] = url.split(/\?(.*)/s);
  if (query === undefined) return undefined;
  return query.replace(/[^&;]+/g, (pair) => {
    const [name = ''] = pair.split('=', 1);
    return name.length < pair.length && SECRET.test(unescaped(name)) ? `${name}=***` : pair;
  });
}

/** A client's address as it may be logged; nothing if there is none, or it may not be. */
export function loggedClient(address: string, logged: LoggedClient): string | undefined {
  if (address === '' || logged === 'off') return undefined;
  return logged === 'full' ? address : network(address);
}

/** The network that an address is in: enough to tell clients apart, too little to tell people. */
function network(address: string): string {
  if (!address.includes(':')) return address.replace(/\.\d+$/, '.0');
  const [head = ''] = address.split('::', 1);
  return `${head.split(':').slice(0, 3).join(':')}::`;
}

/** What an application reads for a name, also for one that is escaped in part wrongly. */
function unescaped(name: string): string {
  return name.replace(/%([0-9a-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
