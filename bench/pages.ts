/**
 * Real pages through Headgate: `./dev bench pages FOLDER` serves every .html file of a folder, asks
 * for each through Headgate as a browser and as Mastodon, and compares what both can read.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { gate, listen, toConfig, toUrl } from 'headgate';
import { type DefaultTreeAdapterMap, parse, defaultTreeAdapter as tree } from 'parse5';

type Node = DefaultTreeAdapterMap['node'];
type Element = DefaultTreeAdapterMap['element'];

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

interface Row {
  readonly page: string;
  readonly 'same as browser': boolean;
  readonly 'same card': boolean;
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

const origin = createServer((req, res) => {
  res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  res.end(pages.get(req.url ?? ''));
});
const behind = await listen(origin, { host: '127.0.0.1', port: 0 });
const config = await toConfig({ sites: [{ upstream: toUrl(behind.address) }] });
const { server, close } = await gate(config);
const front = await listen(server(), { host: '127.0.0.1', port: 0 });

const rows: Row[] = [];
for (const [path, page] of pages) {
  const full = await fetched(path, { 'user-agent': 'Mozilla/5.0', accept: 'text/html' });
  const cut = await fetched(path, { 'user-agent': MASTODON, accept: 'text/html' });
  rows.push({
    page: decodeURIComponent(path.slice(1)),
    'same as browser': full.body.equals(page),
    'same card': JSON.stringify(readBy(cut.body)) === JSON.stringify(readBy(page)),
    cut: cut.isCut,
    bytes: page.length,
    'cut to': cut.body.length,
    'gzip: bytes': gzipSync(page).length,
    'gzip: cut to': gzipSync(cut.body).length,
  });
}
console.table(rows);

const count = (column: 'same as browser' | 'same card' | 'cut') =>
  `${rows.filter((row) => row[column]).length} of ${rows.length}`;
const sum = (column: 'bytes' | 'cut to' | 'gzip: bytes' | 'gzip: cut to') =>
  rows.reduce((total, row) => total + row[column], 0);
const median = (column: 'cut to' | 'gzip: cut to') =>
  rows.map((row) => row[column]).toSorted((a, b) => a - b)[Math.floor(rows.length / 2)];
console.log(`as a browser, byte for byte the same:        ${count('same as browser')}
as Mastodon, cut:                            ${count('cut')}
title, og:* and rel=me the same as uncut:    ${count('same card')}
bytes:           ${sum('bytes')} → ${sum('cut to')}   median ${median('cut to')}
bytes in gzip:   ${sum('gzip: bytes')} → ${sum('gzip: cut to')}   median ${median('gzip: cut to')}`);

await front.stop(0);
await behind.stop(0);
await close();
process.exitCode = rows.every((row) => row['same as browser'] && row['same card']) ? 0 : 1;

async function fetched(path: string, headers: Record<string, string>) {
  const response = await fetch(toUrl(front.address) + path, { headers });
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
