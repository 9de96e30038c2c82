/** The fuzzer, as long as CI has patience: `./dev fuzz --runs 1000000 --seed 2` has more. */
import t from 'tap';
import { fuzz } from './fuzz.ts';

t.setTimeout(300_000);

t.test(
  '20,000 inputs: no crash, no hang, nothing unframed, nothing for somebody else',
  async (t) => {
    const { inputs, requests, ...faults } = await fuzz({ runs: 20_000, seed: 1 });
    t.equal(inputs, 20_000);
    t.ok(requests > 2_000, `${requests} requests got through`);
    for (const [name, found] of Object.entries(faults)) t.same(found.slice(0, 5), [], name);
  },
);
