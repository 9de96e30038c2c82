/** Certificates for tests, made by openssl; none of it is a test. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';
import type { Test } from 'tap';
import type { Pair } from '../src/tls/certificates.ts';

/** A folder that is gone after the test. */
export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** False where there is openssl, else why the tests that need it are skipped. */
export const withoutOpenssl = (() => {
  try {
    execFileSync('openssl', ['version']);
    return false;
  } catch {
    return 'needs openssl (Debian: openssl)';
  }
})();

/** Writes `NAME.crt` and `NAME.key` for these names into a folder; good for a day. */
export function certificate(into: string, name: string, names: readonly string[]) {
  const files = { cert: join(into, `${name}.crt`), key: join(into, `${name}.key`) };
  const altNames = names.map((each) => (/^[\d.]+$/.test(each) ? `IP:${each}` : `DNS:${each}`));
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${altNames.join(',')}`];
  const where = ['-days', '1', '-keyout', files.key, '-out', files.cert];
  execFileSync('openssl', [...args, ...subject, ...where], { stdio: 'ignore' });
  return {
    ...files,
    certText: readFileSync(files.cert, 'utf8'),
    keyText: readFileSync(files.key, 'utf8'),
  };
}

const P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A certificate for a name that nobody but its own key vouches for, with any life. In milliseconds. */
export async function selfSigned(
  name: string,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<Pair> {
  const keys = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=headgate',
    notBefore: new Date(from),
    notAfter: new Date(to),
    signingAlgorithm: P256,
    keys,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: name }])],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  const lines = pkcs8.toString('base64').match(/.{1,64}/g) ?? [];
  const key = ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
  return { cert: `${made.toString('pem')}\n`, key };
}
