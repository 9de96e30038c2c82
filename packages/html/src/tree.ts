/** What a browser's tree builder knows that changes how the tags that follow are read. */
import type { Doubt } from './events.ts';

/** May stand in the head (HTML section 13.2.6.4.4), or is the head's or the document's own tag. */
const OF_HEAD = 1;
/** What follows, up to the end tag, is text. `noscript` is one where scripts run: in browsers. */
const HOLDS_TEXT = 2;
/** Ends `svg` and `math` (section 13.2.6.5). `font` does with some attributes. */
const BREAKS_OUT = 4;
/** In `select`, some browsers skip it, while others know selects with any content. */
const NOT_IN_SELECT = 8;
/** Changes how what follows is read. */
const MATTERS = 16;

const TRAITS = new Map<string, number>();

mark(OF_HEAD, 'html head base basefont bgsound link meta noframes noscript');
mark(OF_HEAD, 'script style template title');
mark(HOLDS_TEXT, 'iframe noembed noframes noscript plaintext script style textarea title xmp');
mark(BREAKS_OUT, 'b big blockquote body br center code dd div dl dt em embed font h1 h2 h3 h4 h5');
mark(BREAKS_OUT, 'h6 head hr i img li listing menu meta nobr ol p pre ruby s small span strong');
mark(BREAKS_OUT, 'strike sub sup table tt u ul var');
mark(NOT_IN_SELECT, 'iframe math noembed noframes noscript plaintext style svg template title xmp');
mark(MATTERS, 'col frameset math select svg template');

function mark(trait: number, names: string): void {
  for (const name of names.split(' ')) TRAITS.set(name, (TRAITS.get(name) ?? 0) | trait);
}

/** End tags that end the head, even one that has not begun. It ignores all others. */
const HEAD_ENDS = new Set(['body', 'br', 'head', 'html']);

/** Elements of SVG and of MathML in which HTML may stand. */
const SVG_WITH_HTML = new Set(['desc', 'foreignobject', 'title']);
const MATHML_WITH_HTML = new Set(['annotation-xml', 'mi', 'mn', 'mo', 'ms', 'mtext']);

const MAX_FOREIGN_DEPTH = 128;

/** As much of a page's tree as the reading of its tags depends on. */
export interface Tree {
  /** True where a tag of the body, or text that isn't space, would end the head. */
  readonly isHead: boolean;
  /** True inside of `svg` and `math`. */
  readonly isForeign: boolean;
  /** True where every reader takes `<![CDATA[` for what it says. Some don't where HTML may stand. */
  readonly hasCdata: boolean;
  leaveHead(): void;
  /** Takes the name of a start tag. Gives the doubt that it raises. */
  open(name: string): Doubt | undefined;
  /** Takes the end of that start tag. Tells whether what follows, up to its end tag, is text. */
  enter(name: string, isSelfClosing: boolean): boolean;
  /** Takes an end tag. Gives the doubt that it raises. */
  close(name: string): Doubt | undefined;
}

/** Tells whether a start tag leaves the head open. */
export function isOfHead(name: string): boolean {
  return has(TRAITS.get(name), OF_HEAD);
}

/** Tells whether an end tag ends the head. */
export function isHeadEnd(name: string): boolean {
  return HEAD_ENDS.has(name);
}

/** Follows a page's tags from its beginning. */
export function tree(): Tree {
  /** Open elements from the outermost `svg` or `math` on. HTML in them is a doubt, so all foreign. */
  const foreign: string[] = [];
  let isHead = true;
  let isSelect = false;
  let templates = 0;
  let traits: number | undefined;

  return {
    get isHead() {
      return isHead && templates === 0;
    },
    get isForeign() {
      return foreign.length > 0;
    },
    get hasCdata() {
      return foreign.length > 0 && !holdsHtml(foreign);
    },
    leaveHead() {
      isHead = false;
    },
    open(name) {
      traits = TRAITS.get(name);
      if (foreign.length > 0)
        return has(traits, BREAKS_OUT) || holdsHtml(foreign) || foreign.length === MAX_FOREIGN_DEPTH
          ? 'foreign-content'
          : undefined;
      if (isSelect && has(traits, NOT_IN_SELECT)) return 'select';
      if (!has(traits, MATTERS)) return undefined;
      if (name === 'frameset') return 'frameset';
      return name === 'col' && templates > 0 ? 'template-column' : undefined;
    },
    enter(name, isSelfClosing) {
      if (foreign.length > 0) {
        if (!isSelfClosing) foreign.push(name);
        return false;
      }
      if (has(traits, MATTERS)) {
        if (name === 'template') templates += 1;
        else if (name === 'select') isSelect = true;
        else if (!isSelfClosing && (name === 'svg' || name === 'math')) foreign.push(name);
      }
      return has(traits, HOLDS_TEXT);
    },
    close(name) {
      if (foreign.length > 0) {
        // An end tag that closes nothing here may close what the svg stands in.
        const depth = foreign.lastIndexOf(name);
        if (depth < 0) return 'foreign-content';
        foreign.length = depth;
      } else if (name === 'template') templates = Math.max(0, templates - 1);
      else if (name === 'select') isSelect = false;
      return undefined;
    },
  };
}

function has(traits: number | undefined, trait: number): boolean {
  return traits !== undefined && (traits & trait) !== 0;
}

function holdsHtml(foreign: readonly string[]): boolean {
  const names = foreign[0] === 'svg' ? SVG_WITH_HTML : MATHML_WITH_HTML;
  return names.has(foreign.at(-1) ?? '');
}
