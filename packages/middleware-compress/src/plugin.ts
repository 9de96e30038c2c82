/** compress as the daemon uses it. */
import type { Plugin } from '@headgate/core';
import { compress } from './compress.ts';
import { type Settings, schema } from './options.ts';

/** The plugin that `use: compress` names. */
export const plugin: Plugin<Settings> = {
  name: 'compress',
  options: schema,
  create: (settings) => compress(settings),
};
