/** Which responses may be compressed. */
import { field, type ProxyRequest, type ProxyResponse } from '@headgate/core';

/** Types that become much shorter. An event stream isn't among them: each event must go out whole. */
const TYPES =
  /^(?:text\/(?!event-stream\b)[\w.+-]+|application\/(?:(?:x-)?javascript|json|xml|[\w.-]+\+(?:json|xml))|image\/(?:svg\+xml|x-icon|vnd\.microsoft\.icon))\s*(?:;|$)/i;

/** A part of something, or nothing at all. */
const EXCLUDED = new Set([204, 205, 206, 304]);

/**
 * True for a response that may be compressed for whoever accepts it: text in no coding, `minSize`
 * bytes or more if its length is known, that neither side wants untransformed.
 */
export function isCompressible(
  request: ProxyRequest,
  response: ProxyResponse,
  minSize: number,
): boolean {
  const { status, headers } = response;
  const coding = field(headers, 'content-encoding') ?? 'identity';
  return (
    !EXCLUDED.has(status) &&
    TYPES.test(field(headers, 'content-type') ?? '') &&
    coding.toLowerCase() === 'identity' &&
    !forbidsTransform(headers) &&
    !forbidsTransform(request.headers) &&
    sizeOf(request, response) >= minSize
  );
}

/** The length that the Content-Length promises. */
export function promisedLength({ headers }: ProxyResponse): number | undefined {
  const value = field(headers, 'content-length');
  return value === undefined ? undefined : Number(value);
}

/** RFC 9111 sections 5.2.1.6 and 5.2.2.6. */
function forbidsTransform(headers: ProxyResponse['headers']): boolean {
  return /(?:^|[,\s])no-transform(?:$|[,\s])/i.test(field(headers, 'cache-control') ?? '');
}

/** Bytes of the body, that of GET for HEAD; `Infinity` if nobody knows. */
function sizeOf({ method }: ProxyRequest, response: ProxyResponse): number {
  const { body } = response;
  if (body instanceof Buffer && (body.length > 0 || method !== 'HEAD')) return body.length;
  return promisedLength(response) ?? Number.POSITIVE_INFINITY;
}
