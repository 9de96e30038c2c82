/** What the configuration says of TLS, with its files read and looked through. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Door, toDoor } from '../address.ts';
import { isFor, type KnownPair, type PairFiles, readPair } from '../tls/pair.ts';
import type { Fault, Path } from './faults.ts';
import { readSocket } from './read.ts';
import { type AcmeSettings, readAcme } from './read-acme.ts';
import type { ConfigSettings } from './schema.ts';

/** TLS as it is in force. Paths are absolute. */
export interface Tls extends Pick<Settings, 'minVersion' | 'redirect'> {
  readonly certificates: readonly PairFiles[];
  readonly challenge: Challenge;
  readonly acme?: AcmeSettings;
}

/** Who answers challenges: a folder, a URL, or the application. */
export type Challenge = { readonly folder: string } | { readonly url: string } | 'upstream';

type Settings = NonNullable<ConfigSettings['tls']>;

const PLAIN = ['127.0.0.1:8080'];
const WITH_TLS = [':80', 'https://:443'];

/** Where to listen; where nothing is said of it, where people look. */
export function doorsOf(
  { listen, tls }: ConfigSettings,
  folder: string,
  faults: Fault[],
): readonly Door[] {
  const doors = (listen ?? (tls ? WITH_TLS : PLAIN).map(toDoor)).map((door) => {
    if (!('path' in door.at)) return door;
    return { ...door, at: readSocket(door.at.path, folder, ['listen'], faults) };
  });
  const isTls = doors.some((door) => door.isTls);
  if (tls && !isTls)
    faults.push({
      path: ['tls'],
      message: 'is for nothing: no place in listen speaks TLS; write one like https://:443 there',
    });
  if (isTls && !tls?.certificates.length && !tls?.acme)
    faults.push({
      path: ['tls', 'certificates'],
      message:
        'is missing, and listen has a place that speaks TLS: write - { cert: fullchain.pem, key: privkey.pem }, or set HEADGATE_TLS_CERT and HEADGATE_TLS_KEY, or HEADGATE_ACME to have one issued',
    });
  return doors;
}

/** Reads what is said of TLS; what is merely odd is added to `warnings`. */
export function readTls(
  { certificates, acme, challenge, minVersion, redirect }: Settings,
  settings: Pick<ConfigSettings, 'sites' | 'state'>,
  { folder, doors }: { readonly folder: string; readonly doors: readonly Door[] },
  { faults, warnings }: { readonly faults: Fault[]; readonly warnings: Fault[] },
): Tls {
  const pairs: KnownPair[] = [];
  const files = certificates.map(({ cert, key }, index) => {
    const at: Path = ['tls', 'certificates', index];
    const found = { cert: resolve(folder, cert), key: resolve(folder, key) };
    const pair = readPair(found);
    if ('fault' in pair) faults.push({ path: [...at, pair.part], message: pair.fault });
    else {
      pairs.push(pair);
      const message = outOfDate(pair);
      if (message) warnings.push({ path: [...at, 'cert'], message });
    }
    return found;
  });
  if (!acme && pairs.length === certificates.length && pairs.length > 0)
    warnings.push(...uncovered(settings.sites, pairs));
  const covered = (name: string) => pairs.some(({ names }) => isFor(names, name));
  const where = { folder, doors, covered };
  return {
    certificates: files,
    minVersion,
    redirect,
    challenge: readChallenge(challenge, folder, faults),
    ...(acme && { acme: readAcme(acme, settings, where, { faults, warnings }) }),
  };
}

function readChallenge(written: string, folder: string, faults: Fault[]): Challenge {
  if (written === 'upstream') return written;
  if (/^[a-z]+:\/\//.test(written)) return { url: written };
  const path = resolve(folder, written);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    faults.push({
      path: ['tls', 'challenge'],
      message: `must be a folder that is there, a URL like http://127.0.0.1:8888, or upstream, got "${written}"`,
    });
  return { folder: path };
}

function outOfDate({ notBefore, notAfter }: KnownPair): string | undefined {
  const now = Date.now();
  const day = (time: number) => new Date(time).toISOString().slice(0, 10);
  if (now > notAfter) return `expired on ${day(notAfter)}: browsers refuse it`;
  if (now < notBefore) return `is not valid before ${day(notBefore)}: is the clock right?`;
  return undefined;
}

/** The names of sites that no certificate is for. */
function uncovered(sites: ConfigSettings['sites'], pairs: readonly KnownPair[]): Fault[] {
  const [{ names } = { names: [] }] = pairs;
  return sites.flatMap(({ hosts = [] }, site) =>
    hosts.flatMap((host, index) => {
      const name = host.toLowerCase();
      if (name === '*' || name.startsWith('[') || pairs.some((pair) => isFor(pair.names, name)))
        return [];
      const message = `no certificate is for ${host}: who asks for it is shown the one for ${names.join(', ') || 'no name'}`;
      return [{ path: ['sites', site, 'hosts', index], message }];
    }),
  );
}
