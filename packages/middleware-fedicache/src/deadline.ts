/** A time limit for one exchange with an origin, from the question to the last byte. */
import { Readable } from 'node:stream';
import { discard, HeadgateError, type ProxyResponse } from '@headgate/core';

/** A time limit that has begun. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Rejects with `UPSTREAM_TIMEOUT` when the response doesn't come in time, and drops it then. */
  before(response: Promise<ProxyResponse>): Promise<ProxyResponse>;
  /** From now on the deadline ends this body. */
  ends(body: ProxyResponse['body']): void;
  clear(): void;
}

/** Begins a time limit of so many milliseconds. */
export function deadlineIn(ms: number): Deadline {
  const controller = new AbortController();
  const { promise, reject } = Promise.withResolvers<never>();
  let onTime = () => {};
  const timer = setTimeout(() => {
    const error = new HeadgateError('UPSTREAM_TIMEOUT', `the page took longer than ${ms} ms`);
    onTime();
    reject(error);
    controller.abort(error);
  }, ms).unref();
  promise.catch(() => {});
  return {
    signal: controller.signal,
    before(response) {
      response.then(
        ({ body }) => controller.signal.aborted && discard(body),
        () => {},
      );
      return Promise.race([response, promise]);
    },
    ends(body) {
      if (!(body instanceof Readable)) return;
      onTime = () => body.destroy(new HeadgateError('UPSTREAM_TIMEOUT', 'the page took too long'));
    },
    clear: () => clearTimeout(timer),
  };
}
