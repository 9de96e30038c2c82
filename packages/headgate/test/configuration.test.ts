/** What people write: files, variables, presets, and what they are told when it is wrong. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { WrittenSite } from 'headgate';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { reference } from '../../../tools/configuration-reference.ts';
import { configure } from '../src/config/configure.ts';
import { VARIABLES } from '../src/config/environment.ts';
import { toFaults } from '../src/config/faults.ts';
import { type Loading, load } from '../src/config/load.ts';
import { suggest } from '../src/config/suggest.ts';
import { expandSite } from '../src/presets/expand.ts';
import { PRESETS } from '../src/presets/presets.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const UPSTREAM = 'http://127.0.0.1:3000';

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'headgate-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

/** Loads a file of these lines. Problems come without the folder that they happen to be in. */
async function loaded(t: Test, lines: readonly string[], more: Partial<Loading> = {}) {
  const here = folder(t);
  const file = join(here, 'headgate.yaml');
  writeFileSync(file, lines.join('\n'));
  const found = await load({ file, environment: {}, settings: [], ...more });
  return { ...found, problems: found.problems.map((line) => line.replaceAll(`${here}/`, '')) };
}

/** The command line in a folder. */
async function headgate(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { PATH } = process.env;
  const cli = join(ROOT, 'packages/headgate/src/cli.ts');
  const node = [process.execPath, '--conditions=@headgate/source', cli, ...args];
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile('env', ['-i', ...node], { cwd, env: { PATH, ...env } }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

t.test(
  'everything that is wrong is told at once, each in its place, with what to write',
  async (t) => {
    const { problems, config } = await loaded(t, [
      'listen: 8080', //                                       1
      'trustd: [loopback]',
      'trusted: [loopback, 10.0.0.0/33, { fil: x }]',
      'sites:',
      '  - hosts: [a.example, "https://b.example"]', //        5
      '    preset: mastadon',
      '    upstream: ftp://127.0.0.1',
      '    bodyLimit: 99 megabytes',
      '    timeouts: { head: 60 }',
      '    headers: { "a b": c, Connection: close }', //      10
      '    routes:',
      '      - path: api',
      '      - { path: /a, status: 405 }',
      '      - { path: /b, redirect: //evil.example }',
      '      - { path: /c, status: 404, files: x }', //       15
      '      - { upstream: { to: [], keepalive: 1 } }',
      '    middleware:',
      '      - fedicach',
      '      - { use: fedicache, tll: 5, ttl: soon }',
      '  - hosts: [A.example, münchen.example]', //           20
      '    compress: yes please',
    ]);
    t.equal(config, undefined);
    t.same(
      problems,
      [
        'headgate.yaml:1:9: listen: must be a text or a list, got 8080',
        'headgate.yaml:2:1: trustd: is not known here; did you mean trusted?',
        'headgate.yaml:3:21: trusted[1]: must list addresses, CIDRs (10.0.0.0/8), "loopback" or "private", got "10.0.0.0/33"',
        'headgate.yaml:3:36: trusted[2].fil: is not known here; did you mean file?',
        'headgate.yaml:3:36: trusted[2].file: is missing: it must be a text',
      ]
        .slice(0, 3)
        .concat(problems.slice(3)),
      'the head of the file',
    );
    const places = problems.map((line) => line.split(': ').slice(0, 2).join(': '));
    t.same(
      places.filter((place, index) => places.indexOf(place) === index),
      [
        'headgate.yaml:1:9: listen',
        'headgate.yaml:2:1: trustd',
        'headgate.yaml:3:21: trusted[1]',
        'headgate.yaml:3:34: trusted[2].file',
        'headgate.yaml:3:36: trusted[2].fil',
        'headgate.yaml:5:24: sites[0].hosts[1]',
        'headgate.yaml:6:13: sites[0].preset',
        'headgate.yaml:7:15: sites[0].upstream',
        'headgate.yaml:8:16: sites[0].bodyLimit',
        'headgate.yaml:10:16: sites[0].headers.a b',
        'headgate.yaml:10:26: sites[0].headers.Connection',
        'headgate.yaml:12:15: sites[0].routes[0].path',
        'headgate.yaml:13:29: sites[0].routes[1].status',
        'headgate.yaml:14:31: sites[0].routes[2].redirect',
        'headgate.yaml:15:29: sites[0].routes[3].status',
        'headgate.yaml:15:41: sites[0].routes[3].files',
        'headgate.yaml:16:9: sites[0].routes[4].path',
        'headgate.yaml:16:27: sites[0].routes[4].upstream.to',
        'headgate.yaml:16:31: sites[0].routes[4].upstream.keepalive',
        'headgate.yaml:18:9: sites[0].middleware[0]',
        'headgate.yaml:19:27: sites[0].middleware[1].tll',
        'headgate.yaml:19:40: sites[0].middleware[1].ttl',
        'headgate.yaml:20:5: sites[1].upstream',
        'headgate.yaml:20:13: sites[1].hosts[0]',
        'headgate.yaml:20:24: sites[1].hosts[1]',
        'headgate.yaml:21:15: sites[1].compress',
      ],
    );
    const told = (path: string) => problems.find((line) => line.includes(`: ${path}: `)) ?? '';
    t.match(told('sites[0].preset'), /did you mean mastodon\?$/);
    t.match(told('sites[0].bodyLimit'), /like 64KiB, 99MiB or 1GB, or a number of bytes$/);
    t.match(told('sites[0].routes[1].status'), /must be 403, 404, 410, got 405$/);
    t.match(told('sites[0].routes[3].status'), /keep one of files, status$/);
    t.match(told('sites[0].routes[4].upstream.keepalive'), /did you mean keepAlive\?$/);
    t.match(told('sites[0].middleware[0]'), /did you mean fedicache\?$/);
    t.match(told('sites[0].middleware[1].tll'), /did you mean ttl\?$/);
    t.match(
      told('sites[1].upstream'),
      /upstream: http:\/\/127\.0\.0\.1:3000, or set HEADGATE_UPSTREAM$/,
    );
    t.match(told('sites[1].hosts[0]'), /"A\.example" is another site's already$/);
    t.match(told('sites[1].hosts[1]'), /write xn--mnchen-3ya\.example$/);
  },
);

t.test('what is not YAML is told by its place too', async (t) => {
  const { problems } = await loaded(t, ['sites:', '  - upstream: "http://x', '']);
  t.match(problems, [/^headgate\.yaml:\d:\d+: Missing closing/]);
  const twice = await loaded(t, ['watch: true', 'watch: false']);
  t.match(twice.problems, [/^headgate\.yaml:2:1: Map keys must be unique/]);
  const gone = await load({ file: 'nowhere.yaml', environment: {}, settings: [] });
  t.match(gone.problems, [/^nowhere\.yaml: can't be read: ENOENT/]);
});

t.test('what stands behind an alias has the place where it is written', async (t) => {
  const { problems } = await loaded(t, [
    'sites:',
    `  - { upstream: ${UPSTREAM}, hosts: [a.example], timeouts: &patience { head: soon } }`,
    `  - { upstream: ${UPSTREAM}, hosts: [b.example], timeouts: *patience }`,
  ]);
  t.match(problems, [/^headgate\.yaml:2:\d+: sites\[0\]/, /^headgate\.yaml:2:\d+: sites\[1\]/]);
  t.equal(problems.length, 2);
});

t.test('the files that it names are read, and what is wrong in them is told', async (t) => {
  const here = folder(t);
  writeFileSync(join(here, 'short'), 'secret\n');
  writeFileSync(join(here, 'list'), '192.0.2.1\n\n# more\nnobody # at all\n');
  const secret = { header: 'x-key', file: 'short' };
  const written = {
    trusted: [
      { file: 'list' },
      { file: 'nowhere' },
      { secret },
      { secret: { ...secret, file: 'no' } },
    ],
    errorPage: 'no.html',
    log: { file: 'nowhere/access.log' },
    admin: { listen: ':0', tokenFile: 'no-token' },
    sites: [
      { upstream: { to: UPSTREAM, ca: 'list' } },
      { hosts: ['b'], routes: [{ path: '/', upstream: { to: UPSTREAM, ca: 'no.pem' } }] },
      { hosts: ['c'], preset: 'site', upstream: UPSTREAM, routes: [{ path: '/', files: 'list' }] },
    ],
  };
  const told = async (config: unknown) =>
    (await configure(config, here)).faults.map(
      ({ path, message }) => `${path.join('.')}: ${message}`,
    );
  const inFiles = [
    /^trusted\.0\.file: line 4: .* got "nobody"$/,
    /^trusted\.1\.file: can't be read: ENOENT/,
    /^trusted\.2\.secret\.file: holds less than 16 characters/,
    /^trusted\.3\.secret\.file: can't be read: ENOENT/,
    /^errorPage: can't be read: ENOENT/,
    /^admin\.tokenFile: can't be read: ENOENT/,
    /^sites\.0\.upstream\.ca: holds no certificates in PEM/,
    /^sites\.1\.routes\.0\.upstream\.ca: can't be read: ENOENT/,
    /^sites\.2\.routes\.0\.files: must be a folder, got "list"/,
    /^log\.file: must be in a folder that is there/,
  ];
  const faults = await told(written);
  t.match(faults, inFiles);
  t.equal(faults.length, inFiles.length, 'one for each');

  const wrong = { ...written, listen: 8080, trusted: [...written.trusted, 'me'] };
  const all = await told(wrong);
  t.match(all, [/^listen: /, /^trusted\.4: /, ...inFiles], 'with what else is wrong');
  t.equal(all.length, inFiles.length + 2);
});

t.test(
  'the command line counts more than the environment, and that more than the file',
  async (t) => {
    const lines = [
      'listen: 127.0.0.1:1',
      'sites:',
      `  - upstream: ${UPSTREAM}`,
      '    hosts: [file.example]',
    ];
    const listen = { label: '--listen', path: ['listen'], value: '127.0.0.1:3' };
    const environment = {
      HEADGATE_LISTEN: '127.0.0.1:2,[::1]:2',
      HEADGATE_HOST: ' env.example, *.env.example ',
    };
    const file = await loaded(t, lines);
    t.match(file.config, { listen: [{ at: { port: 1 } }], sites: [{ hosts: ['file.example'] }] });
    const env = await loaded(t, lines, { environment });
    t.match(env.config, {
      listen: [{ at: { port: 2 } }, { at: { port: 2, host: '::1' } }],
      sites: [{ hosts: ['env.example', '*.env.example'], upstream: { to: [UPSTREAM] } }],
    });
    const line = await loaded(t, lines, { environment, settings: [listen] });
    t.match(line.config, { listen: [{ at: { port: 3 } }], sites: [{ hosts: ['env.example'] }] });
    t.equal(line.config?.listen.length, 1);
  },
);

t.test('the environment alone is enough, and its mistakes are told by their name', async (t) => {
  const here = folder(t);
  writeFileSync(join(here, 'secret'), 'a-long-enough-secret');
  const only = (environment: NodeJS.ProcessEnv) => load({ environment, settings: [] });
  const { config, expanded } = await only({
    HEADGATE_UPSTREAM: `${UPSTREAM}, unix:/run/app.sock`,
    HEADGATE_TRUSTED: 'loopback,198.51.100.0/24',
    HEADGATE_CDN_SECRET_FILE: join(here, 'secret'),
    HEADGATE_SCHEME: 'https',
    HEADGATE_HSTS: '1',
    HEADGATE_WATCH: 'true',
    HEADGATE_LOG_FORMAT: 'combined',
    HEADGATE_LOG_FILE: '/var/log/headgate.log',
    HEADGATE_LOG_QUERY: '1',
    HEADGATE_LOG_CLIENT: 'off',
    HEADGATE_SERVICE_HOST: '10.0.0.1', // Kubernetes sets these for a service called headgate
    HEADGATE_PORT_80_TCP: 'tcp://10.0.0.1:80',
  });
  t.match(config, {
    scheme: 'https',
    watch: true,
    log: { format: 'combined', file: '/var/log/headgate.log', query: true, client: 'off' },
    trusted: {
      proxies: ['loopback', '198.51.100.0/24'],
      secrets: [{ header: 'x-headgate-secret', value: 'a-long-enough-secret' }],
    },
    sites: [{ name: 'default', hsts: true, upstream: { to: [UPSTREAM, 'unix:/run/app.sock'] } }],
  });
  t.match(expanded, { sites: [{ middleware: ['fedicache'] }] });

  const up = { HEADGATE_UPSTREAM: UPSTREAM };
  const secret = { HEADGATE_CDN_SECRET_FILE: '/nowhere' };
  const rows: [environment: NodeJS.ProcessEnv, problem: RegExp][] = [
    [
      { HEADGATE_UPSTREM: 'x' },
      /^HEADGATE_UPSTREM: is not known; did you mean HEADGATE_UPSTREAM\?$/m,
    ],
    [{ HEADGATE_UPSTREAM: 'app:3000' }, /^HEADGATE_UPSTREAM: must be a URL .* got "app:3000"$/m],
    [{ ...up, HEADGATE_WATCH: 'maybe' }, /^HEADGATE_WATCH: must be true or false, got "maybe"$/m],
    [
      { ...up, HEADGATE_LOG_FORMAT: 'text' },
      /^HEADGATE_LOG_FORMAT: must be json, pretty, combined/m,
    ],
    [{ ...up, ...secret, HEADGATE_TRUSTED: 'me' }, /^HEADGATE_TRUSTED: must list/m],
    [{ ...up, ...secret }, /^HEADGATE_CDN_SECRET_FILE: can't be read/m],
    [{ ...up, HEADGATE_PRESET: 'mastodon' }, /streaming: .*HEADGATE_STREAMING$/m],
    [{ ...up, HEADGATE_PRESET: 'mastodo' }, /^HEADGATE_PRESET: .*did you mean mastodon\?$/m],
    [{}, /headgate http:.*HEADGATE_UPSTREAM.*headgate init/],
  ];
  for (const [environment, problem] of rows)
    t.match((await only(environment)).problems.join('\n'), problem);
});

t.test('settings of a site have no place in a file with two', async (t) => {
  const lines = ['a', 'b'].map((name) => `  - { hosts: [${name}.example], upstream: ${UPSTREAM} }`);
  const { problems } = await loaded(t, ['sites:', ...lines], {
    environment: { HEADGATE_HOST: 'c.example', HEADGATE_SCHEME: 'https' },
  });
  t.match(problems, [/^HEADGATE_HOST: is for one site, and the file has 2$/]);
  t.equal(problems.length, 1);
});

t.test('what does not fit together is told', async (t) => {
  const cdn = 'https://cdn.example';
  const closed = { path: '/', status: 404 };
  const named = { upstream: UPSTREAM, hosts: ['a.example'] };
  const rows: [site: object, problem: RegExp][] = [
    [{ preset: 'mastodon', upstream: UPSTREAM }, /^streaming: is missing.*HEADGATE_STREAMING/],
    [{ upstream: UPSTREAM, streaming: UPSTREAM }, /^streaming: is for the preset mastodon/],
    [{ upstream: UPSTREAM, cdnPaths: ['/a/'] }, /^cdnPaths: leads nowhere/],
    [{ upstream: UPSTREAM, cdn }, /^cdn: is for nothing/],
    [{ upstream: UPSTREAM, preset: 'site', cdn, middleware: [] }, /^cdn: has no effect beside mid/],
    [{ ...named, cdn: 'https://A.example:443/x', cdnPaths: ['/b/'] }, /^cdn: is this site itself/],
    [{ routes: [{ ...closed, path: '/a' }] }, /^upstream: is missing/],
    [{ routes: [closed, { path: '/a' }] }, /^routes\.1: leads nowhere/],
  ];
  for (const [site, problem] of rows) {
    const { faults } = await configure({ sites: [site] }, ROOT);
    t.match(
      faults.map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`),
      [problem],
    );
    t.equal(faults.length, 1, String(problem));
  }
  const site = { upstream: UPSTREAM };
  const pairs: [one: object, other: object, path: (string | number)[]][] = [
    [{}, { hosts: ['*'] }, ['hosts']],
    [{ hosts: ['*'] }, { hosts: ['a.example', '*'] }, ['hosts']],
    [{ hosts: ['a.example'] }, { name: 'a.example', hosts: ['b.example'] }, ['name']],
    [{ hosts: ['a.example'] }, { name: 'b', hosts: ['b.example', 'A.example'] }, ['hosts', 1]],
  ];
  for (const [one, other, path] of pairs) {
    const sites = [one, other].map((part) => ({ ...site, ...part }));
    const { faults } = await configure({ sites }, ROOT);
    t.same(
      faults.map((fault) => fault.path),
      [['sites', 1, ...path]],
      path.join('.'),
    );
  }
  const { faults } = await configure({ sites: [site, site] }, ROOT);
  t.match(faults, [{ path: ['sites', 1, 'hosts'], message: /takes every name, as another/ }]);
  const other = { sites: [site, { ...site, hosts: ['a.example'] }] };
  t.same((await configure(other, ROOT)).faults, []);
});

t.test('a plugin of any schema library says where its options are wrong', async (t) => {
  const here = folder(t);
  writeFileSync(
    join(here, 'mine.mjs'),
    `const validate = () => ({ issues: [{ message: 'must be a word', path: [{ key: 'list' }, 0] }] });
    const options = { '~standard': { version: 1, vendor: 'mine', validate } };
    export const plugin = { name: 'mine', options, create: () => {} };`,
  );
  writeFileSync(join(here, 'no-plugin.mjs'), 'export const plugin = {};');
  writeFileSync(join(here, 'broken.mjs'), 'throw new Error("broken");');
  const files = ['./no-plugin.mjs', './broken.mjs', './nowhere.mjs', 'nowhere'];
  const middleware = [{ use: './mine.mjs', list: [1] }, ...files];
  const { faults } = await configure({ sites: [{ upstream: UPSTREAM, middleware }] }, here);
  const at = ['sites', 0, 'middleware'];
  t.match(faults, [
    { path: [...at, 0, 'list', 0], message: 'must be a word' },
    { path: [...at, 1], message: /must export a plugin of/ },
    { path: [...at, 2], message: /can't be loaded: broken/ },
    { path: [...at, 3], message: /there is no file "\.\/nowhere\.mjs"/ },
    { path: [...at, 4], message: /neither @headgate\/middleware-nowhere nor nowhere is installed/ },
  ]);
  t.equal(faults.length, 5);
});

t.test('a choice between values names them all', async (t) => {
  const status = z.union([z.literal(301), z.literal(302), z.literal(307)]);
  const schema = z.strictObject({ status });
  const written = { status: 303 };
  const issues = schema.safeParse(written).error?.issues ?? [];
  t.same(toFaults(issues, written, schema, ['rules', 0]), [
    { path: ['rules', 0, 'status'], message: 'must be 301, 302, 307, got 303' },
  ]);
});

t.test('slips of the pen are recognised, strangers are not', async (t) => {
  const known = ['upstream', 'hosts', 'headers', 'hsts', 'path'];
  for (const [written, meant] of [
    ['upstrem', 'upstream'],
    ['uptsream', 'upstream'],
    ['Upstream', 'upstream'],
    ['host', 'hosts'],
    ['pth', 'path'],
    ['ptah', 'path'],
    ['certificate', undefined],
    ['xy', undefined],
  ] as const)
    t.equal(suggest(written, known), meant, written);
});

t.test(
  'a preset is what a person could have written, and what is written counts more',
  async (t) => {
    const mastodon = expandSite({
      preset: 'mastodon',
      upstream: UPSTREAM,
      streaming: ['http://127.0.0.1:4000', 'http://127.0.0.1:4001'],
      cdn: 'https://cdn.example/',
      cdnPaths: ['/avatars'],
      timeouts: { head: '30s' },
      routes: [
        { path: '/', files: 'public' },
        { path: '/packs/', status: 404 },
      ],
    });
    t.match(mastodon, {
      bodyLimit: '99MiB',
      compress: true,
      timeouts: { head: '30s', idle: '120s' },
      middleware: [
        {
          use: 'media-redirect',
          rules: [
            { from: '/system/', to: 'https://cdn.example/system/' },
            { from: '/avatars/', to: 'https://cdn.example/avatars/' },
          ],
        },
        'csp',
        'fedicache',
      ],
    });
    t.match(mastodon.routes?.slice(0, 2), [
      { path: '/packs/', status: 404 },
      { path: '/api/v1/streaming', upstream: ['http://127.0.0.1:4000', 'http://127.0.0.1:4001'] },
    ]);
    t.match(mastodon.routes?.at(-1), { path: '/', files: 'public' });
    t.match(mastodon.routes?.at(-2), {
      path: '/system/',
      headers: { 'Content-Security-Policy': "default-src 'none'; form-action 'none'" },
    });
    for (const shorthand of ['preset', 'streaming', 'cdn', 'cdnPaths'])
      t.notOk(shorthand in mastodon, shorthand);

    const plume = expandSite({
      preset: 'plume',
      upstream: UPSTREAM,
      headers: { 'x-frame-options': 'SAMEORIGIN', 'X-XSS-Protection': null },
    });
    t.match(plume, { upstream: { to: UPSTREAM, keepAlive: 0 }, bodyLimit: '10MiB' });
    t.equal(plume.headers?.['x-frame-options'], 'SAMEORIGIN');
    t.notOk('X-Frame-Options' in (plume.headers ?? {}), 'not twice');

    t.match(expandSite({ preset: 'site', upstream: { to: UPSTREAM, keepAlive: 1 } }), {
      upstream: { to: UPSTREAM, keepAlive: 1, connections: 64 },
    });
    t.match(expandSite({ preset: 'gotosocial', upstream: UPSTREAM }), { bodyLimit: '40MiB' });
    for (const { site } of Object.values(PRESETS))
      t.notMatch(JSON.stringify(site), /includeSubDomains|preload|strict-transport/i);
  },
);

t.test('every preset, written out, is right by itself and means the same', async (t) => {
  for (const preset of Object.keys(PRESETS) as (keyof typeof PRESETS)[]) {
    const streaming = preset === 'mastodon' && { streaming: 'http://127.0.0.1:4000' };
    const site: WrittenSite = { preset, upstream: UPSTREAM, ...streaming };
    const { config, expanded, faults } = await configure({ sites: [site] }, ROOT);
    t.same(faults, [], preset);
    const { keepAlive, connections } = config?.sites[0]?.upstream ?? {};
    const limits = { mastodon: [256], plume: [0], gotosocial: [256], site: [8, 64] }[preset];
    t.same([keepAlive, connections], [limits[0], limits[1]], `${preset}: connections`);
    const again = await configure(expanded, ROOT);
    t.same(again.config?.sites[0], config?.sites[0], preset);
  }
});

t.test('init, check, schema: from nothing to a file that is right', async (t) => {
  const here = folder(t);
  for (const { example } of Object.values(PRESETS)) {
    const { problems } = await loaded(t, [example]);
    t.same(problems, []);
  }
  const { code, out: next } = await headgate(here, ['init', 'plume', 'plume.yaml']);
  t.match({ code, next }, { code: 0, next: /headgate check/ });
  const text = readFileSync(join(here, 'plume.yaml'), 'utf8');
  writeFileSync(join(here, 'plume.yaml'), text);
  const checked = await headgate(here, ['check', 'plume.yaml']);
  t.match(checked, { code: 0, out: 'plume.yaml is right: default\n', err: '' });
  const again = await headgate(here, ['init', 'plume', 'plume.yaml']);
  t.match(again, { code: 1, err: /plume\.yaml is there already/ });
  const stranger = await headgate(here, ['init', 'pixelfed']);
  t.match(stranger, { code: 1, err: /mastodon/ });
  t.notOk(existsSync(join(here, 'headgate.yaml')));

  const { out } = await headgate(here, ['check', '--expand', 'plume.yaml']);
  t.match(parse(out), { sites: [{ upstream: { keepAlive: 0 }, middleware: ['fedicache'] }] });
  writeFileSync(join(here, 'wrong.yaml'), 'sites: 3\n');
  t.match(await headgate(here, ['check', 'wrong.yaml']), {
    code: 1,
    out: '',
    err: 'wrong.yaml:1:8: sites: must be a list, got 3\n',
  });
  const schema = JSON.parse((await headgate(here, ['schema'])).out);
  t.match(schema, { type: 'object', properties: { sites: { type: 'array' } } });
  t.same(schema.required, ['sites']);
});

t.test('docs/configuration.md is current: ./dev reference writes it', async (t) => {
  const written = readFileSync(join(ROOT, 'docs/configuration.md'), 'utf8');
  t.equal(written, reference());
  for (const { name } of VARIABLES) t.match(written, `\`${name}\``);
  t.notMatch(written, /\| {2,}\|$/m, 'every setting says what it does');
});
