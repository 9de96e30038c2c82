/** noindex, counted: `use: ./counted.ts`. */
import { subscribe } from 'node:diagnostics_channel';
import { Counter, register } from 'prom-client';

export { plugin } from './noindex.ts';

register.removeSingleMetric('noindex_pages_total'); // a reload of this file makes it anew
const pages = new Counter({
  name: 'noindex_pages_total',
  help: 'Pages that search engines were asked to leave alone.',
  labelNames: ['path'],
});

subscribe('headgate-plugin-noindex', (message) => {
  const { path } = message as { path: string }; // of the configuration, never what a client sent
  pages.inc({ path });
});
