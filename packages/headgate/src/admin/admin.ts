/** The servers by which Headgate is looked after, apart from those that people use. */
import type { Server } from 'node:http';
import type { Finished } from '@headgate/core';
import { createServer } from '@headgate/core/server';
import type { Logger } from 'pino';
import type { Place } from '../address.ts';
import { type Listener, listen, stopOf } from '../listeners.ts';
import { type Changing, changes } from './changes.ts';
import { refused } from './permit.ts';
import { probes, type Readable, readings } from './readings.ts';
import { handlerOf } from './routes.ts';
import { listenAtSocket } from './unix-socket.ts';

/** What the servers know and change. */
export interface AdminParts extends Readable, Omit<Changing, 'onChange'> {
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** The servers at work. */
export interface AdminServers {
  /** Where they listen: the ports are known when 0 was asked for. */
  readonly admin?: Place;
  readonly metrics?: Place;
  readonly stop: Listener['stop'];
}

/** Refusals that may mean that somebody tries what isn't theirs. */
const SUSPECT = [401, 403, 421];

/** Opens what the configuration asks for: the admin server, the one for metrics, both or none. */
export async function openAdmin(parts: AdminParts): Promise<AdminServers> {
  const { admin, metrics } = parts.inForce().config;
  const stops: Listener['stop'][] = [];
  const open = async (server: Server, place: Place) => {
    stops.push(stopOf(server));
    if (!('path' in place)) return (await listen(server, place)).address;
    await listenAtSocket(server, place.path);
    return place;
  };
  return {
    ...(admin && { admin: await open(adminServer(parts, admin.listen), admin.listen) }),
    ...(metrics && {
      metrics: await open(createServer({ handler: handlerOf(probes(parts)) }), metrics),
    }),
    stop: async (drain) => {
      await Promise.all(stops.map((stop) => stop(drain)));
    },
  };
}

/** Names and token are those in force at each request; where it listens stays. */
function adminServer(parts: AdminParts, place: Place): Server {
  const { inForce, log, purge, warm, reload } = parts;
  const onChange = (change: object, message: string) => log.info(change, message);
  const routes = {
    ...probes(parts),
    ...readings(parts),
    ...changes({ purge, warm, reload, onChange }),
  };
  const handler = handlerOf(routes, (request, isChange) => {
    const { hosts = [], token } = inForce().config.admin ?? {};
    return refused(request, { listen: place, hosts, ...(token && { token }) }, isChange);
  });
  const finished = ({ request, status }: Finished) => {
    const { method, url, client } = request;
    if (SUSPECT.includes(status))
      log.warn({ method, path: url.split('?', 1)[0], status, client }, 'refused at admin');
  };
  return createServer({ handler, finished });
}
