/** A stand-in for the official Node image, where no registry of images can be reached. */
import { execFile } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The npm that the official image of Node 24 has, near enough. */
const NPM = 'npm@11';

/** What tap adds to a process to measure its coverage is for this one alone. */
const { NODE_OPTIONS: _, ...env } = process.env;

/** Runs a program to its end and gives what it wrote. Rejects with what it complained of. */
export async function said(program: string, args: readonly string[]): Promise<string> {
  const options = { env, maxBuffer: 64 * 1024 ** 2 };
  return (await promisify(execFile)(program, args, options)).stdout;
}

/**
 * Makes an image under the name of the official one, out of Debian's packages, the Node that runs this
 * and npm. What this machine needs to reach npm's registry is in it too.
 */
export async function standIn(
  folder: string,
  image: string,
  buildah: (...args: string[]) => Promise<string>,
): Promise<void> {
  const [, version, suite = ''] = /:([\d.]+)-([a-z]+)-slim$/.exec(image) ?? [];
  if (process.versions.node !== version)
    throw new Error(`this is Node ${process.versions.node}, the image is to have ${version}`);
  const debian = join(folder, 'debian.tar');
  await said('mmdebstrap', ['--quiet', '--variant=minbase', suite, debian]);
  const prefix = join(folder, 'prefix');
  await said('npm', ['install', '--global', '--silent', `--prefix=${prefix}`, NPM]);
  copyFileSync(process.execPath, join(prefix, 'bin/node'));

  const container = await buildah('from', 'scratch');
  await buildah('add', container, debian, '/');
  await buildah('copy', container, prefix, '/usr/local');
  const { NODE_EXTRA_CA_CERTS: authority } = env;
  if (authority) {
    await buildah('copy', container, authority, '/authority.pem');
    await buildah('config', '--env', 'NODE_EXTRA_CA_CERTS=/authority.pem', container);
  }
  await buildah('commit', '--quiet', '--rm', container, image);
}
