/** Whether an address answers, as far as those who asked it have seen. */
import { type Handler, type ProxyResponse, toHeadgateError } from '@headgate/core';

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
  const succeeded = (response: ProxyResponse) => {
    isHealthy = true;
    return response;
  };
  const failed = (error: unknown) => {
    if (FAILURE.test(toHeadgateError(error).code)) isHealthy = false;
    throw error;
  };
  return {
    watched: (handler) => (request) => handler(request).then(succeeded, failed),
    isHealthy: () => isHealthy,
  };
}
