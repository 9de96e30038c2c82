/** Finding the plugin that somebody named: one of ours, a package, or a file. */
import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from '@headgate/core';
import { suggest } from './config/suggest.ts';

const OURS = '@headgate/middleware-';

/**
 * Loads the plugin called `use`: `./mine.ts` is a file, seen from `folder`; `fedicache` is
 * `@headgate/middleware-fedicache`, else the package of that name, installed in `folder` or with
 * Headgate. Rejects with a `TypeError` that says what to write.
 */
export async function loadPlugin(use: string, folder: string): Promise<Plugin> {
  const url = isPath(use) ? fileUrl(resolve(folder, use), use) : packageUrl(use, folder);
  const { plugin } = await load(url, use);
  if (!isPlugin(plugin))
    throw new TypeError(
      `is not a middleware: "${use}" must export a plugin of { name, options, create }`,
    );
  return plugin;
}

function isPath(use: string): boolean {
  return /^\.{0,2}\//.test(use);
}

/** The URL of a file; another one when it has changed, so that a reload sees the change. */
function fileUrl(path: string, use: string): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw new TypeError(`there is no file "${use}" (${path})`);
  return `${pathToFileURL(path)}?${stats.mtimeMs}`;
}

function packageUrl(use: string, folder: string): string {
  for (const name of [OURS + use, use])
    for (const from of [join(folder, 'headgate.yaml'), fileURLToPath(import.meta.url)]) {
      try {
        return String(pathToFileURL(createRequire(from).resolve(name)));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED')
          throw new TypeError(`the package ${name} must have a "default" among its exports`);
      }
    }
  const meant = suggest(use, installed());
  throw new TypeError(
    `there is no middleware "${use}": neither ${OURS}${use} nor ${use} is installed${meant ? `; did you mean ${meant}?` : ', and a file is written with its path, like ./mine.ts'}`,
  );
}

/** Names of the middlewares that come with Headgate. */
function installed(): string[] {
  const { dependencies } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return Object.keys(dependencies).flatMap((name) =>
    name.startsWith(OURS) ? [name.slice(OURS.length)] : [],
  );
}

async function load(url: string, use: string): Promise<{ plugin?: unknown }> {
  try {
    return await import(url);
  } catch (error) {
    throw new TypeError(`"${use}" can't be loaded: ${(error as Error).message}`, { cause: error });
  }
}

function isPlugin(value: unknown): value is Plugin {
  const { name, options, create } = (value ?? {}) as Partial<Plugin>;
  return typeof name === 'string' && options !== undefined && typeof create === 'function';
}
