/** Writes the table of options in the README of each middleware from its schema: `./dev reference`. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Plugin } from '@headgate/core';
import { plugin as compress } from '@headgate/middleware-compress';
import { plugin as csp } from '@headgate/middleware-csp';
import { plugin as fedicache } from '@headgate/middleware-fedicache';
import { plugin as mediaRedirect } from '@headgate/middleware-media-redirect';
import { z } from 'zod';
import type { JsonSchema } from '../packages/headgate/src/config/json-schema.ts';
import { cell, fallback, kind, table } from './schema-table.ts';

const PLUGINS: readonly Pick<Plugin, 'name' | 'options'>[] = [
  compress,
  csp,
  fedicache,
  mediaRedirect,
];

/** The READMEs with tables of options, as they should be. */
export function readmes(): { readonly path: string; readonly text: string }[] {
  return PLUGINS.map(({ name, options }) => {
    const path = `packages/middleware-${name}/README.md`;
    const written = readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
    const schema = z.toJSONSchema(options as z.ZodType, { io: 'input' }) as JsonSchema;
    const rows = rowsOf(schema).map((row) => row.map(cell));
    const optionTable = table(['option', 'value', 'default', 'what it does'], rows);
    const start = written.indexOf('\n|', written.indexOf('\n## Options\n')) + 1;
    const end = written.indexOf('\n\n', start);
    const text = written.slice(0, start) + optionTable + written.slice(end);
    return { path, text };
  });
}

function rowsOf({ properties = {} }: JsonSchema, prefix = ''): string[][] {
  return Object.entries(properties).flatMap(([name, option]) => {
    const path = prefix + name;
    const [what = '', told] = (option.description ?? '').split(' Default: ');
    const row = [`\`${path}\``, kind(option), told?.replace(/\.$/, '') ?? fallback(option), what];
    const inside = option.items ? rowsOf(option.items, `${path}[].`) : rowsOf(option, `${path}.`);
    return [row, ...inside];
  });
}

if (import.meta.main)
  for (const { path, text } of readmes())
    writeFileSync(new URL(`../${path}`, import.meta.url), text);
