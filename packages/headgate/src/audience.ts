/** Who asks whom: under which configured name requests come, and from what kind of sender. */
import type { ProxyRequest } from '@headgate/core';
import { field } from '@headgate/core';
import type { Config } from './config/configure.ts';
import { hostTable } from './hosts.ts';
import type { Sender, SenderKind } from './sender.ts';

/** What is counted by: a name as the configuration has it, `other` for any other. */
export interface Asked {
  readonly host: string;
  readonly sender: SenderKind;
}

/** Tells it of requests. */
export interface Audience {
  readonly of: (request: ProxyRequest) => Asked;
  /** Takes the names of a configuration that has come into force. */
  follow(config: Pick<Config, 'sites'>): void;
}

/** Makes what tells it. A name that a client makes up is told as the pattern that takes it, like `*`. */
export function audience(
  config: Pick<Config, 'sites'>,
  senderOf: (request: ProxyRequest) => Sender,
): Audience {
  let patternOf = patterns(config);
  return {
    of: (request) => ({
      host: patternOf(field(request.headers, 'host')),
      sender: senderOf(request).kind,
    }),
    follow: (next) => {
      patternOf = patterns(next);
    },
  };
}

function patterns({ sites }: Pick<Config, 'sites'>): (host: string | undefined) => string {
  const all = sites.flatMap(({ hosts }) => (hosts.length > 0 ? hosts : ['*']));
  const find = hostTable(all.map((pattern) => ({ hosts: [pattern], pattern })));
  return (host) => find(host)?.pattern.toLowerCase() ?? 'other';
}
