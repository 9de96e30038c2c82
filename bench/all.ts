/**
 * Every case, one after another: `npm run bench [-- --json FOLDER]`. About 45 minutes; nothing else should
 * run meanwhile. With `--json`, each case writes its figures into a file of the folder.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const CASES = ['stampede', 'media', 'hot-preview', 'pass-through', 'trim', 'memory', 'uplink'];

const { values } = parseArgs({ options: { json: { type: 'string' } } });
if (values.json !== undefined) mkdirSync(values.json, { recursive: true });
const failed = CASES.filter((name) => {
  console.log(`\n== ${name}`);
  const script = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const json = values.json === undefined ? [] : ['--json', join(values.json, `${name}.json`)];
  const args = [...process.execArgv, script, ...json];
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status !== 0;
});
if (failed.length > 0) {
  console.error(`not measured: ${failed.join(', ')}`);
  process.exit(1);
}
