/** The compose files: they fit the application's own, and what they name is there and is understood. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { skip as noPrometheus, promtool } from '../packages/metrics/test/prometheus.ts';

/** A service as `docker-compose config` prints it. */
interface Service {
  readonly build?: { readonly context: string };
  readonly environment?: NodeJS.ProcessEnv;
  readonly networks?: Readonly<Record<string, object>>;
  readonly ports?: readonly (string | { readonly published: number; readonly target: number })[];
  readonly volumes?: readonly string[];
}

interface Model {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { enable_ipv6?: boolean; internal?: boolean }>>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CLI = ['--conditions=@headgate/source', join(ROOT, 'packages/headgate/src/cli.ts')];

/** What the applications' own compose files say of services, of the ports they listen at, of networks. */
const networks = ['external_network', 'internal_network'];
const APPLICATIONS = {
  mastodon: {
    services: {
      web: { image: 'web', networks, ports: ['127.0.0.1:3000:3000'] },
      streaming: { image: 'streaming', networks, ports: ['127.0.0.1:4000:4000'] },
    },
    networks: { external_network: {}, internal_network: { internal: true } },
  },
  plume: { services: { plume: { image: 'plume', ports: ['127.0.0.1:7878:7878'] } } },
};

/** The second version prints another form; Debian 12 has the first. */
const { stdout: version } = spawnSync('docker-compose', ['version'], { encoding: 'utf8' });
const skip = !/^docker-compose version 1\./.test(version ?? '') && 'needs docker-compose 1.29';

for (const [application, own] of Object.entries(APPLICATIONS))
  t.test(`in front of ${application}`, { skip }, async (t) => {
    const { services, networks } = merged(t, application, own);
    const { headgate = {}, prometheus = {}, grafana = {} } = services;
    const reaches = (from: Service, { hostname, port }: URL) => {
      const to = services[hostname] ?? {};
      t.ok(portsOf(to).includes(Number(port)), `${hostname} listens at ${port}`);
      const shared = networksOf(from).filter((name) => networksOf(to).includes(name));
      t.not(shared.length, 0, `${hostname} is in the same network`);
    };

    await t.test('what is mounted is there', async (t) => {
      t.ok(existsSync(join(headgate.build?.context ?? '', 'Dockerfile')));
      const mounts = Object.values(services).flatMap(mountsOf);
      t.equal(mounts.length, 5);
      for (const { source } of mounts) t.ok(existsSync(source), source);
      const [, volume] = read('Dockerfile').match(/^VOLUME (.*)$/m) ?? [];
      t.ok(headgate.volumes?.includes(`headgate:${volume}:rw`));
    });

    await t.test('Headgate understands every variable', async (t) => {
      const check = [...CLI, 'check', join(ROOT, 'ops/container.yaml'), '--expand'];
      const { environment: env = {} } = headgate;
      const { stdout, stderr } = spawnSync(process.execPath, check, { env, encoding: 'utf8' });
      t.equal(stderr, '');
      const { listen, metrics, sites } = parse(stdout);
      t.same(
        portsOf(headgate),
        [listen].flat().map((place) => Number(/:(\d+)$/.exec(place)?.[1])),
        'what is published is listened at',
      );
      const [{ upstream, routes = [] }] = sites;
      const origins = [upstream, ...routes.map((route: { upstream?: string }) => route.upstream)];
      const urls = origins.filter(Boolean).map((origin) => new URL(origin.to ?? origin));
      t.same(
        urls.map(({ hostname }) => hostname),
        Object.keys(own.services),
      );
      for (const url of urls) reaches(headgate, url);

      const config = parse(read('examples/monitoring/prometheus.yml'));
      t.same(config.scrape_configs[0].static_configs[0].targets, [`headgate${metrics}`]);
      t.notOk(portsOf(headgate).includes(Number(metrics.slice(1))), 'metrics are not published');
      t.same(
        networksOf(prometheus).filter((name) => !networksOf(headgate).includes(name)),
        [],
      );
    });

    await t.test('clients have their own addresses, by IPv6 too', async (t) => {
      const open = networksOf(headgate).filter((name) => !networks[name]?.internal);
      t.equal(open.length, 1, 'it is clear through which network people come');
      t.ok(networks[open[0] ?? '']?.enable_ipv6);
    });

    await t.test(
      'Grafana finds Prometheus and the dashboard, and is for this machine',
      async (t) => {
        const { datasources } = parse(read('examples/monitoring/grafana/datasources.yml'));
        reaches(grafana, new URL(datasources[0].url));
        const { providers } = parse(read('examples/monitoring/grafana/dashboards.yml'));
        t.match(
          grafana.volumes?.join(' '),
          `dashboards/headgate.json:${providers[0].options.path}/`,
        );
        for (const port of [grafana, prometheus].flatMap(({ ports = [] }) => ports))
          t.match(port, /^127\.0\.0\.1:/);
      },
    );

    await t.test('Prometheus understands what is mounted', { skip: noPrometheus }, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'headgate-compose-'));
      t.teardown(() => rmSync(folder, { recursive: true, force: true }));
      for (const { source, target } of mountsOf(prometheus)) cpSync(source, join(folder, target));
      const { status, said } = promtool([
        'check',
        'config',
        `${folder}/etc/prometheus/prometheus.yml`,
      ]);
      t.equal(status, 0, said);
      t.match(said, /SUCCESS: \d+ rules found/);
    });
  });

/** What compose makes of the application's file and ours, in a folder as the README has it. */
function merged(t: Test, application: string, own: object): Model {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-compose-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'docker-compose.yml'), JSON.stringify(own));
  const ours = 'compose.override.yml';
  cpSync(join(ROOT, 'examples', application, ours), join(folder, ours));
  symlinkSync(ROOT, join(folder, 'headgate'));
  const config = ['-f', 'docker-compose.yml', '-f', ours, '--profile', 'monitoring', 'config'];
  const options = { cwd: folder, encoding: 'utf8' } as const;
  const { status, stdout, stderr } = spawnSync('docker-compose', config, options);
  t.equal(status, 0, stderr);
  return parse(stdout);
}

/** Where a service listens, of the ports that are published. */
function portsOf({ ports = [] }: Service): number[] {
  return ports.map((port) =>
    typeof port === 'string' ? Number(/(\d+)\/tcp$/.exec(port)?.[1]) : port.target,
  );
}

/** What a service sees of the files around it. */
function mountsOf({ volumes = [] }: Service): { source: string; target: string }[] {
  return volumes
    .map((volume) => volume.split(':'))
    .map(([source = '', target = '']) => ({ source, target }))
    .filter(({ source }) => source.startsWith('/'));
}

function networksOf({ networks }: Service): string[] {
  return networks ? Object.keys(networks) : ['default'];
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}
