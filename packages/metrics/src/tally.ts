/** Numbers that change more often than anybody asks for them. */

/** A number for each site. */
export interface Tally {
  add(site: string, change: number): void;
  /** Puts them into a gauge. */
  readonly show: (gauge: { set(labels: { site: string }, value: number): void }) => void;
}

/** Makes a tally that begins with nothing. */
export function tally(): Tally {
  const counts = new Map<string, number>();
  return {
    add: (site, change) => {
      counts.set(site, (counts.get(site) ?? 0) + change);
    },
    show: (gauge) => {
      for (const [site, count] of counts) gauge.set({ site }, count);
    },
  };
}
