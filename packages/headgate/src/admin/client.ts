/** Asking the admin server of a daemon that runs. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Place } from '../address.ts';
import type { Admin } from '../config/read.ts';

/** What the admin server said. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Asks for `path`; with a `body` it is a POST. Rejects with a `TypeError` when nobody is there. */
export async function ask(
  { listen, token }: Pick<Admin, 'listen' | 'token'>,
  path: string,
  body?: object,
): Promise<Reply> {
  const place =
    'path' in listen
      ? { socketPath: listen.path }
      : { host: toReachable(listen.host), port: listen.port };
  const asked = request({
    ...place,
    path,
    method: body ? 'POST' : 'GET',
    agent: false,
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  });
  asked.end(body && JSON.stringify(body));
  try {
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, body: parsed(await text(answer)) };
  } catch (error) {
    const { message } = error as Error;
    throw new TypeError(`nobody answers at ${toText(listen)} (${message}): is Headgate running?`, {
      cause: error,
    });
  }
}

/** Who listens at every address listens at this one too. */
function toReachable(host = 'localhost'): string {
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}

function toText(place: Place): string {
  return 'path' in place ? place.path : `${place.host ?? ''}:${place.port}`;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return { error: body.trim() };
  }
}
