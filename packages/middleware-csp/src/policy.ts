/** A policy as a value (CSP3 section 2.2): read, and written again with what was not changed as it was. */

/** One place between two semicolons. */
export interface Directive {
  /** In lower case; `''` where there is nothing between the semicolons. */
  readonly name: string;
  /** What the name is followed by, as written. */
  readonly value: readonly string[];
  /** The whole of it, byte for byte. */
  readonly text: string;
}

/** Directives in order. Of two with the same name the first counts. */
export type Policy = readonly Directive[];

/** Why a policy is left as it is: characters that browsers disagree about, or too many of them. */
export type PolicyDoubt = 'characters' | 'too-long';

/** The directives that say where something is loaded from, and hosts can be added to. */
export const LOADING = [
  'child-src',
  'connect-src',
  'font-src',
  'frame-src',
  'img-src',
  'manifest-src',
  'media-src',
  'object-src',
  'script-src',
  'script-src-elem',
  'style-src',
  'style-src-elem',
  'worker-src',
] as const;

/** A directive that hosts can be added to. */
export type Loading = (typeof LOADING)[number];

/** All fetch directives (CSP3 section 6.1), those that browsers dropped or only try included. */
const FETCH: ReadonlySet<string> = new Set([
  ...LOADING,
  'default-src',
  'fenced-frame-src',
  'prefetch-src',
  'script-src-attr',
  'style-src-attr',
]);

/** Characters that a field line, or a policy in a page, may have. Servers refuse heads of this size. */
const MAX_LENGTH = 16 * 1024;

const SPACES = /[\t\n\f\r ]+/;
const NOT_PLAIN = /[^\t\n\f\r -~]/;

/** Tells why a policy, or a list of them, should be left alone, if it should. */
export function policyDoubt(text: string): PolicyDoubt | undefined {
  if (text.length > MAX_LENGTH) return 'too-long';
  return NOT_PLAIN.test(text) ? 'characters' : undefined;
}

/** Reads one policy. `serialise` gives back the same bytes. */
export function parse(text: string): Policy {
  return text.split(';').map(toDirective);
}

/** Writes a policy. */
export function serialise(policy: Policy): string {
  return policy.map(({ text }) => text).join(';');
}

/** The directive of a name, the first if there are more. */
export function find(policy: Policy, name: string): Directive | undefined {
  return policy.find((directive) => directive.name === name);
}

/** The directive with another value, its name and the space before it as they were. */
export function withValue({ text }: Directive, value: readonly string[]): Directive {
  const beginning = /^[\t\n\f\r ]*[^\t\n\f\r ]*/.exec(text)?.[0] ?? '';
  return toDirective([beginning, ...value].join(' '));
}

/** The policy with one more directive: the last, before a semicolon that ends the policy. */
export function withDirective(policy: Policy, name: string, value: readonly string[]): Policy {
  const hasEnd = policy.at(-1)?.name === '';
  const before = hasEnd ? policy.slice(0, -1) : policy;
  const text = [name, ...value].join(' ');
  const added = toDirective(before.length > 0 ? ` ${text}` : text);
  return [...before, added, ...(hasEnd ? policy.slice(-1) : [])];
}

/** True for a directive that says where something is loaded from. */
export function isFetchDirective({ name }: Pick<Directive, 'name'>): boolean {
  return FETCH.has(name);
}

/**
 * True for a policy that forbids to load anything: its only fetch directive is `default-src 'none'`.
 * Mastodon puts such a lock on what users upload.
 */
export function isLock(policy: Policy): boolean {
  const [only, ...others] = policy.filter(isFetchDirective);
  return only?.name === 'default-src' && isNothing(only.value) && others.every(isDuplicate);
}

/** True for a value that allows nothing. */
export function isNothing(value: readonly string[]): boolean {
  return value.every(isNone);
}

/** True for `'none'`, which counts only where it stands alone. */
export function isNone(source: string): boolean {
  return source.toLowerCase() === "'none'";
}

function isDuplicate({ name }: Directive): boolean {
  return name === 'default-src';
}

function toDirective(text: string): Directive {
  const [name = '', ...value] = text.split(SPACES).filter((token) => token !== '');
  return { name: name.toLowerCase(), value, text };
}
