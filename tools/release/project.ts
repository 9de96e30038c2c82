/** The project of somebody who has installed every package, outside the workspace, with plain npm. */
import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Tarball } from './tarballs.ts';

const ROOT = join(import.meta.dirname, '../..');
const NODE_26 = '26.10.0';
const run = promisify(execFile);

/** A command by another Node, and without what tap adds to a process to measure its coverage. */
const by = (node: string, command: string, args: readonly string[]) => {
  const path = [join(node, '..'), join(ROOT, 'node_modules/.bin'), process.env.PATH];
  return ['-u', 'NODE_OPTIONS', `PATH=${path.join(delimiter)}`, command, ...args];
};

/** A folder with everything installed. */
export interface Project {
  /** The Nodes to try; one that has no binary for this machine is `undefined`. */
  readonly nodes: Readonly<Record<string, string | undefined>>;
  /** What a command says; rejects with that and its errors. */
  readonly run: (command: string, args: readonly string[], node?: string) => Promise<string>;
  /** Starts a command; `kill` ends it with all that it started. */
  readonly start: (command: string, args: readonly string[], node?: string) => Started;
}

/** A command that runs. */
export interface Started {
  readonly said: () => string;
  readonly kill: () => void;
}

/** Installs the packages into `folder`, and puts the program in twice: as ES module, as CommonJS. */
export async function project(folder: string, packed: readonly Tarball[]): Promise<Project> {
  const { devDependencies } = json(join(import.meta.dirname, 'package.json'));
  const { devDependencies: root } = json(join(ROOT, 'package.json'));
  const tarballs = packed.map(({ name, path }) => [name, `file:${path}`]);
  const others = Object.entries({
    ...devDependencies,
    '@types/node': root?.['@types/node'],
  }).filter(([name]) => /^(?:@hono|@types|express|fastify|hono|prom-client)/.test(name));
  const binary = `node-${process.platform}-${process.arch}`;
  mkdirSync(folder);
  write(join(folder, 'package.json'), {
    private: true,
    dependencies: Object.fromEntries([...tarballs, ...others]),
    optionalDependencies: { node26: `npm:${binary}@${NODE_26}` },
  });
  for (const [name, type] of [
    ['esm', 'module'],
    ['cjs', 'commonjs'],
  ] as const) {
    mkdirSync(join(folder, name));
    cpSync(join(import.meta.dirname, 'consumer'), join(folder, name), { recursive: true });
    write(join(folder, name, 'package.json'), { type });
    write(join(folder, name, 'tsconfig.json'), {
      compilerOptions: {
        target: 'es2024',
        module: 'nodenext',
        types: ['node'],
        strict: true,
        exactOptionalPropertyTypes: true,
        rewriteRelativeImportExtensions: true,
        rootDir: '.',
      },
    });
  }

  const here = process.execPath;
  const told = async (command: string, args: readonly string[], node = here) => {
    const asked = run('env', by(node, command, args), { cwd: folder });
    const { stdout } = await asked.catch(({ stdout, stderr }) => {
      throw new Error(`${command} ${args.join(' ')}: ${stdout}${stderr}`);
    });
    return stdout;
  };
  const start = (command: string, args: readonly string[], node = here): Started => {
    const child = spawn('env', by(node, command, args), { cwd: folder, detached: true });
    let said = '';
    for (const output of [child.stdout, child.stderr])
      output.on('data', (chunk) => {
        said += chunk;
      });
    return { said: () => said, kill: () => child.pid && process.kill(-child.pid) };
  };

  await told('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline']);
  const node26 = join(folder, 'node_modules/node26/bin/node');
  return {
    nodes: { 'Node 24': here, 'Node 26': existsSync(node26) ? node26 : undefined },
    run: told,
    start,
  };
}

function json(path: string): { readonly devDependencies?: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function write(path: string, value: unknown): void {
  writeFileSync(path, JSON.stringify(value, undefined, 2));
}
