/** All that one configuration opened. A reload replaces it as a whole; it closes when it is done. */
import {
  type CacheStore,
  field,
  type Handler,
  type Headers,
  HeadgateError,
  type ProxyRequest,
  type ProxyResponse,
  whenOver,
} from '@headgate/core';
import { type OriginationReader, originationBy, type Trust } from '@headgate/core/server';
import type { Tunnel } from '@headgate/core/upgrade';
import type { Config } from './config/configure.ts';
import { errorPages } from './error-pages.ts';
import { hostTable } from './hosts.ts';
import { purgeMethod } from './purge-method.ts';
import { type OpenSite, openSite } from './site.ts';
import { toHttps } from './tls/to-https.ts';
import { type Upkeep, upkeep } from './upkeep.ts';
import type { UpstreamAddress } from './upstream-group.ts';

/** One configuration at work. */
export interface Generation extends Upkeep {
  readonly siteOf: (headers: Headers) => string;
  readonly origination: OriginationReader;
  readonly isPrivate: (name: string) => boolean;
  readonly errorPage: (error: HeadgateError, request: ProxyRequest) => ProxyResponse;
  readonly handler: Handler;
  readonly tunnelFor: (request: ProxyRequest) => Tunnel | undefined;
  /** The addresses behind, with the name of their site. */
  readonly upstreams: () => readonly (UpstreamAddress & { readonly site: string })[];
  /** Keeps it open until `leave` was called as often. */
  enter(): void;
  leave(): void;
  /** Closes it as soon as nobody is in it; resolves then. */
  retire(): Promise<void>;
  /** Closes it now, whoever is in it. */
  close(): Promise<void>;
}

/** Opens a configuration. `ownAnswer` knows what our own ACME challenges are answered with. */
export async function openGeneration(
  { sites: configs, trusted, scheme, errorPage, purgeFrom, listen, tls }: Config,
  store: CacheStore,
  onIgnored: Trust['onIgnored'],
  ownAnswer?: (token: string) => string | undefined,
): Promise<Generation> {
  let inside = 0;
  let isRetired = false;
  let closed: Promise<void> | undefined;
  const { promise: empty, resolve: tellEmpty } = Promise.withResolvers<void>();
  const secured = tls && toHttps(tls, listen, ownAnswer);
  const sites: OpenSite[] = [];
  const close = () => {
    secured?.close();
    closed ??= closeAll(sites);
    return closed;
  };
  const enter = () => {
    inside += 1;
  };
  const leave = () => {
    inside -= 1;
    if (isRetired && inside === 0) tellEmpty();
  };
  const leaveAfter = (response: ProxyResponse) => {
    whenOver(response.body, leave);
    return response;
  };
  const leaveWith = (error: unknown) => {
    leave();
    throw error;
  };
  const counted =
    (handler: Handler): Handler =>
    (request) => {
      enter();
      return handler(request).then(leaveAfter, leaveWith);
    };
  const countedTunnel =
    (tunnel: Tunnel): Tunnel =>
    (request, client, finished) => {
      enter();
      tunnel(request, client, (outcome) => {
        leave();
        finished(outcome);
      });
    };

  try {
    for (const config of configs) sites.push(await openSite(config, { store, counted }));
  } catch (error) {
    await close();
    throw error;
  }
  const bySite = new Map(sites.map((site) => [site.name, site]));
  const byHost = hostTable(sites);
  const privates = new Set(trusted.secrets.map(({ header }) => header));
  const { proxies, secrets } = trusted;
  const care = upkeep(sites, byHost);
  const purged = purgeMethod(purgeFrom, care.purge);

  return {
    ...care,
    siteOf: (headers) => byHost(field(headers, 'host'))?.name ?? '',
    origination: originationBy(proxies, {
      secrets,
      ...(scheme && { scheme }),
      ...(onIgnored && { onIgnored }),
    }),
    isPrivate: (name) => privates.has(name),
    errorPage: errorPages(errorPage === undefined ? {} : { page: errorPage }),
    handler: counted((request) => {
      const site = bySite.get(request.site);
      if (!site) return Promise.reject(unknownHost(request));
      if (request.method === 'PURGE') return purged(request);
      return secured ? secured.layer(request, site.handler) : site.handler(request);
    }),
    tunnelFor: (request) => {
      if (secured?.isSentOn(request)) return undefined;
      const tunnel = bySite.get(request.site)?.tunnelFor(request);
      return tunnel && countedTunnel(tunnel);
    },
    upstreams: () =>
      sites.flatMap(({ name, addresses }) =>
        addresses().map((address) => ({ site: name, ...address })),
      ),
    enter,
    leave,
    retire: async () => {
      enter();
      isRetired = true;
      leave();
      await empty;
      await close();
    },
    close,
  };
}

async function closeAll(sites: readonly OpenSite[]): Promise<void> {
  for (const site of sites) await site.close();
}

function unknownHost({ headers }: ProxyRequest): HeadgateError {
  return new HeadgateError(
    'MISDIRECTED_REQUEST',
    `no site here is called "${field(headers, 'host')}". If it is yours, add it to the hosts of a site in headgate.yaml, or to HEADGATE_HOST.`,
  );
}
