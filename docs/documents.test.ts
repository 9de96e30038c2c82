/** What the documents say holds: links lead somewhere, options are those of the schemas, files are accepted. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { toConfig } from 'headgate';
import t from 'tap';
import { parse } from 'yaml';
import { readmes } from '../tools/option-tables.ts';

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
    t.match(read(path), /^# \S+\n\n\S[\s\S]*\n```sh\nnp/, `${path} begins with what it is`);
});

t.test('whole configurations in the documents are accepted', async (t) => {
  let count = 0;
  for (const path of documents)
    for (const code of blocks(read(path), 'yaml')) {
      const written = parse(code);
      if (!written?.sites) continue;
      count += 1;
      await t.resolves(toConfig(written), `${path}: ${code}`);
    }
  t.ok(count >= 4, `${count} were tried`);
});
