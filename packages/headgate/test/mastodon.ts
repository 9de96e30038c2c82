/** A stand-in that behaves as Mastodon's two processes do. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { Test } from 'tap';
import { WebSocketServer } from 'ws';
import { listen } from '../../core/test/wire.ts';

/** Mastodon's web process: everything but https is redirected, uploads are read, files have no fields. */
export async function web(t: Test) {
  const asked: { line: string; headers: IncomingMessage['headers']; hash: string; size: number }[] =
    [];
  const server = createServer(async (req, res) => {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of req) {
      hash.update(chunk);
      size += chunk.length;
    }
    const { method, url, headers } = req;
    asked.push({ line: `${method} ${url}`, headers, hash: hash.digest('base64'), size });
    res.setHeader('server', 'Mastodon');
    if (headers['x-forwarded-proto'] !== 'https')
      return res.writeHead(301, { location: `https://${headers.host}${url}` }).end();
    if (url === '/sw.js') res.setHeader('cache-control', 'max-age=0, must-revalidate');
    if (url?.endsWith('/missing')) res.statusCode = 404;
    res.setHeader('content-type', 'text/html; charset=utf-8');
    res.end('<!doctype html><html><head><title>M</title></head><body>Mastodon</body></html>');
  });
  return { asked, url: `http://127.0.0.1:${await listen(t, server)}` };
}

/** Its streaming process: it takes the token from the protocol, as browsers have no other place for it. */
export async function streaming(t: Test) {
  const asked: (string | undefined)[] = [];
  const server = createServer((_req, res) => res.writeHead(404).end());
  new WebSocketServer({ server }).on('connection', (socket, { url, headers }) => {
    asked.push(`${url} ${headers['sec-websocket-protocol']}`);
    socket.on('message', (data) => socket.send(`{"stream":${data}}`));
  });
  return { asked, url: `http://127.0.0.1:${await listen(t, server)}` };
}
