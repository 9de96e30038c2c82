/** Makes a release: `npm run release` tries it and publishes nothing, `npm run release -- --publish` does. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Tarball, tarballs } from './tarballs.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Where everything that belongs to the release is, tried or not. */
const FOLDER = join(ROOT, 'release');
const BILL = 'headgate.cdx.json';

const isReal = process.argv.includes('--publish');
const { repository } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
if (!repository) {
  const what = 'package.json has no "repository", which npm needs to say where a package was built';
  if (isReal) throw new TypeError(`${what}: write it there and, with "directory", in each package`);
  console.log(`Note: ${what}.`);
}

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER);
const packed = await tarballs(FOLDER);
const versions = new Set(packed.map(({ version }) => version));
if (versions.size !== 1)
  throw new Error(`all packages have one version, not ${[...versions]}: run changeset version`);

billOfMaterials(packed);
// The daemon last, since it depends on all others.
const daemon = packed.filter(({ name }) => name === 'headgate');
for (const { path } of [...packed.filter((each) => !daemon.includes(each)), ...daemon]) {
  const dry = ['--dry-run', '--offline', '--no-provenance'];
  npm('publish', path, ...(isReal ? [] : dry));
}
console.log(
  `${packed.length} packages of version ${[...versions]} and ${BILL} are in ${basename(FOLDER)}/; ${
    isReal ? 'they are published' : 'nothing was published'
  }.`,
);

/** Writes what gets installed with the packages, each with its licence and hash, as CycloneDX. */
function billOfMaterials(packed: readonly Tarball[]): void {
  const dependencies = packed.map(({ name, path }) => [name, `file:${basename(path)}`]);
  const manifest = { name: 'headgate-release', private: true, version: [...versions][0] };
  writeFileSync(
    join(FOLDER, 'package.json'),
    JSON.stringify({ ...manifest, dependencies: Object.fromEntries(dependencies) }),
  );
  npm('install', '--package-lock-only', '--no-audit', '--no-fund', '--prefer-offline');
  const bill = npm('sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--omit', 'dev');
  const { components } = JSON.parse(bill) as { components: readonly { licenses?: unknown }[] };
  const unlicensed = components.filter(({ licenses }) => !licenses);
  if (unlicensed.length > 0)
    throw new Error(`of unknown licence: ${JSON.stringify(unlicensed, undefined, 2)}`);
  writeFileSync(join(FOLDER, BILL), bill);
}

function npm(...args: readonly string[]): string {
  const stdio = ['ignore', 'pipe', isReal ? 'inherit' : 'pipe'] as const;
  return execFileSync('npm', args, { cwd: FOLDER, encoding: 'utf8', stdio: [...stdio] });
}
