/** A real browser judges: Debian's chromium on a page with Mastodon's policy, in front of a second host. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { compose, type Middleware } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import { type CspEvent, csp } from '@headgate/middleware-csp';
import { type Browser, chromium } from 'playwright-core';
import t, { type Test } from 'tap';
import { listen, until } from '../../core/test/wire.ts';

const CHROMIUM = '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? false : `no ${CHROMIUM}: apt-get install chromium`;

/** Mastodon's own policy for its pages; for `script-src`, with what this test's page has in it. */
const MASTODON = [
  "base-uri 'none'; default-src 'none'; frame-ancestors 'none'; font-src 'self'",
  "img-src 'self' data: blob:; media-src 'self' data:; manifest-src 'self'; form-action 'self'",
  "child-src 'self' blob:; worker-src 'self' blob:; connect-src 'self' data: blob:",
  "script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'nonce-AbC'; frame-src 'self' https:",
].join('; ');

const pem = (name: string) =>
  readFileSync(new URL(`../../core/test/fixtures/${name}.pem`, import.meta.url));

/** Any font will do that a browser takes. */
const fontFile = () => {
  const root = dirname(createRequire(import.meta.url).resolve('playwright-core/package.json'));
  const [found] = globSync('lib/**/*.ttf', { cwd: root });
  if (found === undefined) throw new Error('playwright-core has no font any more: take another');
  return readFileSync(join(root, found));
};

