/** What the configuration says of certificates from an authority: for which names, and where they are kept. */
import { resolve } from 'node:path';
import { isPublicName } from '../acme/names.ts';
import type { Door } from '../address.ts';
import type { Fault } from './faults.ts';
import type { ConfigSettings } from './schema.ts';

type Written = NonNullable<NonNullable<ConfigSettings['tls']>['acme']>;

/** Certificates from an authority as they are in force. */
export interface AcmeSettings extends Pick<Written, 'email' | 'directory' | 'challenge'> {
  readonly names: readonly string[];
  /** Absolute. */
  readonly state: string;
}

/** Finds the names to order for: those of sites that are not `covered` by another certificate. */
export function readAcme(
  { email, directory, challenge }: Written,
  { sites, state }: Pick<ConfigSettings, 'sites' | 'state'>,
  {
    folder,
    doors,
    covered,
  }: {
    readonly folder: string;
    readonly doors: readonly Door[];
    readonly covered: (name: string) => boolean;
  },
  { faults, warnings }: { readonly faults: Fault[]; readonly warnings: Fault[] },
): AcmeSettings {
  const names: string[] = [];
  for (const [site, { hosts = [] }] of sites.entries())
    for (const [index, host] of hosts.entries()) {
      const name = host.toLowerCase();
      const path = ['sites', site, 'hosts', index];
      if (covered(name)) continue;
      if (isPublicName(name)) names.push(name);
      else if (name.includes('*'))
        faults.push({
          path,
          message: `no certificate can be ordered for ${host}: that needs the challenge dns-01, which Headgate can't do. List each name, or name the files of such a certificate in tls.certificates`,
        });
      else warnings.push({ path, message: `no authority gives a certificate for ${host}` });
    }
  if (sites.every(({ hosts = [] }) => hosts.length === 0))
    faults.push({
      path: ['tls', 'acme'],
      message:
        'must know for which names: write hosts: [social.example.org] in each site, or set HEADGATE_HOST',
    });
  if (challenge === 'http-01' && doors.every(({ isTls }) => isTls))
    faults.push({
      path: ['tls', 'acme', 'challenge'],
      message:
        'http-01 comes to port 80: write listen: [":80", "https://:443"], or take tls-alpn-01',
    });
  return {
    directory,
    challenge,
    names,
    state: resolve(folder, state),
    ...(email !== undefined && { email }),
  };
}
