/** The dashboard: what is committed is current, and Prometheus understands what it asks. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { everything, namedIn } from '../packages/metrics/test/everything.ts';
import { promtool, skip } from '../packages/metrics/test/prometheus.ts';
import { dashboard, FILE } from './headgate.ts';

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

const committed = readFileSync(FILE, 'utf8');
const panels: readonly { title: string; type: string; targets?: Target[] }[] =
  JSON.parse(committed).panels;
const targets = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legend: legendFormat })),
);

t.test('what is committed is what the code makes', async (t) => {
  t.equal(committed, dashboard(), 'else: node dashboards/headgate.ts');
});

t.test('every metric and label that a panel names is counted', async (t) => {
  const metrics = everything();
  t.ok(targets.length > 30);
  for (const { title, expr, legend } of targets) {
    const known = new Set(['le', 'job', 'instance']);
    for (const name of namedIn(expr)) {
      t.ok(metrics.has(name), `${title}: ${name}`);
      for (const label of metrics.get(name) ?? []) known.add(label);
    }
    const lists = Array.from(expr.matchAll(/(?:by|on) \(([^)]*)\)/g), ([, list = '']) => list);
    const matched = Array.from(expr.matchAll(/(\w+)=~?"/g), ([, label = '']) => label);
    const shown = Array.from(legend.matchAll(/\{\{(\w+)\}\}/g), ([, label = '']) => label);
    const labels = [...lists.flatMap((list) => list.split(/, ?/)), ...matched, ...shown];
    for (const label of labels) if (label) t.ok(known.has(label), `${title}: ${label}`);
    for (const label of shown.filter((name) => name !== 'instance'))
      t.ok(lists.join(', ').split(', ').includes(label), `${title}: ${label} is left of the sum`);
  }
});

t.test('every metric is on a panel, but for a few', async (t) => {
  const shown = namedIn(targets.map(({ expr }) => expr).join('\n'));
  const missing = [...everything().keys()].filter(
    (name) => name.startsWith('headgate_') && !shown.has(name),
  );
  t.same(missing, [
    'headgate_preview_truncated_total',
    'headgate_store_entries',
    'headgate_config_last_reload_success_timestamp_seconds',
    'headgate_config_reloads_total',
  ]);
});

t.test('Prometheus understands every expression', { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-dashboard-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const rules = targets.map(({ expr }, index) => ({
    record: `expression:${index}`,
    expr: expr.replace(/\$__\w+/g, '5m').replaceAll('$site', '.*'),
  }));
  const file = join(folder, 'rules.yml');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  const { status, said } = promtool(['check', 'rules', file]);
  t.equal(status, 0, said);
  t.match(said, `${targets.length} rules found`);
});
