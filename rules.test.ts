/** The laws of the house, as tests: who imports whom, what is declared, documented and alike. */
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

const ROOT = import.meta.dirname;
const run = promisify(execFile);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly exports?: Record<string, Record<string, string>>;
  readonly bin?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly [field: string]: unknown;
}

interface Package {
  readonly folder: string;
  readonly manifest: Manifest;
  /** Paths below the package's folder. */
  readonly sources: readonly string[];
  readonly tests: readonly string[];
}

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const files = (pattern: string) => globSync(pattern, { cwd: ROOT }).toSorted();

const packages: readonly Package[] = files('packages/*/package.json').map((path) => {
  const folder = dirname(path);
  return {
    folder,
    manifest: JSON.parse(read(path)),
    sources: files(`${folder}/src/**/*.ts`),
    tests: files(`${folder}/test/**/*.ts`),
  };
});

/** What a file imports, as written: `@headgate/core/server`, `./body.ts`, `node:http`. */
function importsOf(path: string): string[] {
  const found = read(path).matchAll(
    /(?:^|\n)\s*(?:import|export)\b[^;]*?\bfrom '([^']+)'|\bimport\(?\s*'([^']+)'/g,
  );
  return Array.from(found, ([, from, dynamic]) => from ?? dynamic ?? '');
}

/** The package that an import comes from; nothing for a file of the same package or Node itself. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

t.test('packages of ours import each other only as the table says', async (t) => {
  const middleware = ['@headgate/core', '@headgate/fedi-agents', '@headgate/html'];
  const table: Record<string, readonly string[]> = {
    '@headgate/core': [],
    '@headgate/fedi-agents': [],
    '@headgate/html': [],
    '@headgate/store': ['@headgate/core'],
    '@headgate/metrics': ['@headgate/core'],
    '@headgate/middleware-compress': ['@headgate/core'],
    '@headgate/middleware-fedicache': [...middleware, '@headgate/store'],
    '@headgate/middleware-media-redirect': middleware,
    '@headgate/middleware-csp': middleware,
  };
  const wrong: string[] = [];
  for (const { manifest, sources } of packages) {
    if (manifest.name === 'headgate') continue;
    const allowed = table[manifest.name];
    t.ok(allowed, `${manifest.name} is in the table`);
    for (const path of sources)
      for (const specifier of importsOf(path)) {
        const name = packageOf(specifier);
        if (name === 'headgate' || name?.startsWith('@headgate/'))
          if (!allowed?.includes(name)) wrong.push(`${path} imports ${specifier}`);
      }
  }
  t.same(wrong, []);
});

t.test('what is costly or dangerous has one home', async (t) => {
  const wrong: string[] = [];
  const homes: [what: RegExp, homes: readonly RegExp[]][] = [
    [/^htmlparser2/, [/^packages\/html\/src\//]],
    [/^prom-client/, [/^packages\/metrics\/src\//]],
    [/^lru-cache/, [/^packages\/store\/src\//]],
    [/^http-proxy-3/, [/^packages\/core\/src\/upgrade\.ts$/]],
    [
      /^node:(?:http|https|http2)$/,
      [
        /^packages\/core\/src\/(?:server|admission|tls|http2|http2-head|serve-stream|send-on|unparsed|serve|receive|guard|linger|pace|send|pool|upload|upstream|upgrade|connect|intercept)\.ts$/,
        /^packages\/headgate\/src\/(?:gate|doors|listeners|run|admin\/(?:admin|client|unix-socket))\.ts$/,
      ],
    ],
    [/^(?:commander|pino|pino-pretty|yaml)$/, [/^packages\/headgate\/src\//]],
  ];
  for (const path of packages.flatMap(({ sources }) => sources))
    for (const specifier of importsOf(path))
      for (const [what, allowed] of homes)
        if (what.test(specifier) && !allowed.some((home) => home.test(path)))
          wrong.push(`${path} imports ${specifier}`);
  t.same(wrong, []);
});

t.test('what is imported is declared, and what is declared is imported', async (t) => {
  const wrong: string[] = [];
  for (const { folder, manifest, sources, tests } of packages) {
    const runtime = { ...manifest.dependencies, ...manifest.peerDependencies };
    const all = { ...runtime, ...manifest.devDependencies };
    const used = new Set<string>();
    for (const path of [...sources, ...tests])
      for (const specifier of importsOf(path)) {
        if (isBuiltin(specifier) && !specifier.startsWith('node:'))
          wrong.push(`${path}: write node:${specifier}`);
        const name = packageOf(specifier);
        if (name === undefined || name === manifest.name || name === 'tap') continue;
        used.add(name);
        const isTypeOnly = new RegExp(`import type [^;]*from '${specifier}'`).test(read(path));
        const declared = sources.includes(path) && !isTypeOnly ? runtime : all;
        if (!(name in declared)) wrong.push(`${folder}/package.json must declare ${name}: ${path}`);
      }
    // Plugins are loaded by the names that stand in configurations; prom-client is what metrics asks for.
    const isPlugin = (name: string) =>
      manifest.name === 'headgate' && /^(?:@headgate\/middleware-|prom-client$)/.test(name);
    for (const name of Object.keys(runtime))
      if (!used.has(name) && !isPlugin(name))
        wrong.push(`${folder}/package.json declares ${name} for nothing`);
    if ('tap' in runtime) wrong.push(`${folder} must not need tap to run`);
  }
  t.same(wrong, []);
});

t.test('no file imports itself through others', async (t) => {
  const wrong: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (path: string, trail: readonly string[]) => {
    if (state.get(path) === 'open') wrong.push([...trail, path].join(' → '));
    if (state.has(path)) return;
    state.set(path, 'open');
    for (const specifier of importsOf(path))
      if (specifier.startsWith('.')) visit(join(dirname(path), specifier), [...trail, path]);
    state.set(path, 'done');
  };
  for (const path of packages.flatMap(({ sources }) => sources)) visit(path, []);
  t.same(wrong, []);
  t.ok(state.size > 30, 'all files were looked at');
});

t.test('every export says what it is, and nothing is exported by default', async (t) => {
  const wrong: string[] = [];
  for (const path of packages.flatMap(({ sources }) => sources)) {
    const lines = read(path).split('\n');
    for (const [index, line] of lines.entries()) {
      const declares = /^export (?:async )?(?:function\*?|const|interface|type|class) \w/;
      const isDocumented = /\*\/$/.test(lines[index - 1] ?? '');
      if (/^export default|^export \*/.test(line)) wrong.push(`${path}:${index + 1}: ${line}`);
      if (declares.test(line) && !isDocumented) wrong.push(`${path}:${index + 1}: ${line}`);
    }
  }
  t.same(wrong, []);
});

