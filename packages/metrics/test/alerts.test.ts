/** The alert rules: promtool runs them, and what they name exists. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { everything, namedIn } from './everything.ts';
import { promtool, skip } from './prometheus.ts';

const ROOT = join(import.meta.dirname, '../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const rules = read('ops/alerts.yml');

t.test('promtool takes the rules, and they fire when they should', { skip }, async (t) => {
  t.match(promtool(['check', 'rules', join(ROOT, 'ops/alerts.yml')]), { status: 0 });
  const { status, said } = promtool(['test', 'rules', join(ROOT, 'ops/alerts.test.yml')]);
  t.equal(status, 0, said);
});

t.test('every metric that a rule names is counted', async (t) => {
  const metrics = everything();
  const named = namedIn(rules);
  t.ok(named.size > 8);
  for (const name of named) t.ok(metrics.has(name), name);
});

t.test('every alert is tried, and has a paragraph that says what to do', async (t) => {
  const alerts = Array.from(rules.matchAll(/- alert: (\w+)/g), ([, name = '']) => name);
  const links = Array.from(rules.matchAll(/runbook: (\S+)/g), ([, link]) => link);
  const tried = read('ops/alerts.test.yml');
  t.ok(alerts.length >= 8);
  t.same(
    links,
    alerts.map((name) => `docs/alerts.md#${name.toLowerCase()}`),
  );
  t.same(
    Array.from(read('docs/alerts.md').matchAll(/^## (\w+)$/gm), ([, name]) => name),
    alerts,
  );
  for (const name of alerts)
    t.match(tried, new RegExp(`alertname: ${name}\\n +exp_alerts:\\n +- `), `${name} fires`);
});

t.test('the documentation lists what there is, with its labels', async (t) => {
  const listed = Array.from(
    read('docs/metrics.md').matchAll(/^\| `(headgate_\w+)` +\| (?:`([^`]*)`)? +\|/gm),
    ([, name = '', labels = '']) => [name, labels.split(' ').filter((label) => label !== '')],
  );
  const ours = [...everything()].filter(([name]) => name.startsWith('headgate_'));
  const byName = (rows: typeof listed) => rows.toSorted(([a], [b]) => (`${a}` < `${b}` ? -1 : 1));
  t.same(byName(listed), byName(ours.map(([name, labels]) => [name, [...labels]])));
});
