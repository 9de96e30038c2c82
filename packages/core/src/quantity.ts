/** Times and sizes as people write them: `5m`, `256KiB`, or a number. The same in every option. */

/** A kind of number that may be written with its unit. */
export interface Quantity {
  /** What a text must look like. */
  readonly pattern: RegExp;
  /** What to tell who wrote something else. */
  readonly error: string;
  /** Milliseconds or bytes, for what fits the pattern; a number stays as it is. */
  readonly parse: (written: number | string) => number;
}

/** `500ms`, `60s`, `5m`, `1h`, `1d`, or a number of milliseconds. */
export const TIME: Quantity = quantity(
  { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 },
  'must be a time like 500ms, 60s, 5m or 1h, or a number of milliseconds',
);

/** `64KiB`, `99MiB`, `1GB`, or a number of bytes. */
export const SIZE: Quantity = quantity(
  { B: 1, kB: 1_000, KiB: 1024, MB: 1_000 ** 2, MiB: 1024 ** 2, GB: 1_000 ** 3, GiB: 1024 ** 3 },
  'must be a size like 64KiB, 99MiB or 1GB, or a number of bytes',
);

function quantity(units: Readonly<Record<string, number>>, error: string): Quantity {
  const pattern = new RegExp(`^(\\d+(?:\\.\\d+)?) ?(${Object.keys(units).join('|')})$`);
  const parse = (written: number | string) => {
    if (typeof written === 'number') return written;
    const [, count, unit = ''] = pattern.exec(written) ?? [];
    return Math.round(Number(count) * (units[unit] ?? 1));
  };
  return { pattern, error, parse };
}
