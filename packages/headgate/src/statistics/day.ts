/** What happened in the last day, in pieces of five minutes. */
import { z } from 'zod';

const count = z.int().min(0);

/** One piece. `at` is when it began, in milliseconds since the epoch. */
export const pieceSchema = z.strictObject({
  at: count,
  requests: count,
  previews: count,
  fetches: count,
});

/** One piece of a day. */
export type Piece = z.output<typeof pieceSchema>;

/** What is counted in a piece. */
export type Countable = Exclude<keyof Piece, 'at'>;

/** A day that moves on. */
export interface Day {
  add(what: Countable, now: number): void;
  /** The pieces in which there was something, the oldest first. */
  pieces(now: number): readonly Piece[];
}

/** Milliseconds of a piece. */
export const PIECE = 300_000;

/** Pieces of a day. */
export const PIECES = 288;

/** Makes a day that goes on from these pieces. */
export function day(kept: readonly Piece[] = []): Day {
  let pieces: Piece[] = kept.map((piece) => ({ ...piece }));

  /** Without those that are over; a clock that was set back leaves some that have not come yet. */
  const forget = (at: number) => {
    pieces = pieces.filter((piece) => piece.at <= at && piece.at > at - PIECE * PIECES);
  };

  return {
    add: (what, now) => {
      const at = Math.floor(now / PIECE) * PIECE;
      let piece = pieces.at(-1);
      if (piece?.at !== at) {
        forget(at);
        piece = pieces.at(-1); // where a clock was set back, it is there already
      }
      if (piece?.at !== at) {
        piece = { at, requests: 0, previews: 0, fetches: 0 };
        pieces.push(piece);
      }
      piece[what] += 1;
    },
    pieces: (now) => {
      forget(Math.floor(now / PIECE) * PIECE);
      return pieces;
    },
  };
}
