/** What the documents say holds: links lead somewhere, options are those of the schemas, files are accepted. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { parse } from 'yaml';
import { configure } from '../packages/headgate/src/config/configure.ts';
import { readmes } from '../tools/option-tables.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const files = (pattern: string | string[]) => globSync(pattern, { cwd: ROOT }).toSorted();

/** Not `**`, which looks into every node_modules. */
const documents = files(['*.md', 'docs/*.md', '{packages,examples,tools}/*/*.md', '*/*.md']);

/** The fenced blocks of a document in one language. */
function blocks(text: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm');
  return Array.from(text.matchAll(fence), ([, code = '']) => code);
}

const prose = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, '');

/** What can stand behind `#`, as forges name headings. */
function anchors(path: string): string[] {
  return Array.from(prose(read(path)).matchAll(/^#+ (.+)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

t.test('links between files lead somewhere', async (t) => {
  const lost: string[] = [];
  let count = 0;
  for (const path of documents)
    for (const [, target = ''] of prose(read(path)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      count += 1;
      const [file = '', anchor] = target.split('#');
      const to = file ? normalize(join(dirname(path), file)) : path;
      if (!existsSync(join(ROOT, to))) lost.push(`${path}: ${target}`);
      else if (anchor !== undefined && !anchors(to).includes(anchor))
        lost.push(`${path}: ${target} has no such heading`);
    }
  t.same(lost, []);
  t.ok(count > 50, `${count} links were followed`);
});

t.test('the index names every document', async (t) => {
  const index = read('docs/README.md');
  for (const path of files('docs/*.md'))
    if (path !== 'docs/README.md') t.ok(index.includes(`](${path.slice(5)})`), path);
  for (const path of files('packages/*/README.md')) t.ok(index.includes(`](../${path})`), path);
});

t.test('the tables of options are those of the schemas; ./dev reference writes them', async (t) => {
  for (const { path, text } of readmes()) {
    t.equal(read(path), text, path);
    t.match(text, /\n\| option +\| value +\| default +\| what it does +\|\n/, path);
  }
});

t.test('the READMEs of the middlewares answer the same questions in the same order', async (t) => {
  const questions = ['Install', 'In Headgate', 'In Express', 'In Fastify', 'In Hono', 'Options'];
  for (const path of files('packages/middleware-*/README.md')) {
    const headings = Array.from(prose(read(path)).matchAll(/^## (.+)$/gm), ([, text]) => text);
    t.same(headings.slice(0, questions.length), questions, path);
    t.equal(headings.includes('What it does not do'), true, path);
  }
  for (const path of files('packages/*/README.md'))
    t.match(read(path), /^# \S+\n\n[A-Z][^#]+\n## Install\n\n```sh\nnp/, `${path}: what, then how`);
  for (const path of files('packages/*/README.md'))
    t.match(read(path), '\n## What it does not do\n', path);
});

t.test('the five minutes of the README of fedicache go as it says', async (t) => {
  const text = read('packages/middleware-fedicache/README.md');
  const [program = ''] = blocks(text, 'ts');
  const [, command = ''] = blocks(text, 'sh');
  const tellPort = 'app.listen(0, "127.0.0.1", function () { console.log(this.address().port) })';
  const folder = t.testdir({ 'app.mjs': program.replace('app.listen(3000)', tellPort) });
  t.match(program, 'app.listen(3000)');
  const app = spawn('env', [
    ...['-u', 'NODE_OPTIONS', process.execPath, '--conditions=@headgate/source'],
    join(folder, 'app.mjs'),
  ]);
  t.teardown(() => app.kill('SIGKILL'));
  const [port] = (await once(app.stdout, 'data')).map((said) => String(said).trim());
  const asked = command.replace('127.0.0.1:3000', `127.0.0.1:${port}`);
  for (const status of [/^cache-status: .*fwd=miss;.* stored/m, /^cache-status: .*; hit/m]) {
    const { stdout } = await run('sh', ['-c', asked]);
    t.match(stdout, status);
    t.match(stdout, '<title>Hello</title>');
    t.notMatch(stdout, 'A long story');
  }
});

t.test('the commands of the README that write and check a configuration do', async (t) => {
  const program = blocks(read('README.md'), 'sh').find((code) => code.startsWith('headgate init'));
  const [init = '', check = ''] = program?.split('\n') ?? [];
  const cli = join(ROOT, 'packages/headgate/src/cli.ts');
  const headgate = `env -u NODE_OPTIONS '${process.execPath}' --conditions=@headgate/source '${cli}'`;
  const cwd = mkdtempSync(join(tmpdir(), 'headgate-')); // a socket's path must be short
  t.teardown(() => rmSync(cwd, { recursive: true }));
  for (const [line, says] of [
    [init, /headgate\.yaml is written/],
    [check, /headgate\.yaml is right/],
  ] as const)
    t.match((await run('sh', ['-c', line.replace('headgate', headgate)], { cwd })).stdout, says);
});

t.test('whole configurations in the documents are accepted', async (t) => {
  let count = 0;
  for (const path of documents)
    for (const code of blocks(read(path), 'yaml')) {
      const written = parse(code);
      if (!written?.sites) continue;
      count += 1;
      const folder = join(ROOT, 'examples/my-middleware'); // where ./noindex.ts is
      const { faults } = await configure(written, folder);
      const isElsewhere = (message: string) => message.startsWith("can't be read: ENOENT");
      const wrong = faults.filter(({ message }) => !isElsewhere(message)); // files of the operator's
      t.same(wrong, [], `${path}: ${code}`);
    }
  t.ok(count >= 4, `${count} were tried`);
});
