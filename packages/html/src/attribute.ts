/** Attributes of a tag, as the page has them and as they are meant. */
import { tokenizer } from './tokenizer.ts';

/** An attribute with its place. Offsets count bytes from the beginning of the page. */
export interface Attribute {
  /** In ASCII lower case. */
  readonly name: string;
  /** The bytes as latin1, character references as they are. Empty when there is none. */
  readonly value: string;
  /** Of the value's first byte, after the quote if there is one. */
  readonly start: number;
  /** After the value's last byte. */
  readonly end: number;
}

/**
 * Finds the attribute of a name (in lower case) and decodes its character references, so that
 * `&#39;self&#39;` is `'self'`. Bytes above 0x7F stay latin1: meant for comparing what is ASCII.
 */
export function attribute(
  tag: { readonly attributes: readonly Attribute[] },
  name: string,
): string | undefined {
  const found = tag.attributes.find((candidate) => candidate.name === name);
  return found && decoded(found.value);
}

/** Decodes as the tokenizer does it: gives it the value in quotes that the value doesn't contain. */
function decoded(value: string): string {
  if (!value.includes('&')) return value;
  const [quote = ''] = ['"', "'"].filter((candidate) => !value.includes(candidate));
  const tag = `<a b=${quote}${value}${quote}>`;
  let text = '';
  tokenizer(
    {
      onattribdata: (start, end) => {
        text += tag.slice(start, end);
      },
      onattribentity: (codePoint) => {
        text += String.fromCodePoint(codePoint);
      },
    },
    { decodeEntities: true },
  ).write(tag);
  return text;
}
