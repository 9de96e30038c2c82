/**
 * What memory is used for: `./dev bench memory [--pages N] [--json FILE]`. The resident set of Headgate,
 * nginx and Varnish when they have just started, with 1,000 idle connections, at most while 1 GiB is
 * downloaded and 1 GiB uploaded, and of Headgate once 100,000 different pages were previewed, of which
 * it keeps what its 64 MiB hold.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { report, size } from './kit/figures.ts';
import { pageOf } from './kit/page.ts';
import { startPeers } from './kit/peers.ts';
import { folder, type Peer, startOrigin } from './kit/process.ts';

const CONNECTIONS = 1_000;
const AT_ONCE = 32;
const GIB = 1024 ** 3;
const FETCHER = {
  'User-Agent': 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot',
  Accept: 'text/html',
  Host: 'path.example',
};

const { values } = parseArgs({
  options: { pages: { type: 'string', default: '100000' }, json: { type: 'string' } },
});
const home = folder();
writeFileSync(join(home, 'page.html'), pageOf(20 * 1024));
const origin = await startOrigin(home);
const peers = await startPeers({ origin: origin.port, gzip: true });
const tell = report('memory', values.json);

const rows: Record<string, Record<string, string>> = {};
for (const peer of peers) {
  const idle = await settled(peer);
  const sockets = await connections(peer);
  const connected = await settled(peer);
  for (const socket of sockets) socket.destroy();
  const highest = [await highestDuring(peer, download), await highestDuring(peer, upload)];
  rows[peer.name] = {
    idle: size(idle),
    [`with ${CONNECTIONS} idle connections`]: size(connected),
    'for each of them': size((connected - idle) / CONNECTIONS),
    '1 GiB down': size(highest[0] ?? 0),
    '1 GiB up': size(highest[1] ?? 0),
  };
}
tell('resident memory', rows);

const [headgate] = peers as [Peer];
const before = await settled(headgate);
const highest = await preview(headgate, Number(values.pages));
const after = await settled(headgate);
tell(`resident memory of Headgate while ${values.pages} different pages are previewed`, {
  headgate: { before: size(before), highest: size(highest), after: size(after) },
});
for (const peer of [...peers, origin]) await peer.stop();

/** The resident set once nothing happens any more. */
async function settled(peer: Peer): Promise<number> {
  await delay(2_000);
  return peer.rss();
}

/** Connections that have been used once and are kept. */
async function connections(peer: Peer): Promise<Socket[]> {
  const fields = Object.entries(FETCHER).map(([name, value]) => `${name}: ${value}\r\n`);
  const sockets: Socket[] = [];
  while (sockets.length < CONNECTIONS) {
    const socket = connect(peer.port, '127.0.0.1').on('error', () => {});
    socket.write(`GET /page.html HTTP/1.1\r\n${fields.join('')}\r\n`);
    await once(socket, 'data');
    sockets.push(socket.resume());
  }
  return sockets;
}

/** The highest resident set while something is done. */
async function highestDuring(peer: Peer, work: (peer: Peer) => Promise<void>): Promise<number> {
  let highest = 0;
  const looks = setInterval(() => {
    highest = Math.max(highest, peer.rss());
  }, 50);
  await work(peer);
  clearInterval(looks);
  return highest;
}

async function download({ port }: Peer): Promise<void> {
  const [response] = await once(get({ port, path: `/bytes/${GIB}`, agent: false }), 'response');
  let size = 0;
  for await (const piece of response as IncomingMessage) size += piece.length;
  if (size !== GIB) throw new Error(`${size} bytes came`);
}

async function upload({ port }: Peer): Promise<void> {
  const headers = { 'content-length': GIB };
  const sending = request({ port, method: 'POST', path: '/', headers, agent: false });
  const piece = Buffer.alloc(256 * 1024, 'x');
  for (let sent = 0; sent < GIB; sent += piece.length)
    if (!sending.write(piece)) await once(sending, 'drain');
  sending.end();
  const [response] = await once(sending, 'response');
  (response as IncomingMessage).resume();
  if ((response as IncomingMessage).statusCode !== 200) throw new Error('the upload failed');
}

/** Asks for so many different pages; gives the highest resident set on the way. */
async function preview(peer: Peer, count: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  let next = 0;
  let highest = 0;
  const work = async () => {
    while (next < count) {
      const path = `/page.html?page=${next++}`;
      const options = { port: peer.port, path, headers: FETCHER, agent };
      await new Promise<void>((resolve, reject) => {
        get(options, (response) => {
          if (response.headers.fedicache !== 'Active') reject(new Error(`${path} is not cut`));
          response.resume().once('end', resolve);
        }).once('error', reject);
      });
      if (next % 1_000 === 0) highest = Math.max(highest, peer.rss());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  agent.destroy();
  return highest;
}
