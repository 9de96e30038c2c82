/** An upstream as it is configured: one address or several, with its limits, asked in both ways. */
import { balancer, type Handler, limit } from '@headgate/core';
import { type Tunnel, tunnelTo } from '@headgate/core/upgrade';
import { toOrigin, upstreamTo } from '@headgate/core/upstream';
import type { SiteSettings, UpstreamSettings } from './config/site-schema.ts';
import { health } from './upstream-health.ts';

/** One address of an upstream. */
export interface UpstreamAddress {
  readonly url: string;
  /** Absent before it was asked. */
  readonly isHealthy?: boolean;
}

/** An upstream that can be asked with different patience. */
export interface UpstreamGroup {
  readonly within: (timeouts: SiteSettings['timeouts']) => {
    readonly handler: Handler;
    readonly tunnel: Tunnel;
  };
  /** Its addresses, and whether each answered when it was asked last. */
  readonly addresses: () => readonly UpstreamAddress[];
  /** Lets go of its connections. */
  close(): void;
}

/** Makes the upstream; nothing is connected yet. `ca` holds the certificates themselves. */
export function upstreamGroup(settings: UpstreamSettings): UpstreamGroup {
  const { to, host, ca, verify, servername, keepAlive, connections } = settings;
  const members = to.map((url) => {
    const hostField = { preserve: undefined, upstream: toOrigin(url).url.host }[host] ?? host;
    const options = {
      verify,
      ...(ca !== undefined && { ca }),
      ...(servername !== undefined && { servername }),
      ...(host !== 'preserve' && { host: hostField }),
    };
    return { url, options, upstream: upstreamTo(url, { ...options, keepAlive }), health: health() };
  });
  const { spread, spreadTunnels } = balancer(members.length);
  const limited = connections === undefined ? (handler: Handler) => handler : limit(connections);

  return {
    within: ({ connect, head, idle, tunnel }) => {
      const opening = {
        ...(connect !== undefined && { connectTimeout: connect }),
        ...(head !== undefined && { headTimeout: head }),
      };
      const forBody = { ...opening, ...(idle !== undefined && { idleTimeout: idle }) };
      const forTunnel = { ...opening, ...(tunnel !== undefined && { idleTimeout: tunnel }) };
      const handlers = members.map(({ upstream, health }) =>
        health.watched(upstream.within(forBody)),
      );
      const tunnels = members.map(({ url, options }) =>
        tunnelTo(url, { ...options, ...forTunnel }),
      );
      const [handler, more] = handlers;
      return {
        handler: limited(handler && !more ? handler : spread(handlers)),
        tunnel: spreadTunnels(tunnels),
      };
    },
    addresses: () =>
      members.map(({ url, health }) => {
        const isHealthy = health.isHealthy();
        return { url, ...(isHealthy !== undefined && { isHealthy }) };
      }),
    close: () => {
      for (const { upstream } of members) upstream.close();
    },
  };
}
