/** Where all parts meet: the server, and behind it the configuration that is in force now. */
import type { Server } from 'node:http';
import { type CacheStore, compose, type Finished, type Middleware } from '@headgate/core';
import { createServer, type ServerOptions } from '@headgate/core/server';
import type { Tunnel } from '@headgate/core/upgrade';
import { memoryStore } from '@headgate/store';
import type { Acme } from './acme/acme.ts';
import { answerOverTls } from './acme/over-tls.ts';
import type { Config } from './config/configure.ts';
import { type Generation, openGeneration } from './generation.ts';
import { inOrder } from './tls/certificates.ts';
import { pemFiles } from './tls/pem-files.ts';
import type { Upkeep } from './upkeep.ts';
import { warnings } from './warnings.ts';

/** What a gate can be given besides its configuration. */
export interface GateParts {
  /** Measures requests and tunnels, outermost. */
  readonly measure?: {
    readonly layer: Middleware;
    readonly tunnel: (tunnel: Tunnel) => Tunnel;
  };
  /** Stands in front of all sites, for what belongs to none of their layers. */
  readonly front?: Middleware;
  /** Told of every exchange when it is over. */
  readonly finished?: (exchange: Finished) => void;
  /** Told of mistakes in the set-up that show in what passes, once each. */
  readonly warn?: (message: string) => void;
  /** Has certificates for the names that no file has one for. */
  readonly authority?: Acme;
  /** Where the layers keep things. Default: 64 MiB of this process's memory. */
  readonly store?: CacheStore;
}

/** A gate: a configuration at work. */
export interface Gate extends Upkeep {
  /**
   * Makes a server; each address that is listened at needs one of its own. It speaks TLS, with the
   * certificates of the configuration, if it `isTls`.
   */
  server(isTls?: boolean): Server;
  /**
   * Puts another configuration in force, from the next request on. What is under way goes on as it
   * began, tunnels too. Rejects, and changes nothing, when it can't be opened.
   */
  reload(config: Config): Promise<void>;
  /** The addresses behind that are in force, and whether each answered when it was asked last. */
  readonly upstreams: Generation['upstreams'];
  /** Lets go of what the layers, the store and the upstreams hold. Call it when the servers are closed. */
  close(): Promise<void>;
}

/** Builds a gate from what `toConfig` makes of a configuration. */
export async function gate(
  config: Config,
  { finished, measure, front, warn, authority, store = memoryStore() }: GateParts = {},
): Promise<Gate> {
  const { onIgnored, onFinished } = warn ? warnings(warn) : {};
  let current = await openGeneration(config, store, onIgnored, authority?.answer);
  const files = config.tls && pemFiles(config.tls.certificates, { warn });
  const certificates = files && inOrder(authority ? [files, authority] : [files]);
  const old = new Set<Generation>();
  let isClosed = false;

  const within = async <T>(work: (generation: Generation) => Promise<T>): Promise<T> => {
    const generation = current;
    generation.enter();
    try {
      return await work(generation);
    } finally {
      generation.leave();
    }
  };

  const options: ServerOptions = {
    handler: compose(
      [measure?.layer, front].filter((layer) => layer !== undefined),
      (request) => current.handler(request),
    ),
    tunnelFor: (request) => {
      const tunnel = current.tunnelFor(request);
      return tunnel && measure ? measure.tunnel(tunnel) : tunnel;
    },
    site: (headers) => current.siteOf(headers),
    origination: (peer, isEncrypted, headers) => current.origination(peer, isEncrypted, headers),
    isPrivate: (name) => current.isPrivate(name),
    errorPage: (error, request) => current.errorPage(error, request),
    finished: (exchange) => {
      onFinished?.(exchange);
      finished?.(exchange);
    },
  };
  return {
    server: (isTls = false) => {
      const { tls } = config;
      if (!isTls) return createServer(options);
      if (!certificates || !tls) throw new TypeError('tls must be in the configuration');
      const { minVersion } = tls;
      const server = createServer({ ...options, tls: { certificates, minVersion } });
      if (authority) answerOverTls(server, authority);
      return server;
    },
    purge: (what) => within(({ purge }) => purge(what)),
    warm: (url) => within(({ warm }) => warm(url)),
    upstreams: () => current.upstreams(),
    reload: async (next) => {
      const before = current;
      const opened = await openGeneration(next, store, onIgnored, authority?.answer);
      try {
        await authority?.want(next.tls?.acme?.names ?? []);
        if (next.tls) files?.use(next.tls.certificates);
        if (isClosed) throw new Error('it was closed meanwhile');
      } catch (error) {
        await opened.close();
        throw error;
      }
      current = opened;
      old.add(before);
      const closed = () => old.delete(before);
      before.retire().then(closed, closed); // what went wrong there is nothing to those here now
    },
    close: async () => {
      isClosed = true;
      for (const generation of [...old, current]) await generation.close();
      await certificates?.stop();
      await store.close();
    },
  };
}
