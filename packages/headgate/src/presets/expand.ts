/** Writes out what a preset and a CDN stand for: the settings that a person could have written. */
import type { WrittenSite } from '../config/site-schema.ts';
import { PRESETS } from './presets.ts';

/** The site without shorthands. What was written counts more than what a preset says. */
export function expandSite(written: WrittenSite): WrittenSite {
  const { preset: name, streaming, cdn, cdnPaths = [], ...own } = written;
  const preset = name && PRESETS[name];
  const given = preset?.site ?? {};
  const { streamingPath } = preset ?? {};
  const headers = merged(given.headers, own.headers);
  const timeouts = merged(given.timeouts, own.timeouts);
  const isForAll = ({ path }: { readonly path: string }) => path === '/';
  const { files } = own.routes?.find(isForAll) ?? {}; // the preset's paths are among them
  const routes = [
    ...(own.routes ?? []).filter((route) => !isForAll(route)),
    ...(streamingPath && streaming ? [{ path: streamingPath, upstream: streaming }] : []),
    ...(given.routes ?? []).map((route) => ({ ...(files !== undefined && { files }), ...route })),
    ...(own.routes ?? []).filter(isForAll), // before them, it would take theirs too
  ];
  const upstream = own.upstream && withSettings(own.upstream, preset?.upstream);
  const paths = [...(preset?.cdnPaths ?? []), ...cdnPaths];
  return {
    ...given,
    ...own,
    ...(upstream && { upstream }),
    ...(headers && { headers }),
    ...(timeouts && { timeouts }),
    ...(routes.length > 0 && { routes }),
    middleware: own.middleware ?? [...(cdn ? mediaFrom(cdn, paths) : []), 'fedicache'],
  };
}

/** The layers that send people to a CDN for what is under `paths`, and allow them to go there. */
function mediaFrom(cdn: string, paths: readonly string[]): NonNullable<WrittenSite['middleware']> {
  const base = cdn.replace(/\/+$/, '');
  const folders = paths.map((path) => (path.endsWith('/') ? path : `${path}/`));
  const rules = folders.map((folder) => ({ from: folder, to: base + folder }));
  return [{ use: 'media-redirect', rules }, 'csp'];
}

function withSettings(
  written: NonNullable<WrittenSite['upstream']>,
  settings: object | undefined,
): NonNullable<WrittenSite['upstream']> {
  if (!settings) return written;
  if (typeof written === 'string' || Array.isArray(written)) return { to: written, ...settings };
  return { ...settings, ...written };
}

/** Both, and of those that only differ in case the second one. */
function merged<T>(
  given: Readonly<Record<string, T>> = {},
  own: Readonly<Record<string, T>> = {},
): Record<string, T> | undefined {
  const names = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const rest = Object.entries(given).filter(([name]) => !names.has(name.toLowerCase()));
  const all = { ...Object.fromEntries(rest), ...own };
  return Object.keys(all).length > 0 ? all : undefined;
}
