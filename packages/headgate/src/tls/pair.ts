/** One pair of PEM files: read, and checked to be a pair. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { accessSync, constants, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Pair } from './certificates.ts';

/** Where a pair is; absolute. */
export interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

/** A pair, and what its certificate says. */
export interface KnownPair extends Pair {
  /** DNS names, in lower case. */
  readonly names: readonly string[];
  /** Milliseconds of the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What is wrong with one of the files; to be read after its name. */
export interface PairFault {
  readonly part: keyof PairFiles;
  readonly fault: string;
}

/** Reads a pair, or says why it is none. */
export function readPair(files: PairFiles): KnownPair | PairFault {
  const [cert, certFault] = read(files.cert);
  if (certFault) return { part: 'cert', fault: certFault };
  const [key, keyFault] = read(files.key);
  if (keyFault) return { part: 'key', fault: keyFault };

  const x509 = attempt(() => new X509Certificate(cert));
  if (!x509) return { part: 'cert', fault: 'holds no certificate in PEM' };
  if (/BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(key))
    return {
      part: 'key',
      fault: `is encrypted, and nobody is there to type the passphrase: openssl pkey -in ${files.key} writes it without one`,
    };
  const own = attempt(() => createPrivateKey(key));
  if (!own) return { part: 'key', fault: 'holds no private key in PEM' };
  if (!x509.checkPrivateKey(own))
    return {
      part: 'key',
      fault: `is not the key of the certificate that comes first in ${files.cert}`,
    };
  try {
    createSecureContext({ cert, key }); // as TLS will: a chain may be half written, a key too short
  } catch (error) {
    return { part: 'cert', fault: `can't be used for TLS: ${(error as Error).message}` };
  }
  const names = x509.subjectAltName?.matchAll(/\bDNS:([^,"\s]+)/g) ?? [];
  return {
    cert,
    key,
    names: Array.from(names, ([, name = '']) => name.toLowerCase()),
    notBefore: x509.validFromDate.getTime(),
    notAfter: x509.validToDate.getTime(),
  };
}

/** True when a certificate with these names is good for `host`, which may itself begin with `*.`. */
export function isFor(names: readonly string[], host: string): boolean {
  const [, parent] = /^[^.]+\.(.+)$/.exec(host) ?? [];
  return names.includes(host) || (parent !== undefined && names.includes(`*.${parent}`));
}

/** The text of a file, and why there is none. */
function read(file: string): [text: string, fault?: string] {
  try {
    return [readFileSync(file, 'utf8')];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return ['', code === 'EACCES' ? closed(file) : `can't be read: ${message}`];
  }
}

/** What to do about a file that is there for somebody else. */
function closed(file: string): string {
  const user = me();
  const place = closedAt(file);
  return `can't be read: ${place} is closed to ${user}, the user that runs Headgate. Let that user in (setfacl -R -m u:${user}:rX ${place}), or have a copy made at each renewal (certbot's --deploy-hook "install -o ${user} -m 600 ${file} /etc/headgate/")`;
}

/** The outermost folder on the way to a file that can't be entered, else the file itself. */
function closedAt(file: string): string {
  const folder = dirname(file);
  if (folder === file) return file;
  const above = closedAt(folder);
  if (above !== folder) return above;
  return attempt(() => accessSync(folder, constants.X_OK) ?? true) ? file : folder;
}

function me(): string {
  // A container's user may have no name.
  return attempt(() => userInfo().username) ?? String(process.getuid?.());
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
