/** What `npm start` runs: the example site, Headgate in front of it, and what to try. */
import { gate, listen, toUrl } from 'headgate';
import { site } from './site.ts';

const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';

const behind = await listen(
  site((line) => console.log(`the site was asked:  ${line}`)),
  { host: '127.0.0.1', port: 3000 },
);
const { server, close } = await gate({ upstream: toUrl(behind.address) });
const front = await listen(server, { host: '127.0.0.1', port: 8080 });
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

async function stop(): Promise<void> {
  await Promise.all([front.stop(1_000), behind.stop(1_000)]);
  await close();
}
