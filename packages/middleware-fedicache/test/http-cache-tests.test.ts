/**
 * The suite http-cache-tests (cache-tests.fyi) through fedicache, which here takes everybody for a
 * fetcher and respects all that an origin says. `./dev test FILE --snapshot` writes the results anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compose } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import { fedicache } from '@headgate/middleware-fedicache';
import { setBaseUrl, setFetch } from 'http-cache-tests/client/config.mjs';
import { makeCacheTest, testResults } from 'http-cache-tests/client/test.mjs';
import { determineTestResult } from 'http-cache-tests/lib/display.mjs';
import suites from 'http-cache-tests/tests/index.mjs';
import surrogates from 'http-cache-tests/tests/surrogate-control.mjs';
import type { Suite, SuiteFetch } from 'http-cache-tests/types';
import pLimit from 'p-limit';
import t, { type Test } from 'tap';
import { listen } from '../../core/test/wire.ts';
import { EVERYBODY } from './everybody.ts';
import { shimmed } from './http-cache-tests/shim.ts';

/** A machine that is busy may take longer for a hundred pages at once than a fetcher waits. */
const OPTIONS = { respect: 'strict', waitTimeout: 60_000 } as const;

type Results = Record<string, string>;

const ALL: readonly Suite[] = [...suites, surrogates];
const RECORDED = join(import.meta.dirname, 'http-cache-tests', 'results.json');
const DOCUMENT = join(import.meta.dirname, '..', '..', '..', 'docs', 'conformance.md');

/** What the suite's signs mean. A test that others depend on is judged like any other. */
const VERDICTS: Readonly<Record<string, string>> = {
  '✅': 'pass',
  '⛔️': 'fail',
  '⚠️': 'optional fail',
  Y: 'yes',
  N: 'no',
  '🔹': 'setup fail',
};

/** What a shared cache that can be poisoned, or tells one what another may see, would fail. */
const SAFETY =
  /^(cc-resp-(no-store|private-shared|no-cache(-case|$)|must-revalidate-stale)|vary-(no-match|star|syntax)|other-(authorization$|age-)|headers-(omit-headers-listed-in-Connection$|store-(Connection|Keep-Alive|Proxy|Set-Cookie$|TE$|Transfer-Encoding|Upgrade))|invalidate-(POST|PUT|DELETE)$|partial-use-headers)/;

/** Those of them that can't pass; docs/conformance.md says why. */
const EXCEPT = [
  'cc-resp-must-revalidate-stale',
  'headers-omit-headers-listed-in-Connection',
  'headers-store-Set-Cookie',
  'headers-store-Transfer-Encoding',
  'partial-use-headers',
];

/** Tests at once. More of them, and a busy machine makes them wait beyond the times they count on. */
const AT_ONCE = 70;

/** A machine that stalls for a second fails a test or two, which then have another chance. */
const CHANCES = 3;

/** Headgate's edges with fedicache between them, and the suite's way to ask its origin through it. */
async function suiteThroughFedicache(t: Test): Promise<SuiteFetch> {
  const { origin, fetchThrough } = shimmed();
  const direct = `http://127.0.0.1:${await listen(t, origin)}`;
  const { middleware } = fedicache(OPTIONS, { agents: [EVERYBODY] });
  const { handler, close } = upstreamTo(direct);
  t.teardown(close);
  const server = createServer({ handler: compose([middleware], handler) });
  return fetchThrough(`http://127.0.0.1:${await listen(t, server)}`, direct);
}

/** Runs those tests that `isWanted` picks, and judges them. */
async function run(isWanted: (id: string) => boolean): Promise<Results> {
  for (const id of Object.keys(testResults)) delete testResults[id];
  const inLine = pLimit(AT_ONCE);
  const tests = structuredClone(ALL) // a test that ran is changed by it
    .flatMap(({ tests }) => tests)
    .filter(({ id, browser_only }) => isWanted(id) && !browser_only);
  await Promise.all(tests.map((test) => inLine(() => makeCacheTest(test))));
  const judged = tests.map(({ id }) => {
    const [, , sign] = determineTestResult(ALL, id, testResults, false);
    return [id, VERDICTS[sign] ?? sign];
  });
  return Object.fromEntries(judged);
}

function sorted(results: Results): Results {
  return Object.fromEntries(Object.entries(results).sort(([a], [b]) => (a < b ? -1 : 1)));
}

t.test('http-cache-tests finds what it found before', async (t) => {
  const recorded: Results = JSON.parse(readFileSync(RECORDED, 'utf8'));
  setFetch(await suiteThroughFedicache(t));
  setBaseUrl('http://suite.example');
  const results: Results = {};
  let isWanted = (_: string) => true;
  for (let chance = 0; chance < CHANCES; chance++) {
    Object.assign(results, await run(isWanted));
    const differing = Object.keys(results).filter((id) => results[id] !== recorded[id]);
    if (differing.length === 0) break;
    isWanted = (id) => differing.includes(id);
  }
  if (t.writeSnapshot) writeFileSync(RECORDED, `${JSON.stringify(sorted(results), null, 2)}\n`);
  t.same(results, t.writeSnapshot ? results : recorded);
});

t.test('of what makes a cache safe, all passes that can apply', async (t) => {
  const results: Results = JSON.parse(readFileSync(RECORDED, 'utf8'));
  const document = readFileSync(DOCUMENT, 'utf8');
  const ids = Object.keys(results).filter((id) => SAFETY.test(id));
  t.equal(ids.length, 35);
  for (const id of ids.filter((id) => !EXCEPT.includes(id))) t.equal(results[id], 'pass', id);
  const count = (verdict: string) => Object.values(results).filter((v) => v === verdict).length;
  const safe = ids.filter((id) => results[id] === 'pass').length;
  const others = ['pass', 'fail', 'optional fail', 'yes', 'no', 'setup fail'].map(count);
  const [row = ''] = /^\| Headgate.*$/m.exec(document) ?? [];
  t.same(row.match(/\d+/g), [safe, ...others].map(String), 'the figures in the document');
  for (const id of EXCEPT) t.match(document, `\`${id}\``, `${id} is explained`);
});
