/** One site at work: its layers, and below them what answers. */
import {
  type CacheStore,
  type Handler,
  isEmpty,
  type Layer,
  type ProxyRequest,
  type Site,
} from '@headgate/core';
import type { Tunnel } from '@headgate/core/upgrade';
import { namespaced } from '@headgate/store';
import { limitBody } from './body-limit.ts';
import type { SiteConfig } from './config/configure.ts';
import { targetsOf } from './targets.ts';
import type { UpstreamAddress } from './upstream-group.ts';

/** A site that answers. */
export interface OpenSite {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly handler: Handler;
  /** What carries the WebSocket that a request asks for, if anything does. */
  readonly tunnelFor: (request: ProxyRequest) => Tunnel | undefined;
  readonly layers: readonly Layer[];
  readonly addresses: () => readonly UpstreamAddress[];
  /** Lets go of what the layers and the upstreams hold. */
  close(): Promise<void>;
}

/** What a site shares with the others. */
export interface SiteParts {
  readonly store: CacheStore;
  /** Goes around what asks an upstream, to know when all of it is over. */
  readonly counted: (handler: Handler) => Handler;
}

/** Opens a site. Rejects with a `TypeError` when a plugin finds its options wrong after all. */
export async function openSite(
  { name, hosts, chain, ...config }: SiteConfig,
  { store, counted }: SiteParts,
): Promise<OpenSite> {
  const targets = targetsOf({ name, hosts, chain, ...config });
  const names = hosts.includes('*') ? [] : hosts;
  const mediaHosts = chain.flatMap(({ plugin, options }) => plugin.mediaHosts?.(options) ?? []);

  // From the innermost outwards, so that each layer can be given the chain below it.
  const layers: Layer[] = [];
  let handler: Handler = counted((request) => targets.of(request.url).handler(request));
  for (const { plugin, options } of chain.toReversed()) {
    const background = handler;
    const site: Site = Object.freeze({
      name,
      hosts: names,
      mediaHosts,
      store: namespaced(store, `${name}/${plugin.name}`),
      background,
    });
    const layer = await plugin.create(options, site);
    layers.push(layer);
    handler = (request) => layer.middleware(request, background);
  }

  const limited = async (request: ProxyRequest, bodyLimit: number) =>
    handler(limitBody(request, bodyLimit));

  return {
    name,
    hosts,
    handler: (request) => {
      const { bodyLimit } = targets.of(request.url);
      return bodyLimit === undefined || isEmpty(request.body)
        ? handler(request)
        : limited(request, bodyLimit);
    },
    tunnelFor: ({ url }) => targets.of(url).tunnel,
    layers,
    addresses: targets.addresses,
    close: async () => {
      for (const layer of layers) await layer.close?.();
      targets.close();
    },
  };
}
