/** The head of an HTTP/2 request, said as HTTP/1.1 would say it: then one guard holds for both. */
import { METHODS } from 'node:http';
import { HeadgateError } from './errors.ts';
import { toHostName } from './guard.ts';
import { rawFields } from './headers.ts';
import { MAX_HEAD } from './unparsed.ts';

/** What a request line and field lines would be, and what HTTP/2 alone could have wrong. */
export interface TranslatedHead {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: string[];
  /** Why it isn't served. */
  readonly fault?: HeadgateError;
}

/** Methods that HTTP/1.1 can say here: Node's parser knows no others, and its client writes them large. */
const KNOWN_METHODS = new Set(METHODS);

const SCHEMES = ['http', 'https'];

/**
 * Translates a field section (RFC 9113 section 8.3). nghttp2 has refused what is malformed before:
 * fields of the connection, pseudo-fields that are unknown, late, missing or there twice.
 */
export function fromHttp2(raw: readonly string[], hasBody: boolean): TranslatedHead {
  const pseudo: Record<string, string> = {};
  const fields: string[] = [];
  let size = 0;
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    size += name.length + value.length;
    if (name.startsWith(':')) pseudo[name] = value;
    else fields.push(name, value);
  }
  const { ':method': method = '', ':path': url = '', ':scheme': scheme = '' } = pseudo;
  const { ':authority': authority } = pseudo;
  const hosts = rawFields(fields, 'host');
  const rawHeaders = authority === undefined ? fields : withHost(fields, authority);
  if (hasBody && rawFields(fields, 'content-length').length === 0)
    rawHeaders.push('transfer-encoding', 'chunked');
  const head = { method, url, rawHeaders };

  if (size > MAX_HEAD) return { ...head, fault: tooLarge() };
  if (!KNOWN_METHODS.has(method)) return { ...head, fault: unknownMethod() };
  if (method !== 'CONNECT' && !SCHEMES.includes(scheme))
    return { ...head, fault: badRequest('the scheme is neither http nor https') };
  if (authority !== undefined && hosts.some((host) => toHostName(host) !== toHostName(authority)))
    return { ...head, fault: badRequest('Host names another host than :authority') };
  return head;
}

/** The fields with `authority` for Host (RFC 9113 section 8.3.1). */
function withHost(fields: readonly string[], authority: string): string[] {
  const rest: string[] = ['host', authority];
  for (let i = 0; i < fields.length; i += 2)
    if (fields[i] !== 'host') rest.push(fields[i] as string, fields[i + 1] as string);
  return rest;
}

function tooLarge(): HeadgateError {
  return new HeadgateError('HEADERS_TOO_LARGE', `the head is over ${MAX_HEAD} bytes`);
}

function unknownMethod(): HeadgateError {
  return new HeadgateError('NOT_IMPLEMENTED', 'the method is not known here');
}

function badRequest(message: string): HeadgateError {
  return new HeadgateError('BAD_REQUEST', message);
}
