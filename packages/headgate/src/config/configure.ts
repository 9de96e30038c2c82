/** From what somebody wrote to what is in force: all of it checked, presets and files read, plugins found. */
import { resolve } from 'node:path';
import type { Plugin } from '@headgate/core';
import type { Door } from '../address.ts';
import { loadPlugin } from '../plugins.ts';
import { expandSite } from '../presets/expand.ts';
import { crossCheck, nameFor } from './cross-checks.ts';
import { type Fault, type Path, partAt, toFaults, toText } from './faults.ts';
import { checkNamedFiles } from './named-files.ts';
import {
  type Admin,
  read,
  readAdmin,
  readCertificates,
  readTrusted,
  type Trusted,
} from './read.ts';
import { doorsOf, readTls, type Tls } from './read-tls.ts';
import { type ConfigSettings, schema, type WrittenConfig } from './schema.ts';
import type { RouteSettings, SiteSettings, WrittenSite } from './site-schema.ts';

/** One layer of a chain: a plugin, and its options as the plugin checked them. */
export interface ChainEntry {
  readonly plugin: Plugin;
  readonly options: unknown;
}

/** A site in force. In upstreams, `ca` holds the certificates themselves; `files` are absolute. */
export interface SiteConfig
  extends Pick<
    SiteSettings,
    'upstream' | 'headers' | 'timeouts' | 'bodyLimit' | 'hsts' | 'routes' | 'statistics'
  > {
  readonly name: string;
  /** Empty when every name is its own. */
  readonly hosts: readonly string[];
  /** The outermost layer first. */
  readonly chain: readonly ChainEntry[];
}

/** A configuration in force. */
export interface Config extends Pick<ConfigSettings, 'log' | 'scheme' | 'watch' | 'metrics'> {
  readonly listen: readonly Door[];
  readonly tls?: Tls;
  /** Absolute, as is the file in `log`. */
  readonly errorPage?: string;
  readonly admin?: Admin;
  /** The folder of what must survive a restart, absolute. */
  readonly state: string;
  /** Addresses from which PURGE is obeyed. */
  readonly purgeFrom: readonly string[];
  readonly trusted: Trusted;
  readonly sites: readonly SiteConfig[];
  /** The folder from which paths in it are seen. */
  readonly folder: string;
}

/** What became of a configuration. */
export interface Configured {
  /** Everything that is wrong with it; when there is anything, there is nothing else here. */
  readonly faults: readonly Fault[];
  readonly config?: Config;
  /** What is odd about it, though it can be in force. */
  readonly warnings?: readonly Fault[];
  /** The same configuration without presets. */
  readonly expanded?: WrittenConfig;
}

/** Checks what was written, of whatever shape it is. Paths in it are seen from `folder`. */
export async function configure(written: unknown, folder: string): Promise<Configured> {
  const { success, error } = schema.safeParse(written);
  const faults = [
    ...(success ? [] : toFaults(error.issues, written, schema)),
    ...crossCheck(written),
  ];
  const isSound = faults.length === 0;
  const expanded = isSound ? expand(written as WrittenConfig) : written;
  const chains = await chainsOf(expanded, written, folder, faults);
  checkNamedFiles(written, folder, faults);
  if (faults.length > 0) return { faults };

  const settings = schema.parse(expanded);
  const trusted = readTrusted(settings.trusted, folder, faults);
  if (settings.errorPage !== undefined) read(settings.errorPage, folder, ['errorPage'], faults);
  const admin = settings.admin && readAdmin(settings.admin, folder, faults);
  const sites = settings.sites.map((site, index) => {
    const path: Path = ['sites', index];
    const chain = chains[index] ?? [];
    const { hosts = [], name = nameFor(hosts) } = site;
    return { ...withFiles(site, folder, path, faults), hosts, name, chain };
  });
  const warnings: Fault[] = [];
  const listen = doorsOf(settings, folder, faults);
  const where = { folder, doors: listen };
  const tls = settings.tls && readTls(settings.tls, settings, where, { faults, warnings });
  if (faults.length > 0) return { faults };
  const { watch, scheme, errorPage, metrics, purge } = settings;
  const { file, ...log } = settings.log;
  const config = {
    listen,
    ...(tls && { tls }),
    watch,
    log: { ...log, ...(file !== undefined && { file: resolve(folder, file) }) },
    ...(scheme && { scheme }),
    ...(errorPage !== undefined && { errorPage: resolve(folder, errorPage) }),
    ...(admin && { admin }),
    ...(metrics && { metrics }),
    state: resolve(folder, settings.state),
    purgeFrom: purge?.from ?? [],
    trusted,
    sites,
    folder,
  };
  return { faults, warnings, config, expanded: expanded as WrittenConfig };
}

