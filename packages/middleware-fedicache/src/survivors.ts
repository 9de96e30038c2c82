/** What of a page survives: the places of what fetchers read, found while the page streams by. */
import { attribute, type CloseTag, type OpenTag, scanner } from '@headgate/html';

/** Bytes of a page that survive, and what has to follow them. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  readonly closing?: string;
  /** True for the content of a `noscript`, of which only what is `inside` stays. */
  readonly isNoscript?: boolean;
  readonly inside?: readonly Piece[];
}

/** A page as far as it was read. Offsets count bytes from its beginning. */
export interface Survivors {
  /** Reads the page's next bytes. */
  write(chunk: Buffer): void;
  /** Ends the page. */
  end(): void;
  /** True once something came that HTML readers are known to take in different ways. */
  readonly isInDoubt: boolean;
  /** Where the head ends, once that is known. */
  readonly headEnd: number | undefined;
  /** The tag `<html …>`. */
  readonly root: Piece | undefined;
  /** In the order of the page. */
  readonly pieces: readonly Piece[];
}

/** Tags that say something to a fetcher, wherever they stand. */
const TAGS = new Set([
  ...['a', 'area', 'base', 'html', 'link', 'meta'],
  ...['noscript', 'script', 'template', 'title'],
]);

/** What a link of these relations fetches serves browsers only. */
const FOR_BROWSERS = new Set([
  ...['dns-prefetch', 'modulepreload', 'preconnect'],
  ...['prefetch', 'preload', 'prerender', 'stylesheet'],
]);

/** Rails writes a session's secrets into these (Mastodon does). */
const SECRETS = new Set(['csrf-param', 'csrf-token']);

/** Looks for survivors in one page, in UTF-8. */
export function survivors(): Survivors {
  const pieces: Piece[] = [];
  let headEnd: number | undefined;
  let root: Piece | undefined;
  let isInDoubt = false;
  /** The element whose content survives, until its end tag comes. */
  let open: OpenTag | undefined;
  /** Those that are open. Some readers look into them, others don't. */
  const templates: Piece[] = [];

  const onOpenTag = (tag: OpenTag) => {
    const { name, start, end } = tag;
    if (tag.isForeign) return;
    if (name === 'title' || name === 'noscript' || isLinkedData(tag)) open = tag;
    else if (name === 'html') {
      if (templates.length === 0) root ??= { start, end };
    } else if (name === 'template') {
      const opening = { start, end };
      templates.push(opening);
      pieces.push(opening);
    } else if (name === 'a' || name === 'area') {
      if (isMe(tag)) pieces.push({ start, end, closing: name === 'a' ? '</a>' : '' });
    } else if (name !== 'script' && survives(tag)) pieces.push({ start, end });
  };
  const onCloseTag = ({ name, start, end }: CloseTag) => {
    if (name === 'template') return closeTemplate({ start, end });
    if (open?.name !== name) return;
    if (name === 'noscript') pieces.push({ start: open.end, end: start, isNoscript: true });
    else pieces.push({ start: open.start, end });
    open = undefined;
  };
  /** Keeps a template around what survives of it. */
  const closeTemplate = (closing: Piece) => {
    const opening = templates.pop();
    if (opening && pieces.at(-1) === opening) pieces.pop();
    else if (opening) pieces.push(closing);
  };
  const onHeadEnd = (offset: number) => {
    headEnd = offset;
  };
  const onDoubt = () => {
    isInDoubt = true;
  };
  const html = scanner({ onOpenTag, onCloseTag, onHeadEnd, onDoubt }, { tags: TAGS });
  return {
    write: html.write,
    end() {
      html.end();
      if (open) isInDoubt = true; // it takes all the rest of the page, or none of it
    },
    get isInDoubt() {
      return isInDoubt;
    },
    get headEnd() {
      return headEnd;
    },
    get root() {
      return root;
    },
    pieces,
  };
}

/** True for a `meta`, `link` or `base` that a fetcher may read. */
function survives(tag: OpenTag): boolean {
  if (tag.name === 'meta') return !SECRETS.has((attribute(tag, 'name') ?? '').trim().toLowerCase());
  if (tag.name !== 'link') return true;
  const relations = relationsOf(tag);
  if (relations.length === 0) return true; // Mastodon goes by the type of oEmbed links only
  return !relations.includes('stylesheet') && !relations.every((token) => FOR_BROWSERS.has(token));
}

function isLinkedData(tag: OpenTag): boolean {
  const type = tag.name === 'script' ? attribute(tag, 'type') : undefined;
  return type?.trim().toLowerCase() === 'application/ld+json';
}

/** True for a link that says "this is me". */
function isMe(tag: OpenTag): boolean {
  return relationsOf(tag).includes('me');
}

function relationsOf(tag: OpenTag): string[] {
  return (attribute(tag, 'rel') ?? '')
    .toLowerCase()
    .split(/[\t\n\f\r ]+/)
    .filter(Boolean);
}
