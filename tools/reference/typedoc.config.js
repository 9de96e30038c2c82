/** What `./dev api` writes into docs/api: every export of every package, from the docstrings. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

const entryPoints = globSync('packages/*/package.json', { cwd: ROOT })
  .toSorted()
  .flatMap((path) => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
    return Object.values(exports).map((entry) =>
      join(ROOT, dirname(path), entry['@headgate/source']),
    );
  });

/** @type {Partial<import('typedoc').TypeDocOptions>} */
const options = {
  name: 'Headgate',
  readme: 'none',
  entryPoints,
  tsconfig: join(ROOT, 'tsconfig.json'),
  out: join(ROOT, 'docs/api'),
  disableSources: true,
  skipErrorChecking: true, // by an older TypeScript than ours
  validation: { invalidLink: true, notExported: true, invalidPath: true, notDocumented: false },
  treatWarningsAsErrors: true,
};

export default options;
