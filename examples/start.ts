/** What `npm start` runs: the example site, Headgate in front of it, and what to try. */
import type { Server } from 'node:http';
import { gate, type Listener, listen, toConfig, toUrl } from 'headgate';
import { site } from './site.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

const behind = await listenAt(
  3000,
  site((line) => console.log(`the site was asked:  ${line}`)),
);
const config = await toConfig({ sites: [{ upstream: toUrl(behind.address) }] });
const { server, close } = await gate(config);
const front = await listenAt(8080, server());
const url = toUrl(front.address);

console.log(`An example site is at ${toUrl(behind.address)}, and Headgate stands in front of it:

  ${url}

Try it in a browser, or in another terminal:

  As a browser:   curl -s ${url}/ | wc -c
                  The whole page, 120 kB. The site is asked each time.

  As Mastodon:    curl -si -H 'Accept: text/html' -A '${MASTODON}' ${url}/
                  The page's head and its rel=me link, less than 1 kB. Ask again: the answer
                  says "Cache-Status: Headgate; hit", and the site is not asked any more.

In front of your own site:   npm start -- --upstream http://127.0.0.1:5000
Stop with Ctrl-C.
`);

process.once('SIGINT', stop);
process.once('SIGTERM', stop);

/** Listens on a port, or on any other if somebody else has it. */
function listenAt(port: number, server: Server): Promise<Listener> {
  const host = '127.0.0.1';
  return listen(server, { host, port }).catch(() => listen(server, { host, port: 0 }));
}

async function stop(): Promise<void> {
  await Promise.all([front.stop(1_000), behind.stop(1_000)]);
  await close();
}
