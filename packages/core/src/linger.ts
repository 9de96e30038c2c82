/** What a client still sends when it has its answer: read past, for a while. */
import type { IncomingMessage } from 'node:http';

/** Milliseconds of silence after which nothing more is expected. */
const SILENCE = 5_000;

/** Silences' worth of time that a client has in all, however busily it sends. */
const PATIENCE = 6;

/**
 * Reads past what is left of a body, since a connection that is closed over unread bytes is reset, and
 * the reset may overtake the answer (RFC 9112 section 9.6). Calls `onOver` once, with whether the
 * body came to its end; when it did not, the connection can't go on. `idleTimeout` in milliseconds.
 */
export function linger(
  req: IncomingMessage,
  idleTimeout: number,
  onOver: (isComplete: boolean) => void,
): void {
  const { socket } = req;
  let before = socket.bytesRead;
  let looks = 0;
  const finish = () => {
    clearInterval(timer);
    req.off('end', finish);
    req.off('close', finish);
    onOver(req.complete);
  };
  const timer = setInterval(
    () => {
      looks += 1;
      if (looks >= PATIENCE || socket.bytesRead === before) finish();
      before = socket.bytesRead;
    },
    Math.min(SILENCE, idleTimeout),
  );
  req.once('end', finish);
  req.once('close', finish);
  req.resume();
}
