/** Compresses responses that aren't yet, by what the client prefers, while they stream. */
import {
  discard,
  EMPTY,
  field,
  type Headers,
  type Layer,
  type ProxyRequest,
  type ProxyResponse,
  toSettings,
  withBody,
  withFields,
} from '@headgate/core';
import { codingFor } from './coding-for.ts';
import { isCompressible, promisedLength } from './compressible.ts';
import { encode } from './encoder.ts';
import { hasCompressed } from './etag.ts';
import { type CompressOptions, schema } from './options.ts';

/** What describes a body, which a 304 hasn't (RFC 9110 section 15.4.5). */
const OF_A_BODY = { 'content-language': undefined, 'content-type': undefined };

/**
 * Makes the layer. What it can't make shorter, or must not, passes untouched. Throws a `TypeError`
 * for wrong options.
 */
export function compress(options: CompressOptions = {}): Layer {
  const { codings, minSize } = toSettings('compress', schema, options);

  const middleware: Layer['middleware'] = async (request, next) => {
    const response = await next(request);
    if (response.status === 304) return asCompressed(request, response);
    if (!isCompressible(request, response, minSize)) return response;

    const varied = { ...response, headers: withVary(response.headers) };
    const coding = codingFor(request.headers, codings);
    if (coding === undefined) return varied;
    if (isKnown(request, response)) return notModified(varied);

    const isHead = request.method === 'HEAD';
    if (isHead) discard(response.body);
    const length = promisedLength(response);
    const body = isHead ? EMPTY : await encode(response.body, coding, length);
    const headers = withFields(varied.headers, { 'content-encoding': coding });
    return withBody({ ...varied, headers }, body);
  };
  return { middleware };
}

/**
 * A 304 with the fields of the response that the client has. Under the strong ETag a cache would
 * find nothing to refresh (RFC 9111 section 4.3.4).
 */
function asCompressed(request: ProxyRequest, response: ProxyResponse): ProxyResponse {
  if (!hasCompressed(request, response)) return response;
  const weak = withBody(response, EMPTY);
  return { ...weak, headers: withVary(weak.headers) };
}

/**
 * True for what the client has already. The origin should have said so, since If-None-Match knows
 * a weak ETag by its strong form (RFC 9110 section 13.1.2); some compare the characters, Plume for one.
 */
function isKnown(request: ProxyRequest, response: ProxyResponse): boolean {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  return isRead && response.status === 200 && hasCompressed(request, response);
}

function notModified(response: ProxyResponse): ProxyResponse {
  discard(response.body);
  const { headers } = withBody(response, EMPTY);
  return { status: 304, headers: withFields(headers, OF_A_BODY), body: EMPTY };
}

function withVary(headers: Headers): Headers {
  const vary = field(headers, 'vary');
  const names = (vary ?? '').split(',').map((name) => name.trim().toLowerCase());
  if (names.includes('*') || names.includes('accept-encoding')) return headers;
  return withFields(headers, { vary: vary ? `${vary}, Accept-Encoding` : 'Accept-Encoding' });
}
