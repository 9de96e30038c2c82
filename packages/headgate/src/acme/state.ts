/** What an account at an authority comes to on disk: its key, certificates, failed attempts. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Pair } from '../tls/certificates.ts';
import { type DatedPair, toDatedPair } from './pair.ts';
import type { Attempt } from './schedule.ts';

/** The folder of an account. */
export interface State {
  /** In PEM. */
  readonly accountKey: string;
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** The pair that was kept for a name, if it is sound. */
  readonly pairFor: (name: string) => Promise<DatedPair | undefined>;
  readonly keepPair: (name: string, pair: Pair) => Promise<void>;
  readonly keepAttempts: (attempts: ReadonlyMap<string, Attempt>) => Promise<void>;
}

const ATTEMPTS = z.record(
  z.string(),
  z.strictObject({ failures: z.int().positive(), after: z.number() }),
);

/**
 * Opens the folder that `directory`'s account has below `folder`, and makes it if there is none. What
 * is damaged there counts as absent, and is told. Rejects, as all of it does, with a `TypeError` where
 * it can't be read or written.
 */
export async function openState(
  folder: string,
  directory: string,
  warn: (message: string) => void,
): Promise<State> {
  const place = join(folder, 'acme', directory.replace(/^\w+:\/+/, '').replace(/[^\w.-]+/g, '-'));
  const certificates = join(place, 'certificates');
  const paths = {
    account: join(place, 'account-key.pem'),
    attempts: join(place, 'attempts.json'),
    pair: (name: string) => join(certificates, `${name}.pem`),
  };

  /** What `parse` makes of a file; nothing where there is none, or none that is sound. */
  const kept = async <T>(path: string, parse: (text: string) => T): Promise<T | undefined> => {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw unusable(folder, error);
    });
    if (text === undefined) return undefined;
    try {
      return parse(text);
    } catch (error) {
      warn(`${path} is damaged, and will be made anew: ${(error as Error).message}`);
      return undefined;
    }
  };

  const keep = (path: string, text: string) =>
    write(path, text).catch((error: Error) => {
      throw unusable(folder, error);
    });

  await mkdir(certificates, { recursive: true, mode: 0o700 }).catch((error: Error) => {
    throw unusable(folder, error);
  });
  let accountKey = await kept(paths.account, toKey);
  if (!accountKey) {
    accountKey = newKey();
    await keep(paths.account, accountKey);
  }
  const attempts = await kept(paths.attempts, (text) => ATTEMPTS.parse(JSON.parse(text)));

  return {
    accountKey,
    attempts: new Map(Object.entries(attempts ?? {})),
    pairFor: (name) => kept(paths.pair(name), (text) => toDatedPair(apart(text), name)),
    keepPair: (name, { cert, key }) => keep(paths.pair(name), `${key.trim()}\n${cert.trim()}\n`),
    keepAttempts: (all) => keep(paths.attempts, JSON.stringify(Object.fromEntries(all), null, 2)),
  };
}

/** Whole or not at all, also when the machine loses power; for nobody else to read. */
async function write(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  await rename(draft, path);
}

/** The key and its certificates are one file: two could be of different orders. */
function apart(text: string): Pair {
  const end = text.indexOf('-----BEGIN CERTIFICATE-----');
  if (end < 0) throw new Error('it holds no certificate');
  return { key: text.slice(0, end), cert: text.slice(end) };
}

/** The key again, if it is one. */
function toKey(pem: string): string {
  createPrivateKey(pem);
  return pem;
}

/** Makes a key on P-256, which every authority knows. */
function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

function unusable(folder: string, { message }: Error): TypeError {
  const user = process.getuid?.();
  const who = user === undefined ? 'Headgate' : `Headgate (user ${user})`;
  return new TypeError(
    `state must be a folder in which ${who} can write, got ${folder}: ${message}`,
  );
}
