/** csp as the daemon uses it. */
import type { MediaHost, Plugin } from '@headgate/core';
import { csp } from './csp.ts';
import { type Settings, schema } from './options.ts';

/** The plugin that `use: csp` names. It allows what other plugins send people to. */
export const plugin: Plugin<Settings> = {
  name: 'csp',
  options: schema,
  create: (settings, { mediaHosts }) => ({
    middleware: csp({
      ...settings,
      media: [...settings.media, ...originsOf(mediaHosts, 'media')],
      assets: [...settings.assets, ...originsOf(mediaHosts, 'assets')],
    }),
  }),
};

function originsOf(hosts: readonly MediaHost[], kind: MediaHost['kind']): string[] {
  return hosts.filter((host) => host.kind === kind).map(({ origin }) => origin);
}
