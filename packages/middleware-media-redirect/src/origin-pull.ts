/** The CDN itself: by what a request is known as its pull from here. */
import { timingSafeEqual } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { field, type ProxyRequest, withFields } from '@headgate/core';
import { hostOf } from './host.ts';
import type { Settings } from './options.ts';

/**
 * What CDNs call themselves in Via, each by its own documentation. No name of a proxy that may stand
 * in front of the whole site (varnish, google): nobody would be redirected any more.
 */
const VIA = /\b(?:BunnyCDN|cdn77|CloudFront)\b/i;

const USER_AGENT = /^Amazon CloudFront\b/;

/** How pulls are told from other requests. */
export interface OriginPull {
  /** True for a request that the CDN makes to fill itself. */
  readonly isPull: (request: ProxyRequest) => boolean;
  /** The request without the secret, which is nobody's business upstream. */
  readonly withoutSecret: (request: ProxyRequest) => ProxyRequest;
}

/**
 * Makes the recogniser. A secret is the only sign once there is one; without, every sign counts:
 * being wrong only serves bytes from here.
 */
export function originPull({ rules, originPull: signs }: Settings): OriginPull {
  const { expected, secret, addresses } = signs;
  if (!expected) return { isPull: () => false, withoutSecret: (request) => request };
  if (secret) {
    const name = secret.header.toLowerCase();
    return {
      isPull: ({ headers }) => isEqual(field(headers, name) ?? '', secret.value),
      withoutSecret: (request) =>
        field(request.headers, name) === undefined
          ? request
          : { ...request, headers: withFields(request.headers, { [name]: undefined }) },
    };
  }
  // A CDN may send its own name, the one that people are redirected to.
  const hosts = new Set(signs.hosts.map(hostOf));
  for (const { to } of rules) hosts.add(hostOf(new URL(to).host));
  const networks = blockList(addresses);
  const isPull = ({ headers, client }: ProxyRequest) =>
    field(headers, 'cdn-loop') !== undefined || // RFC 8586
    VIA.test(field(headers, 'via') ?? '') ||
    USER_AGENT.test(field(headers, 'user-agent') ?? '') ||
    hosts.has(hostOf(field(headers, 'host') ?? '')) ||
    networks.check(client, isIP(client) === 6 ? 'ipv6' : 'ipv4');
  return { isPull, withoutSecret: (request) => request };
}

/** Takes as long whatever is wrong about `given`. */
function isEqual(given: string, secret: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const isV6 = isIP(address) === 6;
    list.addSubnet(address, Number(bits ?? (isV6 ? 128 : 32)), isV6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
