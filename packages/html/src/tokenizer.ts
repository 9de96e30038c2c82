/** htmlparser2's tokenizer, with those of its private fields that it takes to do without its parser. */
import { Tokenizer, type TokenizerCallbacks } from 'htmlparser2';

/** The tokenizer's methods and the private fields that are used here. A test holds them in place. */
export interface OpenTokenizer {
  write(chunk: string): void;
  pause(): void;
  state: number;
  /** Where in the page the name, text or value begins that is being read. */
  sectionStart: number;
  /** What ends the comment, the CDATA section, or the text of a script, title and the like. */
  currentSequence: Uint8Array;
  /** True when the start tag that is being read begins such text. */
  isSpecial: boolean;
  /** What was written last, and where in the page that begins. */
  buffer: string;
  offset: number;
  /** Where in the page the tokenizer is. */
  index: number;
  /** Moves `index` to the next such character, or to the buffer's last if there is none. */
  fastForwardTo(character: number): boolean;
}

/** Those values of `state` that have to be known. */
const BEFORE_TAG_NAME = 2;
const IN_TAG_NAME = 3;
const BEFORE_CLOSING_TAG_NAME = 5;
const IN_CLOSING_TAG_NAME = 6;
const IN_ATTRIBUTE_NAME = 9;
const IN_COMMENT_LIKE = 22;
const SPECIAL_START_SEQUENCE = 23;

const CDATA_END = ']]>';
const NOSCRIPT_END = Buffer.from('</noscript');

const SILENT: TokenizerCallbacks = {
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
  { decodeEntities = false } = {},
): OpenTokenizer {
  const made: unknown = new Tokenizer({ decodeEntities }, { ...SILENT, ...callbacks });
  const html = made as OpenTokenizer;
  html.fastForwardTo = fastForwardTo;
  return html;
}

/**
 * The tokenizer's way over text, values and comments. Its own compares character by character;
 * `indexOf` makes the whole of it more than twice as fast.
 */
function fastForwardTo(this: OpenTokenizer, character: number): boolean {
  const { buffer, index, offset } = this;
  const found = buffer.indexOf(String.fromCharCode(character), index + 1 - offset);
  this.index = offset + (found < 0 ? buffer.length - 1 : found);
  return found >= 0;
}

/** Makes the noscript whose start tag is at its end hold text, as where scripts run. */
export function beginNoscript(html: OpenTokenizer): void {
  html.isSpecial = true;
  html.currentSequence = NOSCRIPT_END;
}

/** Offset of the `<` of what may become a tag, or of a tag whose name may go on. */
export function unnamedTag(html: OpenTokenizer): number | undefined {
  switch (html.state) {
    case IN_TAG_NAME:
    case SPECIAL_START_SEQUENCE:
      return html.sectionStart - '<'.length;
    case IN_CLOSING_TAG_NAME:
      return html.sectionStart - '</'.length;
    default:
      return danglingBracket(html);
  }
}

/** Offset of a `<` or `</` that comes to nothing if the page ends here. */
export function danglingBracket(html: OpenTokenizer): number | undefined {
  const isDangling = html.state === BEFORE_TAG_NAME || html.state === BEFORE_CLOSING_TAG_NAME;
  return isDangling ? html.sectionStart : undefined;
}

/** Offset of an attribute's name that may go on. */
export function unfinishedAttributeName(html: OpenTokenizer): number | undefined {
  return html.state === IN_ATTRIBUTE_NAME ? html.sectionStart : undefined;
}

/** True inside of what the tokenizer takes for a CDATA section. */
export function isInCdata(html: OpenTokenizer): boolean {
  return html.state === IN_COMMENT_LIKE && html.currentSequence.length === CDATA_END.length;
}
