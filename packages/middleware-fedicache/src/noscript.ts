/** What survives inside of `noscript`: fetchers run no scripts, so for most of them it isn't text. */
import { type Piece, survivors } from './survivors.ts';

/** Stands behind each content: found again as a tag, it shows that nothing was left open. */
const SENTINEL = Buffer.from('<meta>');

/**
 * The pieces of a page, those of its noscripts with what survives in them. Nothing if a noscript can't
 * be judged, or leaves open what it begins: for those who read it, it ends elsewhere.
 */
export function withNoscripts(
  bytes: Buffer,
  pieces: readonly Piece[],
): readonly Piece[] | undefined {
  const contents = pieces.filter(({ isNoscript }) => isNoscript);
  if (contents.length === 0) return pieces;
  // All of them at once: to begin anew for each would take longer than the rest of the page.
  const inside = survivors();
  inside.write(
    Buffer.concat(contents.flatMap(({ start, end }) => [bytes.subarray(start, end), SENTINEL])),
  );
  if (inside.isInDoubt) return undefined;

  let begin = 0;
  let next = 0;
  const read: Piece[] = [];
  for (const piece of pieces) {
    if (!piece.isNoscript) {
      read.push(piece);
      continue;
    }
    const shift = piece.start - begin;
    const sentinel = piece.end - shift;
    const found: Piece[] = [];
    for (let own = inside.pieces[next]; own && own.start < sentinel; own = inside.pieces[next]) {
      found.push({ ...own, start: own.start + shift, end: own.end + shift });
      next += 1;
    }
    if (inside.pieces[next]?.start !== sentinel) return undefined;
    next += 1;
    begin = sentinel + SENTINEL.length;
    if (found.length > 0) read.push({ ...piece, inside: found });
  }
  return read;
}