/** A second of silence. */
function wav(): Buffer {
  const bytes = Buffer.alloc(44 + 8_000, 0x80);
  bytes.write('RIFF');
  bytes.writeUInt32LE(36 + 8_000, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(8_000, 24);
  bytes.writeUInt32LE(8_000, 28);
  bytes.writeUInt16LE(1, 32);
  bytes.writeUInt16LE(8, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(8_000, 40);
  return bytes;
}

const FILES: Readonly<Record<string, readonly [type: string, content: () => string | Buffer]>> = {
  '/image.svg': [
    'image/svg+xml',
    () => '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
  ],
  '/video.wav': ['audio/wav', wav],
  '/font.ttf': ['font/ttf', fontFile],
  '/script.js': ['text/javascript', () => 'globalThis.hasRun = true'],
  '/style.css': ['text/css', () => 'p { color: red }'],
};

/** A host of files that lets anybody fetch them. */
async function files(t: Test) {
  const asked: string[] = [];
  const server = createHttpServer(({ url = '' }, res) => {
    const [type, content] = FILES[url] ?? ['text/plain', () => 'none'];
    asked.push(url);
    res.writeHead(200, { 'content-type': type, 'access-control-allow-origin': '*' });
    res.end(content());
  });
  const port = await listen(t, server);
  return { asked, origin: `http://cdn.localhost:${port}`, evil: `http://evil.localhost:${port}` };
}

/** Loads one of each from a host, and tells which came. Runs in the page. */
const PROBE = `
  const load = (make) => new Promise((done) => {
    const element = make();
    for (const event of ['load', 'loadedmetadata']) element.addEventListener(event, () => done(true));
    element.addEventListener('error', () => done(false));
    document.head.append(element);
  });
  const element = (name, fields) => () => Object.assign(document.createElement(name), fields);
  const viaWorker = async (url) => {
    await navigator.serviceWorker.register('/sw.js');
    const { active } = await navigator.serviceWorker.ready;
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise((done) => { port1.onmessage = ({ data }) => done(data); });
    active.postMessage(url, [port2]);
    return answer;
  };
  globalThis.probe = async (host) => ({
    image: await load(element('img', { src: host + '/image.svg' })),
    video: await load(element('video', { src: host + '/video.wav', preload: 'metadata' })),
    font: await new FontFace('x', 'url(' + host + '/font.ttf)').load().then(() => true, () => false),
    fetch: await fetch(host + '/image.svg').then(() => true, () => false),
    worker: await viaWorker(host + '/image.svg'),
    script: await load(element('script', { src: host + '/script.js' })),
    style: await load(element('link', { rel: 'stylesheet', href: host + '/style.css' })),
  });
`;
const WORKER = `
  addEventListener('message', ({ data, ports: [port] }) => {
    fetch(data).then(() => port.postMessage(true), () => port.postMessage(false));
  });
`;
const ALL = {
  image: true,
  video: true,
  font: true,
  fetch: true,
  worker: true,
  script: true,
  style: true,
};
const NONE = {
  image: false,
  video: false,
  font: false,
  fetch: false,
  worker: false,
  script: false,
  style: false,
};

/** An application whose page has a policy in `place`, and its worker always in a field. */
function application(place: 'field' | 'meta') {
  const meta = `<meta http-equiv="Content-Security-Policy" content="${MASTODON}">`;
  return createHttpServer(({ url }: IncomingMessage, res) => {
    const isPage = url === '/';
    const type = isPage ? 'text/html' : 'text/javascript';
    const inField = place === 'field' || !isPage;
    res.writeHead(200, {
      'content-type': type,
      ...(inField && { 'content-security-policy': MASTODON }),
    });
    const page = `<!doctype html><title>x</title>${place === 'meta' ? meta : ''}<script src=/probe.js></script>`;
    res.end(isPage ? page : url === '/sw.js' ? WORKER : PROBE);
  });
}

/** Headgate with such layers in front of the application. */
async function headgate(t: Test, layers: readonly Middleware[], place: 'field' | 'meta' = 'field') {
  const { handler, close } = upstreamTo(`http://127.0.0.1:${await listen(t, application(place))}`);
  t.teardown(close);
  return createServer({ handler: compose(layers, handler) });
}

t.test('in a browser', { skip, timeout: 100_000 }, async (t) => {
  let browser: Browser | undefined;
  t.teardown(() => browser?.close());
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--short-reporting-delay', '--ignore-certificate-errors'],
  });

  /** Opens the page, loads everything from `hosts`, and tells what came and what the console said. */
  const visit = async (url: string, hosts: readonly string[]) => {
    const context = await (browser as Browser).newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    await page.goto(url);
    const loaded = [];
    for (const host of hosts) loaded.push(await page.evaluate(`probe('${host}')`));
    const violations = said.filter((line) => line.includes('Content Security Policy'));
    return { loaded, said, violations, context };
  };

  await t.test('a second host is blocked without csp, and loads with it', async (t) => {
    const { origin, evil, asked } = await files(t);
    const site = async (...layers: Middleware[]) =>
      `http://127.0.0.1:${await listen(t, await headgate(t, layers))}/`;

    const without = await visit(await site(), [origin]);
    t.same(without.loaded, [NONE]);
    t.ok(without.violations.length >= 6, 'the console says so');
    t.same(asked, []);

    const media = await visit(await site(csp({ media: [origin] })), [origin, evil]);
    t.same(media.loaded, [{ ...NONE, image: true, video: true, fetch: true, worker: true }, NONE]);

    const assets = await visit(await site(csp({ assets: [origin] })), [origin]);
    t.same(assets.loaded, [ALL]);
    t.same(assets.said, [], 'the console says nothing');
    t.equal(new Set(asked).size, 5, 'all were asked for');
    for (const { context } of [without, media, assets]) await context.close();
  });

  await t.test('so it is with a policy that stands in the page', async (t) => {
    const { origin, evil } = await files(t);
    const site = async (meta: boolean) =>
      `http://127.0.0.1:${await listen(t, await headgate(t, [csp({ assets: [origin], meta })], 'meta'))}/`;
    const without = await visit(await site(false), [origin]);
    t.same(without.loaded, [{ ...NONE, worker: true }], 'the worker has its policy in a field');
    const edited = await visit(await site(true), [origin, evil]);
    t.same(edited.loaded, [ALL, NONE]);
    for (const { context } of [without, edited]) await context.close();
  });

  await t.test('what the browser reports arrives as events', async (t) => {
    const heard: Extract<CspEvent, { kind: 'violation' }>[] = [];
    const hear = (message: unknown) => {
      const event = message as CspEvent;
      if (event.kind === 'violation') heard.push(event);
    };
    subscribe('headgate:csp', hear);
    t.teardown(() => unsubscribe('headgate:csp', hear));
    const { origin, evil } = await files(t);
    const { host } = new URL(origin);
    const layer = csp({ report: true, allow: { 'font-src': [origin] } });
    const server = await headgate(t, [layer]);
    const counted = () => heard.map(({ directive, host }) => `${directive} ${host}`).toSorted();
    const expected = [
      ...['connect-src', 'img-src', 'media-src', 'script-src-elem', 'style-src-elem'].flatMap(
        (directive) => [`${directive} ${host}`, `${directive} other`],
      ),
      'font-src other',
    ].toSorted();

    const plain = await visit(`http://127.0.0.1:${await listen(t, server)}/`, [origin, evil]);
    await until(() => new Set(counted()).size >= expected.length);
    t.same([...new Set(counted())], expected, 'over HTTP, by report-uri');
    await plain.context.close();

    heard.length = 0;
    const tls = createTlsServer({ cert: pem('localhost'), key: pem('localhost-key') }, (socket) =>
      server.emit('connection', socket),
    );
    const secure = await visit(`https://localhost:${await listen(t, tls)}/`, [evil]);
    for (let i = 0; i < 10 && new Set(counted()).size < 6; i++)
      await until(() => heard.length >= 6);
    t.same(
      [...new Set(counted())],
      expected.filter((event) => event.endsWith(' other')),
      'over HTTPS, by report-to',
    );
    t.ok(
      heard.every(({ request }) => request.headers['content-type'] === 'application/reports+json'),
    );
    await secure.context.close();
  });
});
