/** The page of statistics in a real browser: on a desk and on a phone, light and dark, and read aloud. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, chromium } from 'playwright-core';
import t, { type Test } from 'tap';
import { listen } from '../../core/test/wire.ts';
import { pageAnswer } from '../src/statistics/answers.ts';
import { siteStatistics } from '../src/statistics/site-statistics.ts';

const CHROMIUM = '/usr/bin/chromium';
const skip = existsSync(CHROMIUM) ? false : `no ${CHROMIUM}: apt-get install chromium`;

const NOW = Date.UTC(2026, 10, 22, 14, 7);
const LONG = `https://blog.example/${'a-title-that-does-not-end-'.repeat(12)}`;
const FAMILIES = ['mastodon', 'summaly', 'akkoma', 'lemmy', 'piefed', 'friendica'];

/** A site on which a post has spread an hour ago. */
function busy() {
  const site = siteStatistics(NOW - 40 * 86_400_000);
  for (let i = 0; i < 2_000; i++) {
    const at = NOW - 86_000_000 + Math.floor(i / 200) * 8_000_000 + i * 20;
    const family = FAMILIES[Math.floor(i / 3) % FAMILIES.length] ?? '';
    site.answered(1_200, { family, server: `a-server-of-many${i % 300}.example` }, at);
    const page = i % 4 === 0 ? LONG : 'https://blog.example/post';
    site.previewed({ family, page, isThere: true, isSpared: i % 50 > 0, saved: 58_000 }, at);
    if (i % 50 === 0) site.fetched(at);
  }
  site.answered(900_000, { family: 'wordpress' }, NOW);
  site.answered(900_000, { family: 'peertube' }, NOW);
  site.answered(900_000, { family: 'mbin' }, NOW);
  return site.report('blog.example', NOW);
}

/** Serves the page with its own fields. */
async function served(t: Test) {
  const pages: Record<string, () => ReturnType<typeof pageAnswer>> = {
    '/one': () => pageAnswer([busy()], { json: '/one.json', caching: 'no-store' }),
    '/two': () =>
      pageAnswer([busy(), siteStatistics(NOW).report('<b>"new"</b>.example', NOW)], {
        json: '/two.json',
        caching: 'no-store',
      }),
  };
  const server = createServer(({ url = '' }, res) => {
    const { status, headers, body } = pages[url]?.() ?? { status: 404, headers: {}, body: '' };
    res.writeHead(status, { ...headers } as Record<string, string>).end(body);
  });
  return `http://127.0.0.1:${await listen(t, server)}`;
}

t.test('in a browser', { skip, timeout: 100_000 }, async (t) => {
  const url = await served(t);
  let browser: Browser | undefined;
  t.teardown(() => browser?.close());
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  const visit = async (path: string, width: number, colorScheme: 'light' | 'dark') => {
    const context = await (browser as Browser).newContext({
      viewport: { width, height: 800 },
      colorScheme,
    });
    const page = await context.newPage();
    const said: string[] = [];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    await page.goto(url + path);
    t.teardown(() => context.close());
    return { page, said };
  };

  for (const [path, width, scheme] of [
    ['/one', 1280, 'light'],
    ['/two', 1280, 'dark'],
    ['/one', 360, 'dark'],
    ['/two', 320, 'light'],
  ] as const)
    await t.test(`${path}, ${width} pixels wide, ${scheme}`, async (t) => {
      const { page, said } = await visit(path, width, scheme);
      const across = await page.evaluate('document.documentElement.scrollWidth');
      t.ok(Number(across) <= width, `nothing stands out: ${across}`);
      await page.evaluate(
        "for (const each of document.querySelectorAll('details')) each.open = true",
      );
      await page.evaluate(axe.source);
      const { violations, passes } = (await page.evaluate('axe.run()')) as AxeResults;
      t.same(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]),
        [],
      );
      t.ok(
        passes.some(({ id }) => id === 'color-contrast'),
        'its colours were looked at',
      );
      t.ok(
        Number(await page.evaluate('document.documentElement.scrollWidth')) <= width,
        'nor do the tables',
      );
      t.same(said, [], 'its own policy blocks nothing of it');
    });

  await t.test('dark is dark, and the picture is drawn', async (t) => {
    const ground = async (scheme: 'light' | 'dark') => {
      const { page } = await visit('/one', 800, scheme);
      return page.evaluate('getComputedStyle(document.body).backgroundColor');
    };
    t.not(await ground('dark'), await ground('light'));
    const { page } = await visit('/one', 800, 'light');
    const rush = await page
      .locator('.plot .rush')
      .evaluateAll((bars) => bars.map((bar) => bar.getBoundingClientRect().height));
    t.ok(rush.length > 0 && rush.every((height) => height > 50), `${rush}`);
  });

  await t.test('the hours stand where they are, on a small phone too', async (t) => {
    const { page } = await visit('/one', 320, 'light');
    const picture = await page.locator('.plot svg').evaluate((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      return { left, right, width };
    });
    const hours = await page.locator('.axis span').evaluateAll((all) =>
      all.map((element) => {
        const { left, right, top } = element.getBoundingClientRect();
        return { left, right, top };
      }),
    );
    for (const [index, { left, top }] of hours.slice(0, 4).entries()) {
      t.ok(Math.abs(left - picture.left - (index * picture.width) / 4) < 1, `${index}: ${left}`);
      t.equal(top, hours[0]?.top);
    }
    const [before, now] = hours.slice(3);
    t.ok(now && before && before.right < now.left && Math.abs(now.right - picture.right) < 1);
  });

  await t.test('a screen reader has the picture in words, and in a table', async (t) => {
    const { page } = await visit('/one', 800, 'light');
    const picture = page.getByRole('img', { name: /^Previews in the last 24 hours/ });
    t.match(
      await picture.evaluate((svg) => svg.querySelector('desc')?.textContent),
      /^2,000 previews answered, and the application asked for 40 pages\..* \d+ stampedes\.$/,
    );
    await page.getByText('The same as a table').click();
    t.equal(await page.getByRole('row', { name: /^\d\d:\d\d / }).count(), 24);
    t.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
  });

  await t.test('names are text, whatever they are', async (t) => {
    const { page } = await visit('/two', 800, 'light');
    t.equal(await page.getByRole('heading', { name: '<b>"new"</b>.example' }).count(), 1);
  });
});
