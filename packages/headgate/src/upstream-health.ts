/** Whether an address answers, as far as those who asked it have seen. */
import { type Handler, toHeadgateError } from '@headgate/core';

/** What is known of an address. */
export interface Health {
  /** The same handler, whose answers are looked at. */
  readonly watched: (handler: Handler) => Handler;
  /** Whether it answered when it was asked last; nothing before that. */
  readonly isHealthy: () => boolean | undefined;
}

/** Failures that are the address's own. */
const FAILURE = /^UPSTREAM_/;

/** Knows nothing yet. */
export function health(): Health {
  let isHealthy: boolean | undefined;
  return {
    watched: (handler) => async (request) => {
      try {
        const response = await handler(request);
        isHealthy = true;
        return response;
      } catch (error) {
        if (FAILURE.test(toHeadgateError(error).code)) isHealthy = false;
        throw error;
      }
    },
    isHealthy: () => isHealthy,
  };
}
