/** What is wrong with what somebody wrote, in words: from the issues of zod or any Standard Schema. */
import { z } from 'zod';
import { suggest } from './suggest.ts';

/** The way from the whole to a part, e.g. `['sites', 0, 'upstream']`. */
export type Path = readonly (string | number)[];

/** One thing that is wrong, and where. */
export interface Fault {
  readonly path: Path;
  /** What is wrong and what to write; a whole sentence when read after the path and a colon. */
  readonly message: string;
  /** True when it is the key at the end of the path that is wrong, not its value. */
  readonly isKey?: boolean;
}

/** What is read of an issue: Standard Schema's two members, and those of zod that say more. */
export interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  readonly code?: string;
  readonly expected?: string;
  readonly values?: readonly unknown[];
  readonly keys?: readonly string[];
  readonly errors?: readonly (readonly Issue[])[];
  readonly issues?: readonly Issue[];
}

/** The part of JSON Schema in which names of options are found. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly additionalProperties?: Shape | boolean;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
}

/** Kinds of values as people call them. */
const KINDS: Readonly<Record<string, string>> = {
  array: 'a list',
  boolean: 'true or false',
  int: 'a whole number',
  number: 'a number',
  object: 'a mapping',
  record: 'a mapping',
  string: 'a text',
};

/** The faults that the issues of `schema` with `written` are; paths begin with `at`. */
export function toFaults(
  issues: readonly Issue[],
  written: unknown,
  schema: unknown,
  at: Path = [],
): Fault[] {
  let shape: Shape | undefined;
  const names = (path: Path) => {
    shape ??= shapeOf(schema);
    return namesAt(shape, path);
  };
  return issues
    .flatMap((issue) => explain(issue, [], written, names))
    .map(({ path, ...fault }) => ({
      ...fault,
      path: [...at, ...path],
    }));
}

/** A path as it is written in messages: `sites[0].upstream`. */
export function toText(path: Path): string {
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`,
    )
    .join('');
}

/** The part of `whole` at the end of `path`. */
export function partAt(whole: unknown, path: Path): unknown {
  let part = whole;
  for (const step of path) {
    if (typeof part !== 'object' || part === null || !Object.hasOwn(part, step)) return undefined;
    part = Reflect.get(part, step);
  }
  return part;
}

function explain(
  issue: Issue,
  above: Path,
  written: unknown,
  names: (path: Path) => readonly string[],
): Fault[] {
  const path = [...above, ...pathOf(issue)];
  const within = (inner: readonly Issue[]) =>
    inner.flatMap((each) => explain(each, path, written, names));
  switch (issue.code) {
    case 'unrecognized_keys':
      return (issue.keys ?? []).map((key) => {
        const meant = suggest(key, names(path));
        const hint = meant ? `did you mean ${meant}?` : listing(names(path));
        return {
          path: [...path, key],
          message: `is not known here${hint && `; ${hint}`}`,
          isKey: true,
        };
      });
    case 'invalid_key':
      return within(issue.issues ?? []).map((fault) => ({ ...fault, isKey: true }));
    case 'invalid_union': {
      if (issue.message !== 'Invalid input') break;
      const branches = issue.errors ?? [];
      const choices = branches.map(([first, more]) => (more ? undefined : first?.values));
      if (choices.every((values) => values !== undefined))
        return explain(
          { ...issue, code: 'invalid_value', values: choices.flat() },
          above,
          written,
          names,
        );
      const fitting = branches.filter((branch) => !branch.some(isOfOtherKind));
      const best = fitting.toSorted((one, other) => one.length - other.length)[0];
      if (best) return within(best);
      const kinds = branches.flat().flatMap(({ expected }) => toKind(expected));
      return [{ path, message: mustBe([...new Set(kinds)].join(' or '), partAt(written, path)) }];
    }
    case 'invalid_type':
      if (!issue.message.startsWith('Invalid input')) break;
      return [{ path, message: mustBe(toKind(issue.expected)[0] ?? '', partAt(written, path)) }];
    case 'invalid_value': {
      if (!issue.message.startsWith('Invalid')) break;
      const value = partAt(written, path);
      const values = (issue.values ?? []).map(String);
      const meant = typeof value === 'string' ? suggest(value, values) : undefined;
      const hint = meant ? `, did you mean ${meant}?` : '';
      return [{ path, message: `${mustBe(values.join(', '), value)}${hint}` }];
    }
  }
  return [{ path, message: issue.message }];
}

/** True when a branch of a union is not even about the kind of value that was written. */
function isOfOtherKind(issue: Issue): boolean {
  return issue.code === 'invalid_type' && pathOf(issue).length === 0;
}

function toKind(expected: string | undefined): string[] {
  return expected === undefined ? [] : [KINDS[expected] ?? expected];
}

function mustBe(what: string, value: unknown): string {
  if (value === undefined) return `is missing: it must be ${what}`;
  return `must be ${what}, got ${JSON.stringify(value)?.slice(0, 80)}`;
}

function listing(names: readonly string[]): string {
  return names.length === 0 ? '' : `known are ${names.join(', ')}`;
}

function pathOf({ path = [] }: Issue): Path {
  return path.map((step) => {
    const key = typeof step === 'object' ? step.key : step;
    return typeof key === 'symbol' ? String(key) : key;
  });
}

/** The schema as JSON Schema if it is one of zod; another library's says nothing of its names. */
function shapeOf(schema: unknown): Shape {
  if (!(schema instanceof Object && '_zod' in schema)) return {};
  return z.toJSONSchema(schema as z.ZodType, { io: 'input', unrepresentable: 'any' }) as Shape;
}

function namesAt(shape: Shape, path: Path): string[] {
  let shapes = variants(shape);
  for (const step of path)
    shapes = shapes.flatMap(({ items, properties, additionalProperties }) => {
      const next = typeof step === 'number' ? items : (properties?.[step] ?? additionalProperties);
      return typeof next === 'object' ? variants(next) : [];
    });
  return [...new Set(shapes.flatMap(({ properties = {} }) => Object.keys(properties)))];
}

function variants(shape: Shape): Shape[] {
  const { anyOf = [], oneOf = [], allOf = [] } = shape;
  return [shape, ...[...anyOf, ...oneOf, ...allOf].flatMap(variants)];
}
