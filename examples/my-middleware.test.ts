/** The middleware of docs/writing-a-middleware.md: the code is the document's, and does what that says. */
import { execFile } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exposition, processRegistry } from '@headgate/metrics';
import { gate, listen, toConfig, toUrl } from 'headgate';
import t from 'tap';
import { site } from './site.ts';

const ROOT = join(import.meta.dirname, '..');
const EXAMPLE = join(import.meta.dirname, 'my-middleware');
const DOCUMENT = readFileSync(join(ROOT, 'docs/writing-a-middleware.md'), 'utf8');
const SOURCE = '--conditions=@headgate/source';
const PATHS = { paths: ['/drafts/'] };

/** What a command says, without what tap adds to a process to measure its coverage. */
function said(cwd: string, ...command: string[]): Promise<string> {
  const running = promisify(execFile)('env', ['-u', 'NODE_OPTIONS', ...command], { cwd });
  return running.then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }) => stdout + stderr,
  );
}

/** Field of an answer to `/drafts/1` by a gate with the middleware that `use` names. */
async function robots(use: string, folder: string): Promise<string | null> {
  const behind = await listen(
    site(() => {}),
    { host: '127.0.0.1', port: 0 },
  );
  const written = { upstream: toUrl(behind.address), middleware: [{ use, ...PATHS }] };
  const { server, close } = await gate(await toConfig({ sites: [written] }, folder));
  const front = await listen(server(), { host: '127.0.0.1', port: 0 });
  const answer = await fetch(`${toUrl(front.address)}/drafts/1`);
  await Promise.all([front.stop(0), behind.stop(0)]);
  await close();
  return answer.headers.get('x-robots-tag');
}

t.test('the document has the files as they are', async (t) => {
  const blocks = DOCUMENT.matchAll(/^`([\w.-]+)`:\n\n```\w+\n([\s\S]*?)^```$/gm);
  const names = Array.from(blocks, ([, name = '', code = '']) => {
    const file = readFileSync(join(EXAMPLE, name), 'utf8');
    // The formatter lays out package.json as npm does, and other JSON in its own way.
    if (name.endsWith('.json')) t.same(JSON.parse(code), JSON.parse(file), name);
    else t.equal(code, file, name);
    return name;
  });
  t.same(names.toSorted(), [
    'counted.ts',
    'headgate.yaml',
    'noindex.test.ts',
    'noindex.ts',
    'package.json',
    'tsconfig.json',
  ]);
});

t.test('its tests pass', async (t) => {
  t.match(await said(EXAMPLE, 'node', SOURCE, '--test'), /^ℹ pass 2\nℹ fail 0$/m);
});

t.test('its configuration is right, and a wrong option is told as the document says', async (t) => {
  const check = ['node', SOURCE, join(ROOT, 'packages/headgate/src/cli.ts'), 'check'];
  t.match(await said(EXAMPLE, ...check), /^headgate\.yaml is right/);
  const folder = t.testdir();
  cpSync(EXAMPLE, folder, { recursive: true });
  const yaml = readFileSync(join(EXAMPLE, 'headgate.yaml'), 'utf8');
  writeFileSync(join(folder, 'headgate.yaml'), yaml.replace('[/drafts/]', '[drafts/]'));
  const [, complaint = ''] = /^```text\n(.+\n)```$/m.exec(DOCUMENT) ?? [];
  t.equal(await said(folder, ...check), complaint);
});

t.test('it works as a file, counted, and as an installed package', async (t) => {
  t.equal(await robots('./noindex.ts', EXAMPLE), 'noindex');
  t.equal(await robots('./counted.ts', EXAMPLE), 'noindex');
  const metrics = await exposition(processRegistry());
  t.match(metrics, /^noindex_pages_total\{path="\/drafts\/"\} 1$/m);
  t.match(metrics, /^process_cpu_seconds_total /m);

  // What tsc makes of it; that it does is part of the test of the packages.
  const built = stripTypeScriptTypes(readFileSync(join(EXAMPLE, 'noindex.ts'), 'utf8'));
  const manifest = readFileSync(join(EXAMPLE, 'package.json'), 'utf8');
  const folder = t.testdir({
    node_modules: {
      'headgate-plugin-noindex': { 'package.json': manifest, dist: { 'noindex.js': built } },
    },
  });
  t.equal(await robots('headgate-plugin-noindex', folder), 'noindex');
});
