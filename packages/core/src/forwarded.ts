/** Who is asking, and over what: reading the claims of proxies in front, and making our own. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import type { Headers, ProxyRequest } from './exchange.ts';
import { field } from './headers.ts';

/** What is known of a client: its address and the scheme that it used. */
export type Origination = Pick<ProxyRequest, 'client' | 'scheme'>;

/** Finds out who a client is: from its connection's address, or from what a trusted proxy says. */
export type OriginationReader = (
  peer: string,
  isEncrypted: boolean,
  headers: () => Headers,
) => Origination;

/** A field by which a proxy shows that it is one of ours. */
export interface ProxySecret {
  /** Name of the field, in lower case. */
  readonly header: string;
  readonly value: string;
}

/** What besides addresses decides who is believed. */
export interface Trust {
  /** Whoever sends one of these is trusted, wherever from: for CDNs, whose addresses change. */
  readonly secrets?: readonly ProxySecret[];
  /** Scheme of every request, where something else ends TLS. Default: what is seen or said. */
  readonly scheme?: ProxyRequest['scheme'];
  /** Told of each request whose forwarding field is not believed. */
  readonly onIgnored?: (peer: string, field: string) => void;
}

/** Bytes of Forwarded that are read, at its end, where the nearest proxies write: reading is quadratic. */
const MAX_FORWARDED = 1_024;

/** What proxies say for a scheme; some say `wss` for a WebSocket handshake. */
const SCHEMES: ReadonlyMap<string | undefined, ProxyRequest['scheme']> = new Map([
  ['http', 'http'],
  ['https', 'https'],
  ['ws', 'http'],
  ['wss', 'https'],
]);

/** The addresses behind the names that `trusted` takes. */
const PRESETS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '169.254.0.0/16',
    'fc00::/7',
    'fe80::/10',
  ],
};

/** Fields by which a client could pretend to be another, to be elsewhere, or to ask for something else. */
const CLAIMS = new Set([
  'client-ip',
  'forwarded',
  'true-client-ip',
  'x-client-ip',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-real-ip',
  'x-rewrite-url',
]);

/** Fields by which proxies tell who their client is. */
const FORWARDING = ['x-forwarded-for', 'x-forwarded-proto', 'forwarded'];

/**
 * True for a field that nobody but a proxy of the site's own may set: forwarding and override
 * fields, and any name with `_`, which CGI-like applications read as the same name with `-`.
 */
export function isClaim(name: string): boolean {
  return CLAIMS.has(name) || name.startsWith('x-forwarded-') || name.includes('_');
}

/**
 * Makes the function that finds out who the client is. `trusted` lists the proxies in front whose
 * forwarding fields are believed: addresses, CIDRs, or the presets `loopback` and `private`. Nobody
 * is trusted by default. Throws a `TypeError` for what is none of these.
 */
export function originationBy(
  trusted: readonly string[] = [],
  { secrets = [], scheme: stated, onIgnored }: Trust = {},
): OriginationReader {
  const isTrusted = addressList(trusted);
  const hashed = secrets.map(({ header, value }) => ({ header, hash: hash(value) }));
  const knowsSecret = (headers: Headers) =>
    hashed.some(({ header, hash: secret }) => {
      const given = field(headers, header);
      return given !== undefined && timingSafeEqual(hash(given), secret);
    });

  return (peerAddress, isEncrypted, headers) => {
    const peer = plainAddress(peerAddress);
    const scheme = stated ?? (isEncrypted ? 'https' : 'http');
    const isBelieved = isTrusted(peer) || (hashed.length > 0 && knowsSecret(headers()));
    if (!isBelieved) {
      if (onIgnored) {
        const given = headers();
        const claim = FORWARDING.find((name) => Object.hasOwn(given, name));
        if (claim) onIgnored(peer, claim);
      }
      return { client: peer, scheme };
    }
    const said = readClaims(headers());
    return {
      client: rightMostUntrusted(said.addresses, peer, isTrusted),
      scheme: stated ?? said.scheme ?? scheme,
    };
  };
}

/**
 * Makes the function that tells whether an address is among `entries`: addresses, CIDRs, `loopback`,
 * `private`. Throws a `TypeError` for what is none of these.
 */
