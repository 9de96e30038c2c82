/** Numbers, times and text as they stand in a page. */

const NUMBER = new Intl.NumberFormat('en');
const DATE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
const TIME = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short', timeZone: 'UTC' });
const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'];

/** `12,345`. */
export function number(value: number): string {
  return NUMBER.format(value);
}

/** `1.23 GB`: three digits, a thousand to each unit. */
export function bytes(value: number): string {
  const step = value < 1_000 ? 0 : Math.floor(Math.log10(value) / 3);
  const index = Math.min(step, UNITS.length - 1);
  const format = new Intl.NumberFormat('en', {
    ...{ style: 'unit', unit: UNITS[index], maximumSignificantDigits: 3 },
    unitDisplay: index === 0 ? 'long' : 'short',
  });
  return format.format(value / 1_000 ** index);
}

/** `22 November 2026`, for readers and machines. */
export function date(at: number): string {
  return time(at, DATE.format(at));
}

/** `14:05`, in UTC, for readers and machines. */
export function clock(at: number): string {
  return time(at, TIME.format(at));
}

/** `1 preview`, `2 previews`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** Text that is nothing but text in HTML, in attributes too. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function time(at: number, said: string): string {
  return `<time datetime="${new Date(at).toISOString()}">${said}</time>`;
}
