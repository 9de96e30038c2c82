/** Many WebSockets at once, as many as CI has patience for; crowd.ts by itself opens 5,000. */
import t from 'tap';
import { crowd, fileLimit, filesFor } from './crowd.ts';

const SOCKETS = 1_000;
const needed = filesFor(SOCKETS);

t.test(
  `${SOCKETS} WebSockets: pages are served, silent ones fall, nothing is left`,
  { timeout: 240_000, skip: fileLimit() < needed && `needs ulimit -n ${needed}` },
  async (t) => {
    const seen = await crowd(SOCKETS, 500);
    t.match(seen, {
      open: SOCKETS,
      answered: seen.pages,
      fallen: 500,
      left: 0,
      leftAtOrigin: 0,
      reported: SOCKETS + 500,
    });
    t.comment(`${Math.round(seen.kibEach)} KiB each; pages' p99 ${Math.round(seen.p99)} ms`);
  },
);
