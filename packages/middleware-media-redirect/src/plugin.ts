/** media-redirect as the daemon uses it. */
import type { MediaHost, Plugin } from '@headgate/core';
import { mediaRedirect } from './media-redirect.ts';
import { type Settings, schema } from './options.ts';

/** The plugin that `use: media-redirect` names. */
export const plugin: Plugin<Settings> = {
  name: 'media-redirect',
  options: schema,
  mediaHosts: ({ rules }) => {
    const hosts = new Map<string, MediaHost>();
    for (const { to, kind } of rules) {
      const { origin } = new URL(to);
      // Where assets are, there are images too.
      for (const each of kind === 'assets' ? (['media', 'assets'] as const) : ([kind] as const))
        hosts.set(`${each} ${origin}`, { origin, kind: each });
    }
    return [...hosts.values()];
  },
  create: (settings, { hosts }) => mediaRedirect(settings, { hosts }),
};
