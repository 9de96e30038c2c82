/** Certificates from PEM files, which somebody else renews. */
import { channel } from 'node:diagnostics_channel';
import { CERTIFICATE_CHANNEL, type CertificateSource } from './certificates.ts';
import { isFor, type KnownPair, type PairFiles, readPair } from './pair.ts';

/** Milliseconds between two looks at the files. */
const LOOK = 60_000;

/** How files are looked after. */
export interface PemFilesOptions {
  /** Told what is wrong with files that have changed; those before stay in use. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Milliseconds between two looks. Default 60 000. */
  readonly every?: number;
}

/** Certificates from files. */
export interface PemFiles extends CertificateSource {
  /** Looks after these files from now on. Throws a `TypeError`, and changes nothing, if one is unfit. */
  use(files: readonly PairFiles[]): void;
}

/** A pair and the files that it came from. */
interface Loaded {
  readonly files: PairFiles;
  readonly pair: KnownPair;
}

/**
 * Reads pairs, and reads them again once a minute: by content, since a renewal may change no more than
 * where a symbolic link leads. Throws a `TypeError` if one is unfit.
 */
export function pemFiles(
  files: readonly PairFiles[],
  { warn, every = LOOK }: PemFilesOptions = {},
): PemFiles {
  const certificates = channel(CERTIFICATE_CHANNEL);
  const listeners: (() => void)[] = [];
  const complaints = new Map<string, string>();
  let loaded: readonly Loaded[] = [];

  /** Puts pairs in use, and tells of those that are new. */
  const put = (next: readonly Loaded[]) => {
    const fresh = next.filter(({ pair }) => !loaded.some((before) => isSame(before.pair, pair)));
    const isOther = fresh.length > 0 || next.length !== loaded.length;
    loaded = next;
    for (const { pair } of fresh)
      certificates.publish({ names: pair.names, notAfter: pair.notAfter });
    if (isOther) for (const told of listeners) told();
  };
  const lookAgain = (before: Loaded): Loaded => {
    const { cert } = before.files;
    const pair = readPair(before.files);
    const complaint = 'fault' in pair ? `${before.files[pair.part]} ${pair.fault}` : '';
    if (complaint && complaints.get(cert) !== complaint)
      warn?.(`the certificate before stays in use: ${complaint}`);
    complaints.set(cert, complaint);
    return 'fault' in pair || isSame(before.pair, pair) ? before : { ...before, pair };
  };
  const use = (next: readonly PairFiles[]) =>
    put(
      next.map((each) => {
        const pair = readPair(each);
        if ('fault' in pair) throw new TypeError(`${each[pair.part]} ${pair.fault}`);
        return { files: each, pair };
      }),
    );

  use(files);
  const timer = setInterval(() => put(loaded.map(lookAgain)), every).unref();
  return {
    use,
    pairFor: (name) => {
      if (name === '') return loaded[0]?.pair;
      const exact = loaded.find(({ pair }) => pair.names.includes(name));
      return (exact ?? loaded.find(({ pair }) => isFor(pair.names, name)))?.pair;
    },
    onChange: (told) => listeners.push(told),
    stop: async () => clearInterval(timer),
  };
}

function isSame(one: KnownPair, other: KnownPair): boolean {
  return one.cert === other.cert && one.key === other.key;
}