/**
 * The configuration that `written` stands for. Rejects with a `TypeError` that lists everything that
 * is wrong with it.
 */
export async function toConfig(written: WrittenConfig, folder = process.cwd()): Promise<Config> {
  const { faults, config } = await configure(written, folder);
  if (config) return config;
  throw new TypeError(faults.map(({ path, message }) => `${toText(path)}: ${message}`).join('\n'));
}

function expand(written: WrittenConfig): WrittenConfig {
  return { ...written, sites: written.sites.map(expandSite) };
}

/** The chains of all sites; what is wrong with one is added to `faults`. */
async function chainsOf(
  expanded: unknown,
  written: unknown,
  folder: string,
  faults: Fault[],
): Promise<ChainEntry[][]> {
  const sites = partAt(expanded, ['sites']);
  if (!Array.isArray(sites)) return [];
  const chains = sites.map(async (site: Partial<WrittenSite> | null, index) => {
    const given = site?.middleware;
    const layers = (Array.isArray(given) ? given : []).map((layer, position) => ({
      layer,
      path: ['sites', index, 'middleware', position] as Path,
    }));
    if (site?.compress === true)
      layers.unshift({ layer: 'compress', path: ['sites', index, 'compress'] });
    const chain: ChainEntry[] = [];
    for (const { layer, path } of layers) {
      // What a preset brings stands nowhere in the file but in its name.
      const isWritten = partAt(written, path) !== undefined;
      const at: Path = isWritten ? path : ['sites', index, 'preset'];
      const entry = await chainEntry(layer, folder, at, faults);
      if (entry) chain.push(entry);
    }
    return chain;
  });
  return Promise.all(chains);
}

/** One layer, unless it is not even shaped like one, which the schema has said by then. */
async function chainEntry(
  layer: unknown,
  folder: string,
  path: Path,
  faults: Fault[],
): Promise<ChainEntry | undefined> {
  const { use, ...written } = typeof layer === 'string' ? { use: layer } : Object(layer);
  if (typeof use !== 'string' || use === '') return undefined;
  try {
    const plugin = await loadPlugin(use, folder);
    const result = await plugin.options['~standard'].validate(written);
    if (!result.issues) return { plugin, options: result.value };
    faults.push(...toFaults(result.issues, written, plugin.options, path));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    faults.push({ path, message: error.message });
  }
  return undefined;
}

/** The site with its files read, or their places made absolute. */
function withFiles<T extends Pick<SiteSettings, 'upstream' | 'routes'>>(
  site: T,
  folder: string,
  path: Path,
  faults: Fault[],
): T {
  const read = <Part extends Pick<RouteSettings, 'upstream'>>(part: Part, at: Path): Part =>
    part.upstream
      ? { ...part, upstream: readCertificates(part.upstream, folder, [...at, 'upstream'], faults) }
      : part;
  const routes = site.routes.map((route, index) => ({
    ...read(route, [...path, 'routes', index]),
    ...(route.files !== undefined && { files: resolve(folder, route.files) }),
  }));
  return { ...read(site, path), routes };
}
