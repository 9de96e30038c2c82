/** The last day as a picture, and the same as a table. */
import { PIECE, PIECES, type Piece } from './day.ts';
import { clock, counted, number } from './format.ts';
import type { Report } from './site-statistics.ts';
import { table } from './table.ts';

/** Pieces of the day that one bar shows: a quarter of an hour is wide enough on a phone. */
const A_BAR = 3;
const BARS = PIECES / A_BAR;
const MINUTES = (A_BAR * PIECE) / 60_000;

/** Units of the drawing, which is stretched to the place it has. */
const SLOT = 8;
const WIDTH = BARS * SLOT;
const HEIGHT = 200;

/** What can be seen is at least so high, and below the ground there is at least so much room. */
const VISIBLE = 3;
const CELLAR = 12;

const HOUR = 3_600_000;

interface Bar {
  readonly previews: number;
  readonly fetches: number;
  readonly isRush: boolean;
}

/**
 * A figure of the last day: what was answered stands on the ground, what the application was asked for hangs
 * below it. `id` is what its parts are called by, once in a page.
 */
export function chart({ day, stampedes, now }: Report, id: string): string {
  const bars = toBars(day, stampedes, now);
  const most = Math.max(...bars.map(({ previews }) => previews));
  if (most === 0)
    return '<p class="soft">Nobody asked for a preview in the last 24 hours. When a link to this site spreads, it shows here.</p>';
  const top = roundedUp(Math.max(most, ...bars.map(({ fetches }) => fetches)));
  const deepest = Math.max(CELLAR, ...bars.map(({ fetches }) => tall(fetches, top)));
  const sum = (what: 'previews' | 'fetches') => bars.reduce((all, bar) => all + bar[what], 0);
  const description = `${counted(sum('previews'), 'preview')} answered, and the application asked for ${counted(sum('fetches'), 'page')}. At most ${counted(most, 'preview')} within ${MINUTES} minutes. ${counted(stampedes.length, 'stampede')}.`;
  return `<figure>
<div class="plot">
<p class="most">${number(top)} in ${MINUTES} minutes</p>
<svg role="img" aria-labelledby="${id}-title ${id}-text" viewBox="0 0 ${WIDTH} ${HEIGHT + deepest}" preserveAspectRatio="none">
<title id="${id}-title">Previews in the last 24 hours</title>
<desc id="${id}-text">${description}</desc>
${bands(bars, HEIGHT + deepest)}${rect('grid', 0, 0, WIDTH, 1)}${rect('grid', 0, HEIGHT / 2, WIDTH, 1)}
${bars.map((bar, index) => drawn(bar, index * SLOT + 1, top)).join('')}
${rect('ground', 0, HEIGHT - 0.5, WIDTH, 1)}
</svg>
</div>
<p class="axis" aria-hidden="true"><span>−24 h</span><span>−18 h</span><span>−12 h</span><span>−6 h</span><span>now</span></p>
<ul class="key" aria-hidden="true">
${key('many', 'previews answered')}${key('rush', 'in a stampede')}${key('few', 'pages asked of the application')}
</ul>
${hourTable(day, now)}
</figure>`;
}

function toBars(day: Report['day'], stampedes: Report['stampedes'], now: number): Bar[] {
  const end = Math.floor(now / PIECE) * PIECE + PIECE;
  const start = end - PIECES * PIECE;
  const indexOf = (at: number) => Math.floor((at - start) / (A_BAR * PIECE));
  const rushes = new Set(stampedes.map(({ at }) => indexOf(at)));
  const bars = Array.from({ length: BARS }, (_, index) => ({
    previews: 0,
    fetches: 0,
    isRush: rushes.has(index),
  }));
  for (const { at, previews, fetches } of day) {
    const bar = bars[indexOf(at)];
    if (!bar) continue;
    bar.previews += previews;
    bar.fetches += fetches;
  }
  return bars;
}

function drawn({ previews, fetches, isRush }: Bar, x: number, top: number): string {
  const up = tall(previews, top);
  const width = SLOT - 2;
  return (
    (up > 0 ? rect(isRush ? 'rush' : 'many', x, HEIGHT - up, width, up) : '') +
    (fetches > 0 ? rect('few', x, HEIGHT, width, tall(fetches, top)) : '')
  );
}

/** What lets a stampede be seen from afar, behind everything else. */
function bands(bars: readonly Bar[], height: number): string {
  return bars
    .map(({ isRush }, index) =>
      isRush ? rect('band', index * SLOT - 8, 0, SLOT + 16, height) : '',
    )
    .join('');
}

/** How tall a bar is; what is there can be seen. */
function tall(value: number, top: number): number {
  return value === 0 ? 0 : Math.max(VISIBLE, Math.round((value / top) * HEIGHT));
}

function rect(name: string, x: number, y: number, width: number, height: number): string {
  return `<rect class="${name}" x="${x}" y="${y}" width="${width}" height="${height}"/>`;
}

function key(name: string, text: string): string {
  return `<li><svg viewBox="0 0 1 1"><rect class="${name}" width="1" height="1"/></svg>${text}</li>`;
}

/** Hours of the clock in UTC, the last one first. */
function hourTable(day: readonly Piece[], now: number): string {
  const hours = new Map<number, { previews: number; fetches: number; requests: number }>();
  const last = Math.floor(now / HOUR) * HOUR;
  for (let at = last; at > last - 24 * HOUR; at -= HOUR)
    hours.set(at, { previews: 0, fetches: 0, requests: 0 });
  for (const { at, previews, fetches, requests } of day) {
    const hour = hours.get(Math.floor(at / HOUR) * HOUR);
    if (!hour) continue;
    hour.previews += previews;
    hour.fetches += fetches;
    hour.requests += requests;
  }
  const rows = Array.from(
    hours,
    ([at, { previews, fetches, requests }]) =>
      `<tr><th scope="row">${clock(at)}</th><td>${number(previews)}</td><td>${number(fetches)}</td><td>${number(requests)}</td></tr>`,
  );
  const columns = ['Hour', 'Previews', 'Pages asked for', 'All requests'];
  return `<details>
<summary>The same as a table</summary>
${table(columns, rows, 'By the hour, in UTC, the last one first')}
</details>`;
}

/** A number that is easy to read: 1, 2 or 5 and noughts. */
function roundedUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((digit) => digit * power).find((step) => step >= value) ?? value;
}
