/** fedicache as the daemon uses it. */
import type { Plugin } from '@headgate/core';
import { fedicache } from './fedicache.ts';
import { type Settings, schema } from './options.ts';

/** The plugin that `use: fedicache` names. */
export const plugin: Plugin<Settings> = {
  name: 'fedicache',
  options: schema,
  create: (settings, { store, background, hosts }) =>
    fedicache(settings, { store, background, hosts }),
};
