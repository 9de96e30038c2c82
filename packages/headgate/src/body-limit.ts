/** A limit on the bodies of requests. */
import { Readable } from 'node:stream';
import { type Body, field, HeadgateError, type ProxyRequest } from '@headgate/core';

/**
 * The request with a body of at most `limit` bytes. Throws `BODY_TOO_LARGE` when its Content-Length
 * says that it is larger; a body that doesn't say breaks off with it.
 */
export function limitBody(request: ProxyRequest, limit: number): ProxyRequest {
  const { headers, body } = request;
  const length = field(headers, 'content-length');
  if (length !== undefined && Number(length) > limit) throw tooLarge(limit);
  if (length !== undefined || !(body instanceof Readable)) return request;
  return { ...request, body: counted(body, limit) };
}

function counted(body: Readable, limit: number): Body {
  async function* count() {
    let size = 0;
    // What is left must not take the connection with it before the answer is out.
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > limit) throw tooLarge(limit);
      yield chunk;
    }
  }
  return Readable.from(count(), { objectMode: false });
}

function tooLarge(limit: number): HeadgateError {
  return new HeadgateError('BODY_TOO_LARGE', `the body is over the limit of ${limit} bytes`);
}
