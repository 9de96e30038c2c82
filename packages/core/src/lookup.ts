/** Looking up names: once for all who ask at the same time. */
import dns, { type LookupAddress, type LookupOptions } from 'node:dns';

type Told = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** Who waits for a name, by the question. */
const asked = new Map<string, Told[]>();

/**
 * `dns.lookup` for those who connect. Each of its questions takes one of the few threads that zlib and
 * files use too, for as long as the resolver is silent: with one for each request, a bad day of the
 * resolver's would stop all of it.
 */
export function lookupOnce(name: string, options: LookupOptions, tell: Told): void {
  const question = JSON.stringify([name, options]);
  const waiting = asked.get(question);
  if (waiting) {
    waiting.push(tell);
    return;
  }
  const all = [tell];
  asked.set(question, all);
  dns.lookup(name, options, (...answer) => {
    asked.delete(question);
    for (const each of all) each(...answer);
  });
}
