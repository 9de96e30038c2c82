/** Two mistakes of set-up that people search long for, told once each where they show. */
import { type Finished, field } from '@headgate/core';

/** What notices them. */
export interface Warnings {
  /** A forwarding field came from a peer that isn't trusted. */
  readonly onIgnored: (peer: string, claim: string) => void;
  readonly onFinished: (exchange: Finished) => void;
}

/** Peers that are remembered: strangers send forged fields too, from everywhere. */
const MAX_PEERS = 100;

/** Makes what notices them, and tells them to `warn`. */
export function warnings(warn: (message: string) => void): Warnings {
  const peers = new Set<string>();
  let hasLooped = false;
  return {
    onIgnored: (peer, claim) => {
      if (peers.has(peer) || peers.size >= MAX_PEERS) return;
      peers.add(peer);
      warn(
        `${claim} from ${peer} is not believed. If that is a proxy of yours, write trusted: [${peer}] or set HEADGATE_TRUSTED=${peer}`,
      );
    },
    onFinished: ({ request, response }) => {
      if (hasLooped || !response || response.status < 300 || response.status > 308) return;
      const { scheme, url, headers } = request;
      const itself = `https://${field(headers, 'host')?.replace(/:\d+$/, '')}${url}`;
      if (scheme !== 'http' || field(response.headers, 'location') !== itself) return;
      hasLooped = true;
      warn(
        `redirect loop: the application sends people to ${itself.split('?', 1)[0]}, where they are already. Set trusted to the proxy in front that speaks https, or scheme: https (HEADGATE_TRUSTED, HEADGATE_SCHEME)`,
      );
    },
  };
}
