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
  /** True inside of `svg` or `math`, where `title`, `script` or `a` is another element than in HTML. */
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
 * - `cdata`: `<![CDATA[` outside of `svg` and `math`, which ends at the first `>` there.
 * - `end-tag-attribute`: a quote in an end tag, so that its first `>` may not be its end.
 * - `escaped-script`: `<!-- <script>` in a script, so that the next `</script>` doesn't end it.
 * - `foreign-content`: HTML inside of `svg` or `math`, or an end tag there that closes nothing in
 *   them: either may have ended them. Or they are nested deeper than 128.
 * - `frameset`: browsers pass over most tags after it.
 * - `select`: a tag in `select` that some browsers pass over and others don't.
 * - `tag-too-long`: a tag to report, or the name of any tag, is longer than 64 KiB.
 * - `template-column`: `col` in `template`, after which browsers pass over other tags.
 * - `utf-16`: the byte order mark says so.
 */
export type Doubt =
  | 'cdata'
  | 'end-tag-attribute'
  | 'escaped-script'
  | 'foreign-content'
  | 'frameset'
  | 'select'
  | 'tag-too-long'
  | 'template-column'
  | 'utf-16';

/** What a scanner calls, in the order of the page, from within `write` and `end`. */
export interface ScannerEvents {
  readonly onOpenTag?: (tag: OpenTag) => void;
  readonly onCloseTag?: (tag: CloseTag) => void;
  /**
   * Called at most once, with the offset of the first byte that a browser doesn't put in the head:
   * the `<` of `</head>`, or of the first tag that HTML section 13.2.6.4.4 doesn't allow there, or
   * the first byte of such text. Comes as soon as the tag's name is read, so before the tag. Not
   * called when all of the page is head.
   */
  readonly onHeadEnd?: (offset: number) => void;
  /** Called at most once and last of all, before anything is told that could be wrong. */
  readonly onDoubt?: (doubt: Doubt) => void;
}
