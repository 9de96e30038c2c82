/** Builds and packs every package, as it would be published. */
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { createPackageFromTarballData, type Package } from '@arethetypeswrong/core';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/** One package as npm would get it. */
export interface Tarball {
  readonly name: string;
  readonly version: string;
  /** Where it is. */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Paths inside, without the folder that they are all in. */
  readonly files: readonly string[];
  /** The text of one of them. */
  readonly read: (file: string) => string;
  readonly contents: Package;
}

/** Packs everything in `packages` into `folder`, built from scratch. */
export async function tarballs(folder: string): Promise<readonly Tarball[]> {
  // Without what tap adds to a process to measure its coverage.
  await run('env', ['-u', 'NODE_OPTIONS', './dev', 'pack', folder], { cwd: ROOT });
  return globSync('*.tgz', { cwd: folder })
    .toSorted()
    .map((file) => toTarball(join(folder, file)));
}

function toTarball(path: string): Tarball {
  const bytes = new Uint8Array(readFileSync(path));
  const contents = createPackageFromTarballData(bytes);
  const { packageName: name, packageVersion: version } = contents;
  const base = `/node_modules/${name}`;
  return {
    name,
    version,
    path,
    bytes,
    files: contents.listFiles().map((file) => posix.relative(base, file)),
    read: (file) => contents.readFile(`${base}/${file}`),
    contents,
  };
}
