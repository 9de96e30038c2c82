/** The page that people look at: HTML and SVG, no script. */
import { chart } from './chart.ts';
import { bytes, clock, counted, date, escaped, number } from './format.ts';
import type { Report } from './site-statistics.ts';
import { softwareName } from './software-names.ts';
import { STAMPEDE } from './stampedes.ts';
import { STYLE } from './style.ts';
import { table } from './table.ts';
import type { Counted } from './top-list.ts';

/** Rows of software that are shown at once. */
const SOFTWARE = 8;

/** What heads a part of the page: with several sites, each of them stands above its parts. */
type Heading = 'h2' | 'h3';

/** A page for one site, or for several below each other. `json` is where the same is as JSON. */
export function page(reports: readonly Report[], json: string): string {
  const [first, ...others] = reports;
  const only = others.length === 0 ? first : undefined;
  const title = only ? `${only.site} in the fediverse` : 'Statistics';
  const about = only ? aboutOne(only) : 'What fediverse servers ask of these sites.';
  const sites = only
    ? [site(only, 'h2', 'day')]
    : reports.map(
        (report, index) =>
          `<h2 class="site">${escaped(report.site)}</h2>\n${site(report, 'h3', `day-${index}`)}`,
      );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="${escaped(about)}">
<meta property="og:title" content="${escaped(title)}">
<meta property="og:description" content="${escaped(about)}">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
<p>When somebody posts a link, the server of each follower fetches it to make a preview, all within a minute. Headgate fetches the page once and answers them from memory.</p>
${sites.join('\n')}
${first ? footer(first.now, json) : '<p>There are no sites.</p>'}
</main>
</body>
</html>
`;
}

function footer(now: number, json: string): string {
  return `<footer>As of ${date(now)}, ${clock(now)} UTC. <a href="${escaped(json)}">The same as JSON</a>. Counted by Headgate, which keeps no addresses.</footer>`;
}

function aboutOne({ totals, servers, since }: Report): string {
  const count = `${number(servers.count)}${servers.isMore ? ' or more' : ''}`;
  return `${counted(totals.previews, 'preview')} answered for ${count} servers since ${new Date(since).toISOString().slice(0, 10)}, with ${counted(totals.fetches, 'page')} asked of the application.`;
}

function site(report: Report, heading: Heading, id: string): string {
  const { stampedes, lastHour } = report;
  const { servers, pages } = lastHour;
  const card = (title: string, content: string) =>
    `<section>\n<${heading}>${title}</${heading}>\n${content}\n</section>`;
  const lists = [
    servers.length > 0 ? card('Servers of the last hour', list('Server', servers)) : '',
    pages.length > 0 ? card('Previews of the last hour', list('Page', pages)) : '',
  ];
  return `${figures(report)}
${card('The last 24 hours', chart(report, id))}
${card('By software', softwareTable(report))}
${stampedes.length > 0 ? card('Stampedes', stampedeTable(report)) : ''}
<div class="pair">${lists.join('\n')}</div>`;
}

function figures({ totals, servers, stampedes, since }: Report): string {
  const { requests, served, previews, spared, fetches, saved } = totals;
  const share =
    previews > 0 ? `${Math.floor((100 * spared) / previews)} % from memory` : 'none yet';
  const tiles = [
    ['Previews answered', number(previews), share],
    ['Pages fetched for them', number(fetches), 'asked of the application'],
    ['Servers', number(servers.count) + (servers.isMore ? '+' : ''), 'that said their name'],
    ['Saved', bytes(saved), 'of pages that nobody needed whole'],
    ['Stampedes', number(stampedes.length), 'in the last 24 hours'],
    ['Sent', bytes(served), `in ${counted(requests, 'answer')} of all kinds`],
  ];
  return `<p class="soft">Counted since ${date(since)}.</p>
<dl>${tiles.map(([name, value, more]) => `<div><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`).join('\n')}</dl>`;
}

function softwareTable({ software }: Report): string {
  if (software.length === 0)
    return '<p class="soft">No software of the fediverse was here yet.</p>';
  const most = Math.max(...software.map(({ previews }) => previews), 1);
  const rows = software.map(
    ({ family, servers, previews, requests }) =>
      `<tr><th scope="row">${escaped(softwareName(family))}${bar(previews / most)}</th><td>${number(previews)}</td><td>${number(servers)}</td><td>${number(requests)}</td></tr>`,
  );
  const columns = ['Software', 'Previews', 'Servers', 'All requests'];
  const more = rows.slice(SOFTWARE);
  return `${table(columns, rows.slice(0, SOFTWARE))}
${more.length > 0 ? `<details>\n<summary>${number(more.length)} more</summary>\n${table(columns, more)}\n</details>` : ''}`;
}

/** A share of a whole, for the eye alone: the number stands beside it. */
function bar(share: number): string {
  return `<svg class="bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect class="grid" width="100" height="1"/><rect class="many" width="${(100 * share).toFixed(1)}" height="1"/></svg>`;
}

function stampedeTable({ stampedes }: Report): string {
  const rows = stampedes
    .toReversed()
    .map(
      ({ at, previews, peak }) =>
        `<tr><th scope="row">${date(at)}, ${clock(at)}</th><td>${number(previews)}</td><td>${number(peak)}</td></tr>`,
    );
  const caption = `One page, ${STAMPEDE} previews or more in a minute. Times are UTC.`;
  return table(['Began', 'Previews', 'Most in a minute'], rows, caption);
}

function list(what: string, names: readonly Counted[]): string {
  const rows = names.map(
    ({ name, count }) => `<tr><th scope="row">${escaped(name)}</th><td>${number(count)}</td></tr>`,
  );
  return table([what, 'Requests'], rows);
}
