/** What is left to do over plain http where TLS is spoken too: answer challenges, and send people on. */
import { EMPTY, field, type Handler, type ProxyRequest, withFields } from '@headgate/core';
import { upstreamTo } from '@headgate/core/upstream';
import type { Door } from '../address.ts';
import type { Challenge, Tls } from '../config/read-tls.ts';
import { files } from '../files.ts';

/** The way to https. */
export interface ToHttps {
  /** Answers challenges and redirects; asks `next` for the rest. */
  readonly layer: (request: ProxyRequest, next: Handler) => ReturnType<Handler>;
  /** True for a request that is sent on to https. */
  readonly isSentOn: (request: ProxyRequest) => boolean;
  readonly close: () => void;
}

/** The target of an HTTP-01 challenge (RFC 8555 section 8.3). Whatever else is there is no challenge. */
const CHALLENGE = /^\/\.well-known\/acme-challenge\/([\w-]{1,256})$/;

const HTTPS_PORT = 443;

/**
 * Makes the way to https of a configuration that has one. `ownAnswer` is asked first for what a
 * challenge's token is answered with.
 */
export function toHttps(
  { redirect, challenge }: Tls,
  doors: readonly Door[],
  ownAnswer: (token: string) => string | undefined = () => undefined,
): ToHttps {
  const answer = responder(challenge);
  const port = doors.flatMap(({ at, isTls }) => (isTls && 'port' in at ? at.port : []))[0];
  const isSentOn = ({ scheme, url }: ProxyRequest) =>
    redirect && scheme === 'http' && !CHALLENGE.test(url);
  return {
    layer: async (request, next) => {
      const [, token] = CHALLENGE.exec(request.url) ?? [];
      if (token !== undefined) {
        const own = ownAnswer(token);
        return own === undefined ? answer.handler(request, next) : keyAuthorization(own);
      }
      return isSentOn(request) ? sentOn(request, port) : next(request);
    },
    isSentOn,
    close: answer.close,
  };
}

/** What answers challenges. A folder's are answered from there alone: 404 if there is no such file. */
function responder(challenge: Challenge): {
  handler: (request: ProxyRequest, next: Handler) => ReturnType<Handler>;
  close: () => void;
} {
  if (challenge === 'upstream')
    return { handler: (request, next) => next(request), close: () => {} };
  if ('folder' in challenge) {
    const layer = files(challenge.folder);
    return { handler: (request) => layer(request, notFound), close: () => {} };
  }
  const { handler, close } = upstreamTo(challenge.url);
  return { handler, close };
}

/**
 * Sends people to the same page over https: to the usual port, unless they had named one, by which
 * they are somewhere where ports are not the usual ones.
 */
function sentOn({ method, url, headers }: ProxyRequest, port: number | undefined) {
  const [, name, named] = /^(.*?)(:\d+)?$/.exec(field(headers, 'host') ?? '') ?? [];
  const at = named !== undefined && port && port !== HTTPS_PORT ? `:${port}` : '';
  const isSafe = method === 'GET' || method === 'HEAD';
  const location = `https://${name}${at}${url}`;
  return {
    status: isSafe ? 301 : 308, // a client may make a GET of a POST at a 301 (RFC 9110 section 15.4.2)
    headers: withFields({}, { location }),
    body: EMPTY,
  };
}

function keyAuthorization(text: string) {
  const headers = withFields({}, { 'content-type': 'application/octet-stream' });
  return { status: 200, headers, body: Buffer.from(text) };
}

async function notFound() {
  return { status: 404, headers: withFields({}, {}), body: EMPTY };
}
