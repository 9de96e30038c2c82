/** The configuration's schema as JSON Schema, for editors and for the reference. */
import { z } from 'zod';
import { schema } from './schema.ts';

/** JSON Schema, as far as it is used here. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly [keyword: string]: unknown;
}

/** What may be written in the file. */
export function toJsonSchema(): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
}
