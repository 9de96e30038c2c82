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

/** Lets the tokenizer decode the value, as what stands in quotes. */
function decoded(value: string): string {
  if (!value.includes('&')) return value;
  if (value.includes('"')) return value.split('"').map(decoded).join('"');
  const tag = `<a b="${value}">`;
  let text = '';
  const html = tokenizer(
    {
      onattribdata(start, end) {
        text += tag.slice(start, end);
      },
      onattribentity(codePoint) {
        text += String.fromCodePoint(codePoint);
      },
    },
    { decodeEntities: true },
  );
  html.write(tag);
  return text;
}
