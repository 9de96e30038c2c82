/**
 * What stands behind the proxies: `node bench/kit/origin.ts FOLDER DELAY` serves the files of a folder as
 * pages, each after so many milliseconds, and prints its port. A query changes nothing; `/no-store/NAME`
 * is a page that may not be kept; `/bytes/N` so many bytes; a POST is read and let go; `/asked` tells how many pages were asked for since `/asked` was last.
 */
import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, extname, join } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
};

const [folder = '', delay = '0'] = process.argv.slice(2);
let asked = 0;

const server = createServer((req, res) => {
  const [path = '/'] = (req.url ?? '/').split('?', 1);
  if (path === '/asked') {
    res.end(String(asked));
    asked = 0;
    return;
  }
  asked += 1;
  if (path.startsWith('/bytes/')) return pour(res, Number(basename(path)));
  if (req.method === 'POST') return void req.on('end', () => res.end()).resume();
  const page = readFileSync(join(folder, basename(path)));
  const isKept = !path.startsWith('/no-store/');
  const headers = {
    'content-type': TYPES[extname(path)] ?? 'text/html; charset=utf-8',
    'content-length': page.length,
    'cache-control': isKept ? 'public, max-age=3600' : 'no-store',
  };
  setTimeout(() => res.writeHead(200, headers).end(page), Number(delay));
});
server.keepAliveTimeout = 120_000;
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
  console.log((server.address() as AddressInfo).port),
);

/** Sends so many bytes, as fast as they are taken. */
function pour(res: ServerResponse, size: number): void {
  const piece = Buffer.alloc(256 * 1024, 'x');
  res.writeHead(200, { 'content-length': size });
  let left = size;
  const more = () => {
    while (left > 0) {
      const next = piece.subarray(0, left);
      left -= next.length;
      if (!res.write(next)) return void res.once('drain', more);
    }
    res.end();
  };
  more();
}
