/** How many servers there are behind all the requests, by software. */
import { hash } from 'node:crypto';

/** Servers that have asked. Their names are not kept. */
export interface Servers {
  /** Notes that a server of this software has asked. */
  add(name: string, family: string): void;
  readonly size: number;
  /** True when there may be more than are counted. */
  readonly isFull: boolean;
  of(family: string): number;
  /** The same for a file: the marks of the servers by software, in base64. A name can be looked up there. */
  toState(): Record<string, string>;
}

/** Servers that are counted, about as many as the fediverse has: names can be made up. */
export const MAX_SERVERS = 20_000;

/** Bytes of a hash that stand for a name. */
const MARK = 6;

/** Names that were noted lately: a hash takes longer than all the rest of a request's statistics. */
const RECENT = 2_000;

/** Makes the count, going on from what `toState` gave. */
export function servers(state: Readonly<Record<string, string>> = {}): Servers {
  const families = new Map<number, string>();
  const counts = new Map<string, number>();
  const recent = new Set<string>();
  const note = (mark: number, family: string) => {
    if (families.size >= MAX_SERVERS || families.has(mark)) return;
    families.set(mark, family);
    counts.set(family, (counts.get(family) ?? 0) + 1);
  };
  for (const [family, text] of Object.entries(state)) {
    const bytes = Buffer.from(text, 'base64');
    for (let at = 0; at + MARK <= bytes.length; at += MARK)
      note(bytes.readUIntBE(at, MARK), family);
  }

  return {
    add: (name, family) => {
      if (recent.has(name)) return;
      if (recent.size >= RECENT) recent.clear();
      recent.add(name);
      note(hash('sha256', name, 'buffer').readUIntBE(0, MARK), family);
    },
    get size() {
      return families.size;
    },
    get isFull() {
      return families.size >= MAX_SERVERS;
    },
    of: (family) => counts.get(family) ?? 0,
    toState: () => {
      const marks = new Map<string, Buffer[]>();
      for (const [mark, family] of families) {
        const bytes = Buffer.alloc(MARK);
        bytes.writeUIntBE(mark, 0, MARK);
        const list = marks.get(family) ?? [];
        list.push(bytes);
        marks.set(family, list);
      }
      return Object.fromEntries(
        Array.from(marks, ([family, list]) => [family, Buffer.concat(list).toString('base64')]),
      );
    },
  };
}
