/**
 * How fast pages are cut: `./dev bench trim [FOLDER] [--rounds N] [--json FILE]`. Every .html file of a
 * folder (default: four pages of 20 to 900 KB made here), in pieces as an upstream sends them, by the
 * trimmer and by htmlparser2's Tokenizer alone in turn; and for how long the event loop stood still meanwhile, in CPU time, so that what else the
 * machine does is not in it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Tokenizer, type TokenizerCallbacks } from 'htmlparser2';
import { trim } from '../packages/middleware-fedicache/src/trim.ts';
import { median, quantile, ratio, report } from './kit/figures.ts';
import { pageOf } from './kit/page.ts';

/** A round over all pages. */
interface Round {
  /** Megabytes per second of CPU. */
  readonly speed: number;
  /** Milliseconds. */
  readonly stall: number;
}

const PIECE = 65_536;
const SIZES = [20_000, 60_000, 250_000, 900_000];
const SCAN = 1024 * 1024;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '15' }, json: { type: 'string' } },
});
const [folder] = positionals;
const pages = folder === undefined ? SIZES.map(pageOf) : pagesIn(folder);
const total = pages.reduce((sum, { length }) => sum + length, 0);

const ways: Record<string, (page: Buffer) => Promise<unknown>> = {
  'Tokenizer alone': tokenize,
  'trim, metadata': (page) => trimmed(page, 'metadata'),
  'trim, head': (page) => trimmed(page, 'head'),
};
const measured = new Map<string, Round[]>(Object.keys(ways).map((name) => [name, []]));
for (let round = -1; round < Number(values.rounds); round++)
  for (const [name, way] of Object.entries(ways)) {
    const one = await measure(way);
    if (round >= 0) measured.get(name)?.push(one); // the first one warms up
  }

const speeds = (name: string) => (measured.get(name) ?? []).map(({ speed }) => speed);
const rows = Array.from(measured, ([name, all]) => {
  const stalls = all.map(({ stall }) => stall);
  return [
    name,
    {
      'MB/s': Math.round(median(speeds(name))),
      'of the Tokenizer’s': ratio(speeds(name), speeds('Tokenizer alone')),
      'longest stall, ms': median(stalls).toFixed(1),
      'in the best round': quantile(stalls, 0).toFixed(1),
    },
  ] as const;
});
report('trim', values.json)(
  `${pages.length} pages, ${(total / 1e6).toFixed(1)} MB, medians of ${values.rounds} rounds`,
  Object.fromEntries(rows),
);

function pagesIn(folder: string): Buffer[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.html'))
    .map((name) => readFileSync(join(folder, name)).subarray(0, SCAN - 1));
}

async function measure(way: (page: Buffer) => Promise<unknown>): Promise<Round> {
  let isOver = false;
  let stall = 0;
  const watch = async () => {
    for (let last = used(); !isOver; ) {
      await turn();
      const now = used();
      stall = Math.max(stall, now - last);
      last = now;
    }
  };
  const watching = watch();
  const before = used();
  for (const page of pages) await way(page);
  const speed = total / 1000 / (used() - before);
  isOver = true;
  await watching;
  return { speed, stall };
}

/** Milliseconds of CPU that this thread has used. */
function used(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

async function trimmed(page: Buffer, keep: 'metadata' | 'head'): Promise<unknown> {
  return trim(Readable.from(piecesOf(page)), { keep, maxScan: SCAN, maxPage: 256 * 1024 });
}

/** What no trimmer can do without: latin1 text of the bytes, and a look at each token. */
async function tokenize(page: Buffer): Promise<unknown> {
  let count = 0;
  const on = () => {
    count += 1;
  };
  const callbacks: TokenizerCallbacks = {
    onattribdata: on,
    onattribend: on,
    onattribentity: on,
    onattribname: on,
    oncdata: on,
    onclosetag: on,
    oncomment: on,
    ondeclaration: on,
    onend: on,
    onopentagend: on,
    onopentagname: on,
    onprocessinginstruction: on,
    onselfclosingtag: on,
    ontext: on,
    ontextentity: on,
  };
  const html = new Tokenizer({ decodeEntities: false }, callbacks);
  for await (const piece of Readable.from(piecesOf(page))) html.write(piece.toString('latin1'));
  html.end();
  return count;
}

/** As an upstream's socket gives them: each on a turn of the event loop of its own. */
async function* piecesOf(page: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < page.length; at += PIECE) {
    await turn();
    yield page.subarray(at, at + PIECE);
  }
}
