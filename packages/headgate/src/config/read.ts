/** Reading the files that a configuration names. What is wrong with one becomes a fault. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { originationBy, type ProxySecret } from '@headgate/core/server';
import type { Place, SocketPath } from '../address.ts';
import type { Fault, Path } from './faults.ts';
import type { AdminSettings, ConfigSettings } from './schema.ts';
import type { UpstreamSettings } from './site-schema.ts';

/** What `trusted` comes to: all addresses, all secrets. */
export interface Trusted {
  readonly proxies: readonly string[];
  readonly secrets: readonly ProxySecret[];
}

/** Reads what the entries of `trusted` name; one that is nothing keeps its place in the list. */
export function readTrusted(
  entries: readonly (ConfigSettings['trusted'][number] | undefined)[],
  folder: string,
  faults: Fault[],
): Trusted {
  const proxies: string[] = [];
  const secrets: ProxySecret[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined) continue;
    if (typeof entry === 'string') proxies.push(entry);
    else if ('file' in entry) {
      const path = ['trusted', index, 'file'];
      const lines = read(entry.file, folder, path, faults)?.split('\n') ?? [];
      for (const [number, line] of lines.entries()) {
        const proxy = line.replace(/#.*/, '').trim();
        if (proxy === '') continue;
        const message = complaint(() => originationBy([proxy]));
        if (message) faults.push({ path, message: `line ${number + 1}: ${message}` });
        else proxies.push(proxy);
      }
    } else {
      const { header, file } = entry.secret;
      const path = ['trusted', index, 'secret', 'file'];
      const value = read(file, folder, path, faults)?.trim();
      if (value === undefined) continue;
      if (value.length < 16)
        faults.push({ path, message: 'holds less than 16 characters, which can be guessed' });
      secrets.push({ header: header.toLowerCase(), value });
    }
  }
  return { proxies, secrets };
}

/** The admin server: its socket's whole path, and the token itself. */
export interface Admin {
  readonly listen: Place;
  readonly hosts: readonly string[];
  readonly token?: string;
}

/** Bytes that the path of a Unix socket may have: 107 on Linux, 103 elsewhere. */
const MAX_SOCKET_PATH = 103;

/** Reads what the settings of the admin server name. */
export function readAdmin(
  { listen, hosts, token, tokenFile }: AdminSettings,
  folder: string,
  faults: Fault[],
): Admin {
  const place =
    'path' in listen ? readSocket(listen.path, folder, ['admin', 'listen'], faults) : listen;
  const path = ['admin', 'tokenFile'];
  if (token !== undefined && tokenFile !== undefined)
    faults.push({ path, message: 'is one token too many: keep one of token, tokenFile' });
  const held = tokenFile === undefined ? undefined : read(tokenFile, folder, path, faults)?.trim();
  const known = tokenFile === undefined ? token : held;
  if (held !== undefined && !/^[!-~]{16,}$/.test(held))
    faults.push({ path, message: 'must hold at least 16 characters, without spaces' });
  return { listen: place, hosts, ...(known !== undefined && { token: known }) };
}

/** The place of a Unix socket, absolute. */
export function readSocket(
  written: string,
  folder: string,
  path: Path,
  faults: Fault[],
): SocketPath {
  const place = { path: resolve(folder, written) };
  if (Buffer.byteLength(place.path) > MAX_SOCKET_PATH)
    faults.push({
      path,
      message: `is too long for a socket, which may have ${MAX_SOCKET_PATH} bytes: ${place.path}`,
    });
  return place;
}

/** The upstream with the certificates themselves in `ca`, in place of their file. */
export function readCertificates(
  upstream: UpstreamSettings,
  folder: string,
  path: Path,
  faults: Fault[],
): UpstreamSettings {
  if (upstream.ca === undefined) return upstream;
  const at = [...path, 'ca'];
  const ca = read(upstream.ca, folder, at, faults);
  if (ca === undefined) return upstream;
  if (complaint(() => createSecureContext({ ca })) || !ca.includes('BEGIN CERTIFICATE'))
    faults.push({ path: at, message: 'holds no certificates in PEM' });
  return { ...upstream, ca };
}

/** The text of a file, unless it can't be read. */
export function read(
  place: string,
  folder: string,
  path: Path,
  faults: Fault[],
): string | undefined {
  try {
    return readFileSync(resolve(folder, place), 'utf8');
  } catch (error) {
    faults.push({ path, message: `can't be read: ${(error as Error).message}` });
    return undefined;
  }
}

function complaint(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
