/** Tells on a channel how long the upstream took. */
import { channel } from 'node:diagnostics_channel';
import type { Handler, ProxyRequest } from './exchange.ts';

/** A response's head has come; the message on the channel `headgate:upstream`. */
export interface UpstreamAnswer {
  readonly request: ProxyRequest;
  readonly status: number;
  /** Milliseconds from asking to the head of the response, a second attempt included. */
  readonly ms: number;
}

const answers = channel('headgate:upstream');

/** The same handler, whose answers are told to whoever listens. */
export function timed(handler: Handler): Handler {
  return async (request) => {
    if (!answers.hasSubscribers) return handler(request);
    const started = performance.now();
    const response = await handler(request);
    const { status } = response;
    answers.publish({ request, status, ms: performance.now() - started } satisfies UpstreamAnswer);
    return response;
  };
}