export function addressList(entries: readonly string[]): (address: string) => boolean {
  const list = blockList(entries);
  if (!list) return () => false;
  let last = { address: '', isListed: false }; // a proxy in front asks again and again
  return (address) => {
    if (address === last.address) return last.isListed;
    const version = isIP(address);
    const isListed = version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
    last = { address, isListed };
    return isListed;
  };
}

/** The names of `forwardedFields`. */
export const FORWARDED: readonly string[] = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
];

/** The forwarding fields that tell an upstream who the client is (RFC 7239, and its older X- kin). */
export function forwardedFields({ client, scheme, headers }: ProxyRequest): Record<string, string> {
  const host = field(headers, 'host') ?? '';
  const site = { 'x-forwarded-host': host, 'x-forwarded-proto': scheme };
  if (client === '') return site;
  const node = client.includes(':') ? `"[${client}]"` : client;
  return {
    ...site,
    'x-forwarded-for': client,
    'x-real-ip': client,
    forwarded: `for=${node};host="${host}";proto=${scheme}`,
  };
}

/** An address without the IPv6 dress that a dual-stack socket puts on IPv4 (`::ffff:192.0.2.1`). */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

function hash(value: string): Buffer {
  return createHash('sha256').update(value).digest();
}

function blockList(trusted: readonly string[]): BlockList | undefined {
  if (!Array.isArray(trusted))
    throw new TypeError(
      `trusted must be a list, such as ['loopback'], got ${JSON.stringify(trusted)}`,
    );
  if (trusted.length === 0) return undefined;
  const list = new BlockList();
  for (const entry of trusted.flatMap((item) => PRESETS[item] ?? [item])) {
    const [address = '', prefix, ...rest] = entry.split('/');
    const version = isIP(address);
    const bits = prefix === undefined ? (version === 6 ? 128 : 32) : Number(prefix);
    const isPrefix = /^\d{1,3}$/.test(prefix ?? '0') && bits <= (version === 6 ? 128 : 32);
    if (version === 0 || !isPrefix || rest.length > 0)
      throw new TypeError(
        `trusted must list addresses, CIDRs (10.0.0.0/8), "loopback" or "private", got "${entry}"`,
      );
    list.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

function rightMostUntrusted(
  addresses: readonly string[],
  peer: string,
  isTrusted: (address: string) => boolean,
): string {
  let client = peer;
  for (const address of addresses.toReversed()) {
    if (isIP(address) === 0) break;
    client = address;
    if (!isTrusted(address)) break;
  }
  return client;
}

/** What the proxies in front say; X-Forwarded-For before Forwarded, the nearest proxy's scheme. */
function readClaims(headers: Headers): {
  addresses: string[];
  scheme: ProxyRequest['scheme'] | undefined;
} {
  const forwarded = field(headers, 'forwarded') ?? '';
  const elements = splitList(forwarded.slice(-MAX_FORWARDED)).map(parameters);
  const forwardedFor = field(headers, 'x-forwarded-for');
  const addresses =
    forwardedFor === undefined
      ? elements.map((element) => element.get('for') ?? '')
      : forwardedFor.split(',');
  const proto =
    field(headers, 'x-forwarded-proto')?.split(',').at(-1) ?? elements.at(-1)?.get('proto');
  return {
    addresses: addresses.map(withoutPort),
    scheme: SCHEMES.get(proto?.trim().toLowerCase()),
  };
}

/** Splits a list at its commas, but not at those in quotes (RFC 9110 section 5.6.1). */
function splitList(value: string): string[] {
  return value.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [];
}

/** The pairs of one Forwarded element (RFC 7239 section 4). */
function parameters(element: string): Map<string, string> {
  const pairs = element.matchAll(/([!#$%&'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;,"\s]*))/g);
  return new Map(
    Array.from(pairs, ([, name = '', quoted, token]) => [
      name.toLowerCase(),
      quoted ?? token ?? '',
    ]),
  );
}

function withoutPort(node: string): string {
  const address = node.trim();
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(address) ?? [];
  const [, v4] = /^([\d.]+):\d+$/.exec(address) ?? [];
  return plainAddress(bracketed ?? v4 ?? address);
}
