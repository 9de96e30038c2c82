/** htmlparser2's tokenizer, with the private fields that it takes to do without its parser. */
import { Tokenizer, type TokenizerCallbacks } from 'htmlparser2';

/** The tokenizer's public methods, and those of its private fields that a test holds in place. */
export interface OpenTokenizer {
  write(chunk: string): void;
  pause(): void;
  readonly state: number;
  /** Where the name, text or value begins that is being read. */
  readonly sectionStart: number;
  /** What ends a comment, a CDATA section or the text of a script, title and the like. */
  currentSequence: Uint8Array;
  /** True when the start tag that is being read begins such text. */
  isSpecial: boolean;
}

/** The values of `state` in which something was begun whose beginning is needed later. */
export const STATE = {
  beforeTagName: 2,
  inTagName: 3,
  beforeClosingTagName: 5,
  inClosingTagName: 6,
  inAttributeName: 9,
  inCommentLike: 22,
  /** As `inTagName`, while the name may still become `script`, `title` and the like. */
  specialStartSequence: 23,
} as const;

const NOTHING: TokenizerCallbacks = {
  onattribdata() {},
  onattribend() {},
  onattribentity() {},
  onattribname() {},
  oncdata() {},
  onclosetag() {},
  oncomment() {},
  ondeclaration() {},
  onend() {},
  onopentagend() {},
  onopentagname() {},
  onprocessinginstruction() {},
  onselfclosingtag() {},
  ontext() {},
  ontextentity() {},
};

/** Makes a tokenizer for HTML that calls `callbacks` and is silent about all else. */
export function tokenizer(
  callbacks: Partial<TokenizerCallbacks>,
  { decodeEntities }: { readonly decodeEntities: boolean },
): OpenTokenizer {
  return new Tokenizer({ decodeEntities }, { ...NOTHING, ...callbacks }) as unknown as OpenTokenizer;
}
