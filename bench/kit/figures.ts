/** From measurements to what is printed. */
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

/** One line of a table. */
export type Row = Readonly<Record<string, string | number>>;

/** Prints tables as they come, and keeps them for `--json FILE`. */
export function report(name: string, file: string | undefined) {
  const tables: { title: string; rows: Record<string, Row> }[] = [];
  return (title: string, rows: Record<string, Row>) => {
    console.log(`\n${title}`);
    console.table(rows);
    tables.push({ title, rows });
    if (file === undefined) return;
    const machine = { node: process.version, cores: cpus().length, kernel: release() };
    writeFileSync(file, `${JSON.stringify({ bench: name, machine, tables }, null, 2)}\n`);
  };
}

/** The value at a share of the way from the smallest to the largest, e.g. 0.5 for the median. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** The median. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The median of a ratio and how far its quarters are apart: `1.62 (1.55 … 1.70)`. */
export function ratio(ours: readonly number[], theirs: readonly number[]): string {
  const ratios = ours.map((value, round) => value / (theirs[round] ?? Number.NaN));
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(ratios, share).toFixed(2));
  return `${middle} (${low} … ${high})`;
}

/** So many bytes, for people. */
export function size(bytes: number): string {
  if (bytes < 10_240) return `${Math.round(bytes)} B`;
  if (bytes < 10 * 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
