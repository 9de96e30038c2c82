/** Where certificates come from, and which of them is for whom. */
import type { Pair } from '@headgate/core/server';

export type { Pair };

/** Something that has certificates: PEM files, or an authority that issues them. */
export interface CertificateSource {
  /**
   * The pair whose certificate is for this name in lower case; nothing when there is none. For `''`
   * the one to show where no other fits.
   */
  pairFor(name: string): Pair | undefined;
  /** Has `told` called whenever `pairFor` gives others than before. */
  onChange(told: () => void): void;
  /** Looks after its certificates no more. */
  stop(): Promise<void>;
}

/** What is told on `headgate:certificate` when a pair was loaded, at first or in place of another. */
export interface CertificateLoaded {
  readonly names: readonly string[];
  /** When it is good for nothing any more; milliseconds of the epoch. */
  readonly notAfter: number;
}

/** Where `CertificateLoaded` is told. */
export const CERTIFICATE_CHANNEL = 'headgate:certificate';

/** Asks several sources, the first of them first. */
export function inOrder(sources: readonly CertificateSource[]): CertificateSource {
  return {
    pairFor: (name) => {
      for (const source of sources) {
        const pair = source.pairFor(name);
        if (pair) return pair;
      }
      return undefined;
    },
    onChange: (told) => {
      for (const source of sources) source.onChange(told);
    },
    stop: async () => {
      for (const source of sources) await source.stop();
    },
  };
}
