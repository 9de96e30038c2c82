/** One upstream made of several addresses: who is asked next, and who is left alone for a while. */
import { whenOver } from './body.ts';
import { type ErrorCode, toHeadgateError } from './errors.ts';
import type { Handler, ProxyRequest } from './exchange.ts';
import type { Tunnel } from './upgrade.ts';
import { tellRetry } from './upstream-retry.ts';

/** Shares what is asked among the addresses of one upstream. */
export interface Balancer {
  /** Asks the address with the fewest requests under way; `handlers` has one for each address. */
  spread(handlers: readonly Handler[]): Handler;
  /** The same for WebSockets, which count as long as they are open. */
  spreadTunnels(tunnels: readonly Tunnel[]): Tunnel;
}

/** Milliseconds for which an address that failed is only asked when no other is left. */
const REST = 10_000;

/** Failures that say something about the address and not only about one request. */
const FAILURES: ReadonlySet<ErrorCode> = new Set([
  'UPSTREAM_BROKEN',
  'UPSTREAM_TIMEOUT',
  'UPSTREAM_UNREACHABLE',
]);

/** Makes the balancer of `count` addresses. */
export function balancer(count: number, now: () => number = Date.now): Balancer {
  const members = Array.from({ length: count }, (_, index) => ({ index, active: 0, restUntil: 0 }));
  let turn = 0;

  /** The idlest of those that `isLeft`, those that failed lately after all others; in turns. */
  const choose = (isLeft: (index: number) => boolean) => {
    const time = now();
    turn += 1;
    const order = (index: number) => (index + turn) % count;
    const [best] = members
      .filter(({ index }) => isLeft(index))
      .sort(
        (one, other) =>
          Math.max(one.restUntil, time) - Math.max(other.restUntil, time) ||
          one.active - other.active ||
          order(one.index) - order(other.index),
      );
    return best;
  };
  const judge = (member: { restUntil: number }, error: unknown): ErrorCode => {
    const { code } = toHeadgateError(error);
    if (FAILURES.has(code)) member.restUntil = now() + REST;
    return code;
  };

  const spread = (handlers: readonly Handler[]): Handler => {
    const ask = async (request: ProxyRequest, tried: ReadonlySet<number>) => {
      const member = choose((index) => !tried.has(index)) as (typeof members)[number];
      const handler = handlers[member.index] as Handler;
      member.active += 1;
      const leave = () => {
        member.active -= 1;
      };
      try {
        const response = await handler(request);
        whenOver(response.body, leave);
        return response;
      } catch (error) {
        leave();
        const code = judge(member, error);
        const asked = new Set([...tried, member.index]);
        // Nothing of it arrived anywhere: whatever its method, it may be sent elsewhere.
        const isUnsent = code === 'UPSTREAM_UNREACHABLE' && Buffer.isBuffer(request.body);
        if (!isUnsent || asked.size === count) throw error;
        tellRetry(request, 'other-address');
        return ask(request, asked);
      }
    };
    return (request) => ask(request, new Set());
  };

  const spreadTunnels =
    (tunnels: readonly Tunnel[]): Tunnel =>
    (request, client, finished) => {
      const member = choose(() => true) as (typeof members)[number];
      const tunnel = tunnels[member.index] as Tunnel;
      member.active += 1;
      tunnel(request, client, (outcome) => {
        member.active -= 1;
        if (outcome.error) judge(member, outcome.error);
        finished(outcome);
      });
    };
  return { spread, spreadTunnels };
}
