/** Hosts as one name each, however they are written. */

/**
 * A Host field or a URL's host in the form that two of them are compared in: in lower case, without
 * a default port or the dot that ends an absolute name.
 */
export function hostOf(written: string): string {
  return written
    .toLowerCase()
    .replace(/:(?:80|443)$/, '')
    .replace(/\.(?=:|$)/, '');
}
