/** Which names a certificate can be ordered for. */

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';

/** At least two labels, the last of which is no number: no address, no `localhost`. */
const NAME = new RegExp(`^(?=.{1,253}$)(?:${LABEL}\\.)+(?![0-9]+$)${LABEL}$`);

/** Whether an authority would know what to do with a name. */
export function isPublicName(name: string): boolean {
  return NAME.test(name.toLowerCase());
}

/** The names in lower case, each once. Throws a `TypeError` that says which can't be ordered, and why. */
export function checkNames(names: readonly string[]): readonly string[] {
  for (const name of names) {
    if (name.includes('*'))
      throw new TypeError(
        `names must be whole: a certificate for "${name}" needs the challenge dns-01, which Headgate can't do. List each name, or get that certificate elsewhere and name its files`,
      );
    if (!isPublicName(name))
      throw new TypeError(`names must be DNS names like social.example.org, got "${name}"`);
  }
  return [...new Set(names.map((name) => name.toLowerCase()))];
}
