/** Checking options: any schema library will do that speaks Standard Schema (zod, valibot, ArkType). */
import type { StandardSchemaV1 } from '@standard-schema/spec';

/** What checks options and fills in their defaults: <https://standardschema.dev>. Never asynchronous. */
export type OptionsSchema<Settings> = StandardSchemaV1<unknown, Settings>;

/**
 * The settings that `written` stands for. Throws a `TypeError` that names the middleware, and every
 * wrong option with what is wrong about it: `fedicache: ttl: expected number, received string`.
 */
export function toSettings<Settings>(
  middleware: string,
  schema: OptionsSchema<Settings>,
  written: unknown,
): Settings {
  const result = schema['~standard'].validate(written);
  if (result instanceof Promise)
    throw new TypeError(`${middleware}: its options are checked asynchronously, which can't be`);
  if (!result.issues) return result.value;
  const problems = result.issues.map(({ message, path = [] }) => {
    const place = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return place ? `${place}: ${message}` : message;
  });
  throw new TypeError(`${middleware}: ${problems.join('; ')}`);
}
