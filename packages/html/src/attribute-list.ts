/** Collects the attributes of start tags while they are being read. */
import { toAsciiLowerCase } from './ascii.ts';
import type { Attribute } from './attribute.ts';
import type { Excerpt } from './excerpt.ts';

/** The attributes of the start tag that is being read, if it was begun. */
export interface AttributeList {
  readonly isOpen: boolean;
  begin(): void;
  onName(start: number, end: number): void;
  /** Takes a value, or the next part of it. */
  onValue(start: number, end: number): void;
  onEnd(): void;
  /** Gives what was collected since `begin` and stops collecting. */
  take(): readonly Attribute[];
}

/** Makes the list for the tags of one page. */
export function attributeList(page: Excerpt): AttributeList {
  let attributes: Attribute[] | undefined;
  let name = '';
  let value = '';
  let start = 0;
  let end = 0;
  let hasValue = false;

  return {
    get isOpen() {
      return attributes !== undefined;
    },
    begin() {
      attributes = [];
    },
    onName(from, to) {
      if (attributes === undefined) return;
      name = toAsciiLowerCase(page.slice(from, to));
      value = '';
      start = to;
      end = to;
      hasValue = false;
    },
    onValue(from, to) {
      if (attributes === undefined) return;
      if (!hasValue) start = from;
      hasValue = true;
      value += page.slice(from, to);
      end = to;
    },
    onEnd() {
      attributes?.push({ name, value, start, end });
    },
    take() {
      const taken = attributes ?? [];
      attributes = undefined;
      return taken;
    },
  };
}
