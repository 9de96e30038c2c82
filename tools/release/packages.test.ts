/** What is published: every package is packed, looked at and used. `npm run test:packages`. */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { checkPackage } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import t from 'tap';
import { project } from './project.ts';
import { tarballs } from './tarballs.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Outside the workspace, where nothing else could be found. */
const folder = mkdtempSync(join(tmpdir(), 'headgate-packages-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const packed = await tarballs(join(folder, 'packed'));
const { nodes, run, start } = await project(join(folder, 'project'), packed);

t.test('every package is packed', async (t) => {
  const folders = readdirSync(join(ROOT, 'packages'));
  t.same(packed.map(({ name }) => name.replace('@headgate/', '')).toSorted(), folders.toSorted());
});

for (const { name, bytes, contents, files, read } of packed) {
  t.test(`${name} has what is needed and nothing else`, async (t) => {
    const isExpected = (file: string) =>
      /^(?:package\.json|README\.md|LICENSE|src\/.+\.ts|dist\/.+\.(?:js|d\.ts)(?:\.map)?)$/.test(
        file,
      );
    t.same(
      files.filter((file) => !isExpected(file)),
      [],
    );
    for (const file of ['README.md', 'LICENSE', 'dist/index.js', 'dist/index.d.ts'])
      t.ok(files.includes(file), file);
    const maps = files.filter((file) => file.endsWith('.map'));
    t.ok(maps.length > 0, 'there are source maps');
    const lost = maps.filter((map) => {
      const { sources } = JSON.parse(read(map)) as { sources: readonly string[] };
      return sources.some((source) => !files.includes(posix.join(posix.dirname(map), source)));
    });
    t.same(lost, [], 'maps lead to sources that are there');
  });

  t.test(`${name} says rightly how it is imported`, async (t) => {
    const { messages, pkg } = await publint({
      pack: { tarball: bytes.slice().buffer },
      strict: true,
      level: 'suggestion',
    });
    t.same(
      messages.map((message) => formatMessage(message, pkg, { color: false })),
      [],
    );

    const { types, ...checked } = await checkPackage(contents);
    t.ok(types, 'it has types');
    // Old resolvers, and `import x = require()` of an ES module, are not promised.
    const isPromised = (kind: string) => kind === 'node16-esm' || kind === 'bundler';
    const problems = 'problems' in checked ? checked.problems : [];
    t.same(
      problems.filter(
        (problem) => !('resolutionKind' in problem) || isPromised(problem.resolutionKind),
      ),
      [],
    );
  });
}

t.test('a program that uses every package type-checks', async (t) => {
  t.equal(await run('tsc', ['-p', 'esm']), '', 'nodenext, as an ES module');
  t.equal(await run('tsc', ['-p', 'cjs']), '', 'nodenext, as CommonJS');
  const bundler = ['--module', 'preserve', '--moduleResolution', 'bundler', '--noEmit'];
  t.equal(await run('tsc', ['-p', 'esm', ...bundler]), '', 'bundler');
});

for (const [name, node] of Object.entries(nodes)) {
  const skip = node === undefined && `there is no ${name} for this machine in the registry`;
  t.test(`it runs on ${name}`, { skip }, async (t) => {
    for (const kind of ['esm', 'cjs'])
      t.match(await run('node', [`${kind}/program.js`], node), /^4 applications ran on Node 2[46]/);
  });

  t.test(`the daemon runs on ${name}`, { skip }, async (t) => {
    t.equal(
      await run('npx', ['--no-install', 'headgate', '--version'], node),
      `${packed[0]?.version}\n`,
    );
    const site = createServer((req, res) => res.end(`asked for ${req.url}`));
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    t.teardown(() => site.close());
    const behind = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    const daemon = ['--no-install', 'headgate', behind, '--listen', '127.0.0.1:0'];
    const { said, kill } = start('npx', daemon, node);
    t.teardown(kill);
    const url = () => /Look: +(\S+)/.exec(said())?.[1];
    for (let i = 0; i < 600 && !url(); i++) await setTimeout(50);
    const answer = await fetch(`${url()}/a%2Fb`, { signal: AbortSignal.timeout(10_000) });
    t.equal(await answer.text(), 'asked for /a%2Fb', said());
  });
}
