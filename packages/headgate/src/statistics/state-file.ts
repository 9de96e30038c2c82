/** A small JSON file that survives a restart, and a machine that loses its power while it is written. */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';

/** Bytes that are read: a file of ours is far smaller. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Reads what `writeState` wrote. Resolves to nothing where there is no file; rejects with why one can't be
 * used.
 */
export async function readState<Shape>(
  path: string,
  shape: z.ZodType<Shape>,
): Promise<Shape | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new RangeError(`it has ${size} bytes`);
    return shape.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes the file whole or not at all, and its folder if there is none. For this user only. */
export async function writeState(path: string, value: unknown): Promise<void> {
  const next = `${path}.new`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(next, JSON.stringify(value), { mode: 0o600, flush: true });
  await rename(next, path);
}
