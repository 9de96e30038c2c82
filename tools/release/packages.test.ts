/** What is published: every package is packed, looked at and used. `npm run test:packages`. */
import { readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { checkPackage } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import t from 'tap';
import { tarballs } from './tarballs.ts';

const ROOT = join(import.meta.dirname, '../..');

const packed = await tarballs(t.testdir());

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