t.test('files are small and named for what they do', async (t) => {
  const wrong: string[] = [];
  for (const path of packages.flatMap(({ sources }) => sources)) {
    const isPlain = /^[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(basename(path));
    const isVague = /\b(?:utils?|helpers?|common|misc|manager|base)\b/.test(path);
    if (!isPlain || isVague) wrong.push(`${path}: say what it does, in kebab-case`);
    const { length } = read(path).split('\n');
    if (length > 260) wrong.push(`${path} has ${length} lines: it is probably two ideas`);
  }
  t.same(wrong, []);
});

t.test('packages are alike', async (t) => {
  const [first] = packages;
  for (const { folder, manifest, sources } of packages) {
    for (const field of ['version', 'type', 'license', 'engines', 'files', 'sideEffects'])
      t.same(manifest[field], first?.manifest[field], `${folder}: ${field}`);
    t.match(manifest.name, /^(?:headgate|@headgate\/[a-z-]+)$/);
    t.equal(
      basename(folder),
      manifest.name.replace('@headgate/', ''),
      `${folder} is named for its package`,
    );
    t.match(manifest.description, /^[A-Z].*\.$/, `${folder}: description is a sentence`);
    for (const file of ['README.md', 'LICENSE', 'tsconfig.build.json'])
      t.ok(existsSync(join(ROOT, folder, file)), `${folder}/${file}`);
    for (const [subpath, conditions] of Object.entries(manifest.exports ?? {})) {
      const file = subpath === '.' ? 'index' : subpath.slice(2);
      t.same(
        Object.entries(conditions),
        [
          ['@headgate/source', `./src/${file}.ts`],
          ['types', `./dist/${file}.d.ts`],
          ['default', `./dist/${file}.js`],
        ],
        `${folder} exports ${subpath}`,
      );
      t.ok(sources.includes(`${folder}/src/${file}.ts`), `${folder}/src/${file}.ts is there`);
    }
    const build = JSON.parse(read('tsconfig.build.json')).references as { path: string }[];
    t.ok(
      build.some(({ path }) => path === `${folder}/tsconfig.build.json`),
      `${folder} is built`,
    );
  }
});

t.test('the TypeScript in the READMEs and the docs type-checks', async (t) => {
  const folder = join(ROOT, '.tap', 'snippets');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const names: string[] = [];
  for (const path of [
    ...files('*.md'),
    ...files('docs/**/*.md'),
    ...files('packages/*/README.md'),
  ]) {
    // A block that is a file of its own, `name.ts`:, can be imported by others of its document.
    const blocks = read(path).matchAll(/(?:^`([\w.-]+\.ts)`:\n\n)?^```ts\n([\s\S]*?)^```$/gm);
    for (const [index, [, file, code = '']] of [...blocks].entries()) {
      const name = join(path.replace(/\W+/g, '-'), file ?? `${index + 1}.ts`);
      names.push(name);
      mkdirSync(join(folder, dirname(name)), { recursive: true });
      writeFileSync(join(folder, name), `${code}\nexport {};\n`);
    }
  }
  t.ok(names.length > 0, 'there are some');
  const config = {
    extends: '../../tsconfig.base.json',
    compilerOptions: { noEmit: true },
    files: names,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  // Without what tap adds to a process to measure its coverage, which tsc doesn't bear.
  const said = await run('env', ['-u', 'NODE_OPTIONS', 'tsc', '-p', folder], { cwd: ROOT }).then(
    () => '',
    ({ stdout, stderr }) => stdout + stderr,
  );
  t.equal(said, '', 'tsc has nothing to say');
});
