/** Where all parts meet: plugins make the layers, the layers make the chain, the edges go around it. */
import type { Server } from 'node:http';
import {
  type Finished,
  type Handler,
  type Layer,
  type Plugin,
  type Site,
  toSettings,
} from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { tunnelTo } from '@headgate/core/upgrade';
import { upstreamTo } from '@headgate/core/upstream';
import { plugin as fedicache } from '@headgate/middleware-fedicache';
import { memoryStore, namespaced } from '@headgate/store';

/** What a gate is built from. */
export interface GateSettings {
  /** URL of the application behind the gate, e.g. `http://127.0.0.1:3000`. */
  readonly upstream: string;
  /** Proxies in front whose forwarding fields are believed. Default none. */
  readonly trusted?: readonly string[];
  /** Told of every exchange when it is over. */
  readonly finished?: (exchange: Finished) => void;
}

/** A gate, ready to listen. */
export interface Gate {
  readonly server: Server;
  /** Lets go of what the layers, the store and the upstream hold. Call it when the server is closed. */
  close(): Promise<void>;
}

/** One entry of the chain: a plugin and what was written for it. */
interface ChainEntry {
  readonly plugin: Plugin;
  readonly written: unknown;
}

const SITE = 'default';

/** The chain of a gate that nobody configured, the outermost layer first. */
const DEFAULT_CHAIN: readonly ChainEntry[] = [{ plugin: fedicache as Plugin, written: {} }];

/** Builds a gate. Rejects with a `TypeError` that says what is wrong with the settings. */
export async function gate({ upstream: url, trusted, finished }: GateSettings): Promise<Gate> {
  const upstream = upstreamTo(url);
  const tunnel = tunnelTo(url);
  const store = memoryStore();
  const entries = DEFAULT_CHAIN.map(({ plugin, written }) => ({
    plugin,
    options: toSettings(plugin.name, plugin.options, written),
  }));
  const mediaHosts = entries.flatMap(({ plugin, options }) => plugin.mediaHosts?.(options) ?? []);

  // From the innermost outwards, so that each layer can be given the chain below it.
  const layers: Layer[] = [];
  let handler: Handler = upstream.handler;
  for (const { plugin, options } of entries.toReversed()) {
    const background = handler;
    const site: Site = Object.freeze({
      name: SITE,
      hosts: [],
      mediaHosts,
      store: namespaced(store, `${SITE}/${plugin.name}`),
      background,
    });
    const layer = await plugin.create(options, site);
    layers.push(layer);
    handler = (request) => layer.middleware(request, background);
  }

  const server = createServer({
    handler,
    tunnel,
    site: SITE,
    ...(trusted && { trusted }),
    ...(finished && { finished }),
  });
  const close = async () => {
    for (const layer of layers) await layer.close?.();
    await store.close();
    upstream.close();
  };
  return { server, close };
}
