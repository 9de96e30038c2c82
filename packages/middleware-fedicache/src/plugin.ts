/** fedicache as the daemon uses it. */
import type { Plugin } from '@headgate/core';
import { fedicache } from './fedicache.ts';
import { type Settings, toSettings } from './options.ts';

/** The plugin that `use: fedicache` names. */
export const plugin: Plugin<Settings> = {
  name: 'fedicache',
  options: { parse: toSettings },
  create: (settings, { store }) => fedicache(settings, { store }),
};
