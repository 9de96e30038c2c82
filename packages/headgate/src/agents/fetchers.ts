/** The requests that fedicache answers, told as coarsely as other servers' configurations can. */
import type { Agent } from '@headgate/fedi-agents';

/** What Accept says, as far as fetchers differ: a page's type first, anything at all, nothing. */
export type Accept = 'html' | 'any' | 'none';

/** A software that may get a cut page when it asks with this Accept. */
export interface Fetcher {
  readonly family: string;
  readonly accept: Accept;
  /** What its User-Agent looks like, without what RE2 lacks. */
  readonly pattern: string;
}

const EXAMPLES: readonly (readonly [Accept, string])[] = [
  ['html', 'text/html'],
  ['any', '*/*'],
  ['none', ''],
];

/**
 * Lists the fetchers among `agents`. They take in somewhat more than fedicache does, which looks again
 * and passes on what it doesn't answer; of what this software is known to send they leave out nothing.
 */
export function fetchersOf(agents: readonly Agent[]): Fetcher[] {
  return EXAMPLES.flatMap(([accept, example]) =>
    agents.flatMap(({ family, userAgent, fetches = [] }) => {
      const fitting = fetches
        .filter(({ mayTrim }) => mayTrim)
        .filter(({ accept: wanted }) =>
          wanted instanceof RegExp ? wanted.test(example) : (wanted ?? example) === example,
        );
      const own = toPattern(userAgent);
      const patterns = fitting.map(({ userAgent: more }) => {
        // One that begins with ^ can't follow another.
        const rest = more && !more.source.startsWith('^') ? `.*${toPattern(more)}` : '';
        return own + rest;
      });
      const enough = patterns.includes(own) ? [own] : patterns;
      return [...new Set(enough)].map((pattern) => ({ family, accept, pattern }));
    }),
  );
}

/** A pattern as it is written outside of JavaScript. */
export function toPattern({ source }: RegExp): string {
  return source.replaceAll('\\/', '/');
}
