/** A limit on what one upstream is asked at a time; what is over it waits for its turn. */
import { whenOver } from './body.ts';
import { HeadgateError } from './errors.ts';
import type { Handler } from './exchange.ts';
import { field } from './headers.ts';

/** Milliseconds for which a request waits for its turn. */
const PATIENCE = 10_000;

/** Requests that wait, as a multiple of those that are served. */
const QUEUE = 16;

/**
 * Makes the limit: at most `connections` requests at once through all handlers that it is put on,
 * counted until the last byte of their response. More wait for ten seconds; then, and when too many
 * wait, they reject with `OVERLOADED`. Event streams, which last, stop counting when they begin.
 */
export function limit(connections: number): (handler: Handler) => Handler {
  let active = 0;
  const waiting = new Set<() => void>();

  const leave = () => {
    const [next] = waiting;
    if (next) next();
    else active -= 1;
  };
  const enter = (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (active < connections) {
      active += 1;
      return Promise.resolve();
    }
    if (waiting.size >= connections * QUEUE)
      return Promise.reject(new HeadgateError('OVERLOADED', 'too many requests wait already'));
    return new Promise((resolve, reject) => {
      const stop = () => {
        waiting.delete(go);
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const go = () => {
        stop();
        resolve();
      };
      const onAbort = () => {
        stop();
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new HeadgateError('OVERLOADED', 'the upstream had no connection free in time'));
      }, PATIENCE);
      signal.addEventListener('abort', onAbort, { once: true });
      waiting.add(go);
    });
  };

  return (handler) => async (request) => {
    await enter(request.signal());
    try {
      const response = await handler(request);
      const isEventStream = field(response.headers, 'content-type')?.startsWith(
        'text/event-stream',
      );
      if (isEventStream) leave();
      else whenOver(response.body, leave);
      return response;
    } catch (error) {
      leave();
      throw error;
    }
  };
}
