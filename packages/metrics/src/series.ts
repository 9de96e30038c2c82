/** What is counted apart for each combination of labels. */

/** The values of labels. */
export type Labels<Label extends string> = Readonly<Record<Label, string>>;

/** One combination, and what is counted under it. */
export interface Member<Label extends string, Count> {
  readonly labels: Labels<Label>;
  readonly count: Count;
}

/** All combinations that there were. */
export interface Series<Label extends string, Count> {
  /** What is counted under these labels; made when they are seen first. */
  of(labels: Labels<Label>): Count;
  all(): Iterable<Member<Label, Count>>;
  clear(): void;
}

/** Makes a series over labels of these names; `begin` makes what is counted under one combination. */
export function series<Label extends string, Count>(
  names: readonly Label[],
  begin: () => Count,
): Series<Label, Count> {
  const [first, ...others] = names;
  const members = new Map<string, Member<Label, Count>>();
  return {
    of: (labels) => {
      let key = first === undefined ? '' : labels[first];
      for (const name of others) key += `\n${labels[name]}`;
      let member = members.get(key);
      if (!member) {
        member = { labels: { ...labels }, count: begin() };
        members.set(key, member);
      }
      return member.count;
    },
    all: () => members.values(),
    clear: () => members.clear(),
  };
}
