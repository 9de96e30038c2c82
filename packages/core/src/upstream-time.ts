/** Tells on a channel how long the upstream took. */
import { channel } from 'node:diagnostics_channel';
import type { ProxyRequest } from './exchange.ts';

/** A response's head has come; the message on the channel `headgate:upstream`. */
export interface UpstreamAnswer {
  readonly request: ProxyRequest;
  readonly status: number;
  /** Milliseconds from asking to the head of the response, a second attempt included. */
  readonly ms: number;
}

const answers = channel('headgate:upstream');

/** Tells those who listen, if anybody does. `started` is a time of `performance.now()`. */
export function tellAnswer(request: ProxyRequest, status: number, started: number): void {
  if (!answers.hasSubscribers) return;
  const ms = performance.now() - started;
  answers.publish({ request, status, ms } satisfies UpstreamAnswer);
}
