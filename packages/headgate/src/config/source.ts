/** A configuration file as text: its values, and where in it each of them stands. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { Path } from './faults.ts';

/** A file that was read. */
export interface Source {
  /** What it says, as plain values; nothing when it is not YAML. */
  readonly written: unknown;
  /** What keeps it from being read, each with its place. */
  readonly errors: readonly string[];
  /**
   * `file:line:col` of the value at the end of `path`, or of its key; of what is nearest around it
   * when nothing stands there.
   */
  place(path: Path, isKey?: boolean): string;
}

/** Reads YAML. `name` is what people call the file. */
export function toSource(name: string, text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeAt = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const errors = document.errors.map(({ message, pos: [at] }) => `${placeAt(at)}: ${message}`);

  const place: Source['place'] = (path, isKey = false) => {
    let node: Node | null = document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (const [index, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(document) ?? null;
      if (isMap<Node, Node | null>(node)) {
        const pair = node.items.find(
          ({ key }) => isScalar(key) && String(key.value) === String(step),
        );
        if (!pair) break;
        const isWanted = isKey && index === path.length - 1;
        node = isWanted ? pair.key : pair.value;
        offset = node?.range?.[0] ?? pair.key.range?.[0] ?? offset;
      } else if (isSeq<Node>(node) && typeof step === 'number') {
        node = node.items[step] ?? null;
        offset = node?.range?.[0] ?? offset;
      } else break;
    }
    return placeAt(offset);
  };
  return { written: errors.length === 0 ? (document.toJS() ?? {}) : undefined, errors, place };
}
