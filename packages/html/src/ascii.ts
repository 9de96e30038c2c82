/** Letters as HTML compares them. */

const UPPER_CASE = /[A-Z]+/g;

/** Lowers A to Z only, unlike `toLowerCase`: bytes beyond ASCII need not be letters in this page. */
export function toAsciiLowerCase(name: string): string {
  const lower = name.toLowerCase();
  return lower === name ? name : name.replace(UPPER_CASE, (letters) => letters.toLowerCase());
}
