/** A configuration as everybody may read it. */

const SECRET = /(?:secret|token|password|passphrase|credentials?|key)s?$/i;

/** What stands beside a secret and is none. */
const HARMLESS = /^(?:header|field|file|name)$/i;

const MASK = '***';

/**
 * A copy of what was written, with `***` in place of what is kept under a name like token, secret,
 * password or key, and of the passwords in URLs.
 */
export function withoutSecrets(written: unknown, isSecret = false): unknown {
  if (Array.isArray(written)) return written.map((item) => withoutSecrets(item, isSecret));
  if (typeof written === 'object' && written !== null)
    return Object.fromEntries(
      Object.entries(written).map(([name, value]) => [
        name,
        withoutSecrets(value, SECRET.test(name) || (isSecret && !HARMLESS.test(name))),
      ]),
    );
  if (isSecret && (typeof written === 'string' || typeof written === 'number')) return MASK;
  return typeof written === 'string'
    ? written.replace(/(?<=^[a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `${MASK}@`)
    : written;
}
