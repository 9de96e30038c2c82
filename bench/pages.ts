/**
 * Real pages through Headgate: `./dev bench pages FOLDER` serves every .html file of a folder, asks
 * for each through Headgate as a browser and as Mastodon, with each kind of cut, and compares what
 * both can read: by rules of our own, and by Misskey's extractor (`@misskey-dev/summaly`).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer as createOrigin } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compose } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import { upstreamTo } from '@headgate/core/upstream';
import { fedicache } from '@headgate/middleware-fedicache';
import { summaly } from '@misskey-dev/summaly';
import { listen, toUrl } from 'headgate';
import { type DefaultTreeAdapterMap, parse, defaultTreeAdapter as tree } from 'parse5';

type Node = DefaultTreeAdapterMap['node'];
type Element = DefaultTreeAdapterMap['element'];

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
const ANYWHERE = { host: '127.0.0.1', port: 0 };

interface Row {
  readonly page: string;
  readonly 'same as browser': boolean;
  readonly 'same card': boolean;
  readonly 'other for summaly': string;
  readonly cut: boolean;
  readonly bytes: number;
  readonly 'cut to': number;
  readonly 'gzip: bytes': number;
  readonly 'gzip: cut to': number;
}

const folder = process.argv[2];
if (folder === undefined) {
  console.error('./dev bench pages FOLDER: a folder with .html files');
  process.exit(1);
}
const pages = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.html'))
    .map((name) => [`/${encodeURIComponent(name)}`, readFileSync(join(folder, name))]),
);
process.env.SUMMALY_ALLOW_PRIVATE_IP = 'true';

const origin = createOrigin((req, res) => {
  const page = pages.get(req.url ?? '');
  res.setHeader('content-type', 'text/html; charset=utf-8');
  res.end(page ?? 'no such page');
});
const behind = await listen(origin, ANYWHERE);
for (const keep of ['metadata', 'head'] as const) report(keep, await measured(keep));
await behind.stop(0);

async function measured(keep: 'metadata' | 'head'): Promise<Row[]> {
  const { handler, close } = upstreamTo(toUrl(behind.address));
  const layer = fedicache({ keep });
  const server = createServer({ handler: compose([layer.middleware], handler), site: 'pages' });
  const front = await listen(server, ANYWHERE);
  const url = toUrl(front.address);
  const rows: Row[] = [];
  for (const [path, page] of pages) {
    const full = await fetched(url + path, { 'user-agent': 'Mozilla/5.0', accept: 'text/html' });
    const cut = await fetched(url + path, { 'user-agent': MASTODON, accept: 'text/html' });
    const [summary, other] = await Promise.all([
      summarised(url + path),
      summarised(toUrl(behind.address) + path),
    ]);
    const differing = Object.keys(summary).filter((key) => summary[key] !== other[key]);
    rows.push({
      page: decodeURIComponent(path.slice(1)),
      'same as browser': full.body.equals(page),
      'same card': JSON.stringify(readBy(cut.body)) === JSON.stringify(readBy(page)),
      'other for summaly': differing.join(', '),
      cut: cut.isCut,
      bytes: page.length,
      'cut to': cut.body.length,
      'gzip: bytes': gzipSync(page).length,
      'gzip: cut to': gzipSync(cut.body).length,
    });
  }
  await front.stop(0);
  await layer.close();
  close();
  return rows;
}

function report(keep: string, rows: readonly Row[]): void {
  console.log(`\nkeep: ${keep}`);
  console.table(rows);
  const count = (isSo: (row: Row) => boolean) => `${rows.filter(isSo).length} of ${rows.length}`;
  const sum = (column: 'bytes' | 'cut to' | 'gzip: bytes' | 'gzip: cut to') =>
    rows.reduce((total, row) => total + row[column], 0);
  const median = (column: 'cut to' | 'gzip: cut to') =>
    rows.map((row) => row[column]).toSorted((a, b) => a - b)[Math.floor(rows.length / 2)];
  console.log(`as a browser, byte for byte the same:        ${count((row) => row['same as browser'])}
as Mastodon, cut:                            ${count((row) => row.cut)}
title, og:* and rel=me the same as uncut:    ${count((row) => row['same card'])}
every field of summaly the same as uncut:    ${count((row) => row['other for summaly'] === '')}
bytes:           ${sum('bytes')} → ${sum('cut to')}   median ${median('cut to')}
bytes in gzip:   ${sum('gzip: bytes')} → ${sum('gzip: cut to')}   median ${median('gzip: cut to')}`);
  if (!rows.every((row) => row['same as browser'] && row['same card'])) process.exitCode = 1;
}

/** What Misskey reads of a page, each field as text, without the port that it was fetched from. */
async function summarised(url: string): Promise<Record<string, string>> {
  const summary = await summaly(url, { followRedirects: false });
  const port = new URL(url).port;
  return Object.fromEntries(
    Object.entries(summary).map(([key, value]) => [
      key,
      JSON.stringify(value)?.replaceAll(port, 'PORT') ?? '',
    ]),
  );
}

async function fetched(url: string, headers: Record<string, string>) {
  const response = await fetch(url, { headers });
  const body = Buffer.from(await response.arrayBuffer());
  return { body, isCut: response.headers.get('fedicache') === 'Active' };
}

/** What a card and a verification are made of: the title, every meta with a name, every rel=me. */
function readBy(page: Buffer): unknown {
  const read = { title: '', metas: [] as string[][], me: [] as string[] };
  const visit = (node: Node, isInHead: boolean) => {
    if (tree.isElementNode(node)) {
      const { tagName } = node;
      if (tagName === 'title' && isInHead && read.title === '') read.title = textOf(node);
      const property = attribute(node, 'property') ?? attribute(node, 'name') ?? '';
      if (tagName === 'meta' && /^(?:og|article|twitter|fediverse):|^description$/i.test(property))
        read.metas.push([property, attribute(node, 'content') ?? '']);
      const rel = attribute(node, 'rel')?.toLowerCase().split(/\s+/) ?? [];
      if (rel.includes('me')) read.me.push(`${tagName} ${attribute(node, 'href')}`);
    }
    if ('childNodes' in node)
      for (const child of node.childNodes)
        visit(child, isInHead || (tree.isElementNode(node) && node.tagName === 'head'));
  };
  visit(parse(page.toString(), { scriptingEnabled: false }), false);
  return read;
}

function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((candidate) => candidate.name === name)?.value;
}

function textOf(element: Element): string {
  return element.childNodes.map((node) => (tree.isTextNode(node) ? node.value : '')).join('');
}
