/** When an exchange with an origin has to be over, from the question to the last byte. */
import { Readable } from 'node:stream';
import { discard, HeadgateError, type ProxyResponse } from '@headgate/core';

/** A time limit that has begun. */
export interface Deadline {
  /** Aborts at the end. */
  readonly signal: AbortSignal;
  /** Resolves with the response, or drops it and rejects if it isn't there in time. */
  before(response: Promise<ProxyResponse>): Promise<ProxyResponse>;
  /** From now on the end ends this body. */
  ends(body: ProxyResponse['body']): void;
  /**
   * Brings the end forward: so many milliseconds after `signal` aborts, with `CLIENT_GONE`. An
   * application that doesn't mind its client's leaving has them to come to its end.
   */
  follow(signal: AbortSignal, grace: number): void;
  clear(): void;
}

/** Begins a time limit of so many milliseconds. At its end there is an `UPSTREAM_TIMEOUT`. */
export function deadlineIn(ms: number): Deadline {
  const controller = new AbortController();
  const { promise: over, reject } = Promise.withResolvers<never>();
  over.catch(() => {});
  let endBody = (_: Error) => {};
  const end = (error: HeadgateError) => {
    endBody(error);
    reject(error);
    controller.abort(error);
  };
  const late = new HeadgateError('UPSTREAM_TIMEOUT', `the page took longer than ${ms} ms`);
  const timers = [setTimeout(end, ms, late).unref()];

  return {
    signal: controller.signal,
    before(response) {
      const dropIfLate = ({ body }: ProxyResponse) => controller.signal.aborted && discard(body);
      response.then(dropIfLate, () => {});
      return Promise.race([response, over]);
    },
    ends(body) {
      if (body instanceof Readable) endBody = (error) => body.destroy(error);
    },
    follow(signal, grace) {
      const gone = new HeadgateError('CLIENT_GONE', 'the client left, and the application too');
      const onAbort = () => timers.push(setTimeout(end, grace, gone).unref());
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    },
    clear() {
      for (const timer of timers) clearTimeout(timer);
      endBody = () => {};
    },
  };
}
