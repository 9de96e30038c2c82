/** How a middleware package is used inside the daemon: as a plugin that makes layers for a site. */
import type { Handler, Middleware } from './exchange.ts';
import type { OptionsSchema } from './options.ts';
import type { CacheStore } from './store.ts';

/** A host that a plugin sends people to, so that a policy can allow it. */
export interface MediaHost {
  /** Scheme and host, e.g. `https://cdn.example`. */
  readonly origin: string;
  readonly kind: 'media' | 'assets';
}

/** What a plugin knows of the site that it makes a layer for. Frozen. */
export interface Site {
  readonly name: string;
  /** Names under which the site is reached; empty when any name is. */
  readonly hosts: readonly string[];
  /** What all plugins of the site said in `mediaHosts`, wherever they stand in the chain. */
  readonly mediaHosts: readonly MediaHost[];
  /** The plugin's own part of the daemon's store. */
  readonly store: CacheStore;
  /** The chain below this layer, for requests with no client behind them. */
  readonly background: Handler;
}

/** The URLs of which something is to be forgotten. `url` and `prefix` begin with `https://host/`. */
export type PurgeTarget =
  | { readonly url: string }
  | { readonly prefix: string }
  | { readonly host: string }
  | { readonly all: true };

/** A middleware at work, and what an administrator may ask of it. */
export interface Layer {
  readonly middleware: Middleware;
  /** Forgets what is kept of these URLs, and tells how many there were. */
  readonly purge?: (what: PurgeTarget) => Promise<number>;
  /** Fetches a URL before anybody asks for it. */
  readonly warm?: (url: string) => Promise<void>;
  /** Called when the last exchange that entered the layer has finished. */
  readonly close?: () => Promise<void>;
}

/** A middleware package, as the daemon uses it. */
export interface Plugin<Options = unknown> {
  /** The name that an operator writes. */
  readonly name: string;
  /** Checks what an operator wrote, a zod schema for one. */
  readonly options: OptionsSchema<Options>;
  /** The hosts that these options send people to. Pure. */
  readonly mediaHosts?: (options: Options) => readonly MediaHost[];
  readonly create: (options: Options, site: Site) => Layer | Promise<Layer>;
}
