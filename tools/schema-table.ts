/** What a schema says, as tables of Markdown. */
import type { JsonSchema } from '../packages/headgate/src/config/json-schema.ts';

/** Kinds of values as people call them. */
export function kind(schema: JsonSchema): string {
  const { type, enum: values, anyOf, items, const: only, properties } = schema;
  if (values) return values.map((value) => `\`${value}\``).join(', ');
  if (only !== undefined) return `\`${only}\``;
  if (anyOf) return quantity(anyOf) ?? [...new Set(anyOf.filter(isValue).map(kind))].join(' or ');
  if (type === 'array') return `list of ${items ? kinds(items) : 'anything'}`;
  if (type === 'integer' || type === 'number') return 'number';
  if (type === 'boolean') return '`true` or `false`';
  return type === 'object' || properties ? 'mapping' : 'text';
}

/** What a setting is if nothing is written; nothing where that goes without saying. */
export function fallback({ default: given }: JsonSchema): string {
  if (given === undefined || ['{}', '[]'].includes(JSON.stringify(given))) return '';
  const values: readonly unknown[] = Array.isArray(given) ? given : [given];
  return values.map((value) => `\`${value}\``).join(', ');
}

/** A text that stands in a table. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('’', "'");
}

/** A table whose columns are as wide as the widest of their cells. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const toLine = (row: readonly string[]) =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [head, rule, ...rows].map(toLine).join('\n');
}

/** A number that may be written with a unit: its pattern tells which. */
function quantity(anyOf: readonly JsonSchema[]): string | undefined {
  const pattern = String(anyOf.find(({ pattern }) => pattern)?.pattern ?? '');
  if (pattern.includes('(ms|')) return 'time';
  return pattern.includes('|KiB|') ? 'size' : undefined;
}

function isValue({ type }: JsonSchema): boolean {
  return type !== 'null';
}

function kinds(items: JsonSchema): string {
  return kind(items).replace(/\b(text|mapping)\b/g, '$1s');
}
