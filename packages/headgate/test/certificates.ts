/** Certificates for tests, made by openssl; none of it is a test. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

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
