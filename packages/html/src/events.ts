/** What the scanner tells: the words that it shares with whoever listens. */
import type { Attribute } from './attribute.ts';

/** A start tag. Offsets count bytes from the beginning of the page. */
export interface OpenTag {
  /** In ASCII lower case. */
  readonly name: string;
  /** Of the `<`. */
  readonly start: number;
  /** After the `>`. */
  readonly end: number;
  /** In the page's order. Of two with the same name the first counts; `attribute()` finds that. */
  readonly attributes: readonly Attribute[];
  /** True when the tag ends with `/>`, which means something to elements of SVG and MathML only. */
  readonly isSelfClosing: boolean;
  /** True inside of `svg` or `math`, where a `title` or an `a` is another element than in HTML. */
  readonly isForeign: boolean;
}

/** An end tag, whether or not it closes something. Offsets count bytes from the page's beginning. */
export interface CloseTag {
  /** In ASCII lower case. */
  readonly name: string;
  /** Of the `<`. */
  readonly start: number;
  /** After the `>`. */
  readonly end: number;
}

/**
 * Why the scanner can't vouch for what comes next:
 *
 * - `cdata`: `<![CDATA[` outside of `svg` and `math`. Browsers end it at the first `>`.
 * - `control-character`: U+001C or U+000F where a script's or a title's end tag has `<` or `/`.
 * - `end-tag-attribute`: a quote in an end tag, so the first `>` may not be the tag's end.
 * - `escaped-script`: `<!-- <script>` in a script, so that the next `</script>` is not its end.
 * - `foreign-content`: what `svg` or `math` contains may have closed it (HTML tags, unbalanced end
 *   tags), or they are nested deeper than 512.
 * - `frameset`: browsers skip most tags after it.
 * - `select`: a tag in `select` that some browsers skip and others don't.
 * - `tag-too-long`: a tag that is reported, or the name of any tag, is longer than 64 KiB.
 * - `template-column`: `col` in a `template`, after which browsers skip other tags.
 * - `utf-16`: a byte order mark says so; its bytes are not tags.
 */
export type Doubt =
  | 'cdata'
  | 'control-character'
  | 'end-tag-attribute'
  | 'escaped-script'
  | 'foreign-content'
  | 'frameset'
  | 'select'
  | 'tag-too-long'
  | 'template-column'
  | 'utf-16';

/** The functions that a scanner calls, in the order of the page. All are called during `write`. */
export interface ScannerEvents {
  readonly onOpenTag?: (tag: OpenTag) => void;
  readonly onCloseTag?: (tag: CloseTag) => void;
  /**
   * Called once, with the offset of the first byte that a browser doesn't count to the head: the
   * `<` of `</head>` or of the first other tag, or the first byte of text, that HTML section
   * 13.2.6.4.4 doesn't allow there. Comes before that tag is reported. Not called for a page that
   * ends before.
   */
  readonly onHeadEnd?: (offset: number) => void;
  /** Called at most once and last of all, before anything is told that could be wrong. */
  readonly onDoubt?: (doubt: Doubt) => void;
}
