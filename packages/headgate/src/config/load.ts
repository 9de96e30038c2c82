/** Loading a configuration: the file, and over it the environment, and over that the command line. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Config, configure } from './configure.ts';
import { CONFIG_VARIABLE, fromEnvironment, type Setting } from './environment.ts';
import { type Fault, type Path, partAt, toFaults, toText } from './faults.ts';
import { type Admin, readAdmin } from './read.ts';
import { adminSchema, type WrittenConfig } from './schema.ts';
import { type Source, toSource } from './source.ts';

/** The file that is looked for where none is named. */
export const DEFAULT_FILE = 'headgate.yaml';

/** Where to load from. */
export interface Loading {
  /** The file, as named on the command line. */
  readonly file?: string;
  readonly environment: NodeJS.ProcessEnv;
  /** What was set on the command line. */
  readonly settings: readonly Setting[];
}

/** What was loaded. */
export interface Loaded {
  /** One line for everything that is wrong: `file:line:col: path: what is wrong, what to write`. */
  readonly problems: readonly string[];
  readonly config?: Config;
  /** Lines of the same kind for what is odd, but can be in force. */
  readonly warnings?: readonly string[];
  readonly expanded?: WrittenConfig;
  /** The file that was read, if there was one. */
  readonly file?: string;
}

/** Loads a configuration. What is wrong with it is in `problems`; nothing is thrown. */
export async function load(loading: Loading): Promise<Loaded> {
  const { file, source, folder, problems, overlay } = gather(loading);
  if (file !== undefined && source && source.errors.length > 0)
    return { file, problems: [...problems, ...source.errors] };

  if (overlay.sites === 0 && !source)
    return {
      problems: [
        ...problems,
        'tell what stands behind Headgate: headgate http://127.0.0.1:3000, or HEADGATE_UPSTREAM, or a file that headgate init writes',
      ],
    };
  if (overlay.sites > 1)
    problems.push(
      ...overlay.places
        .filter(({ path }) => path[0] === 'sites')
        .map(({ label }) => `${label}: is for one site, and the file has ${overlay.sites}`),
    );

  const { faults, warnings, config, expanded } = await configure(overlay.written, folder);
  const tell = ({ path, message, isKey }: Fault) => {
    const label = overlay.places.findLast((place) => isWithin(path, place.path))?.label;
    const place = label ?? source?.place(path, isKey);
    return [place, label ? '' : toText(path), message].filter(Boolean).join(': ');
  };
  problems.push(...faults.map(tell).toSorted(new Intl.Collator('en', { numeric: true }).compare));
  const found = { ...(file !== undefined && { file }), problems };
  if (problems.length > 0 || !config || !expanded) return found;
  return { ...found, config, expanded, warnings: warnings?.map(tell) ?? [] };
}

/**
 * Finds the admin server of a configuration, whatever is wrong with the rest of it. Throws a
 * `TypeError` when there is none, or when its own settings are wrong.
 */
export function loadAdmin(loading: Loading): Admin {
  const { file, source, folder, overlay } = gather(loading);
  const written = partAt(overlay.written, ['admin']);
  if (written === undefined)
    throw new TypeError(
      source?.errors[0] ??
        `no admin server is configured${file === undefined ? '' : ` in ${file}`}: write admin: { listen: "unix:headgate.sock" }, or set HEADGATE_ADMIN`,
    );
  const { data, error } = adminSchema.safeParse(written);
  const faults = error ? toFaults(error.issues, written, adminSchema, ['admin']) : [];
  const admin = data && readAdmin(data, folder, faults);
  if (admin && faults.length === 0) return admin;
  throw new TypeError(faults.map(({ path, message }) => `${toText(path)}: ${message}`).join('\n'));
}

/** Everything that was written, in the file and outside, before it is checked. */
function gather({ file: named, environment, settings }: Loading) {
  const file =
    named ?? environment[CONFIG_VARIABLE] ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const outside = fromEnvironment(environment);
  const source = file === undefined ? undefined : read(file);
  return {
    file,
    source,
    folder: file === undefined ? process.cwd() : dirname(resolve(file)),
    problems: outside.unknown.map(({ name, message }) => `${name}: ${message}`),
    overlay: put(withState(source?.written, environment), [...outside.settings, ...settings]),
  };
}

/** systemd's StateDirectory, where nothing is written of it. */
function withState(written: unknown, { STATE_DIRECTORY: folders }: NodeJS.ProcessEnv): unknown {
  if (!folders || partAt(written, ['state']) !== undefined) return written;
  return set(written, ['state'], folders.split(':')[0]);
}

function read(file: string): Source {
  try {
    return toSource(file, readFileSync(file, 'utf8'));
  } catch (error) {
    const errors = [`${file}: can't be read: ${(error as Error).message}`];
    return { written: undefined, errors, place: () => file };
  }
}

/** What was written with settings from outside put in, where they went, and how many sites there are. */
function put(written: unknown, settings: readonly Setting[]) {
  let whole = written;
  const places = settings.map(({ label, path, value, isItem }) => {
    const list = partAt(whole, path);
    const at = isItem ? [...path, Array.isArray(list) ? list.length : 0] : path;
    whole = set(whole, at, value);
    return { label, path: at };
  });
  const sites = partAt(whole, ['sites']);
  return { written: whole, places, sites: Array.isArray(sites) ? sites.length : 0 };
}

/** A copy of `whole` with `value` at the end of the path. */
function set(whole: unknown, [step, ...rest]: Path, value: unknown): unknown {
  if (step === undefined) return value;
  if (typeof step === 'number') {
    const items: unknown[] = Array.isArray(whole) ? [...whole] : [];
    items[step] = set(items[step], rest, value);
    return items;
  }
  const members = typeof whole === 'object' && whole !== null && !Array.isArray(whole) ? whole : {};
  return { ...members, [step]: set(Reflect.get(members, step), rest, value) };
}

function isWithin(path: Path, outer: Path): boolean {
  return outer.every((step, index) => path[index] === step);
}
