/** Asks search engines to leave some pages alone. */
import { channel } from 'node:diagnostics_channel';
import { type Middleware, type Plugin, toSettings, withFields } from '@headgate/core';
import { z } from 'zod';

const schema = z.strictObject({
  paths: z.array(z.string().startsWith('/', 'write a path, like /drafts/')).min(1),
  value: z.string().default('noindex'),
});

/** What may be written. */
export type NoindexOptions = z.input<typeof schema>;

const told = channel('headgate-plugin-noindex');

/** Makes the layer. Throws a `TypeError` for wrong options. */
export function noindex(options: NoindexOptions): Middleware {
  const { paths, value } = toSettings('noindex', schema, options);
  return async (request, next) => {
    const response = await next(request);
    const path = paths.find((path) => request.url.startsWith(path));
    if (path === undefined) return response;
    told.publish({ request, path });
    return { ...response, headers: withFields(response.headers, { 'x-robots-tag': value }) };
  };
}

/** The plugin that `use: ./noindex.ts` names. */
export const plugin: Plugin<z.output<typeof schema>> = {
  name: 'noindex',
  options: schema,
  create: (settings) => ({ middleware: noindex(settings) }),
};
