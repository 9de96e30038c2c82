/**
 * What gets in: reads the head of a request as a client sent it and refuses what two readers could
 * understand in two ways. Node's parser has refused the worst before; these are the cases it lets by.
 */
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { HeadgateError } from './errors.ts';
import { rawFields, toLength } from './headers.ts';

/** Field lines that one request may have. Browsers send about 20. */
const MAX_FIELD_LINES = 128;

/** Bytes of a target that mean the same to every reader: printable, and neither `\` nor `#`. */
export const TARGET = /^\/[!$-[\]-~"]*$/;

/** `OPTIONS *` asks about the server itself (RFC 9110 section 9.3.7). */
export const SERVER_WIDE = '*';

/** What the guard let in. */
export interface Admitted {
  /** Origin-form target, byte for byte, or `SERVER_WIDE`. */
  readonly url: string;
  /** Name of the host that is asked for: in lower case, without port and closing dot. */
  readonly host: string;
  /** True when a body follows, however short. */
  readonly hasBody: boolean;
}

/** Reads a request's head. Throws a `HeadgateError` that says what is wrong with it. */
export function guard(
  req: Pick<IncomingMessage, 'httpVersion' | 'method' | 'rawHeaders' | 'url'>,
): Admitted {
  const { httpVersion, method = '', rawHeaders, url = '' } = req;
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    throw new HeadgateError('VERSION_NOT_SUPPORTED', `HTTP/${httpVersion} is not spoken here`);
  if (rawHeaders.length > 2 * MAX_FIELD_LINES)
    throw new HeadgateError('HEADERS_TOO_LARGE', `more than ${MAX_FIELD_LINES} header fields`);
  if (method === 'TRACE' || method === 'CONNECT')
    throw new HeadgateError('METHOD_NOT_ALLOWED', `${method} is not allowed`);
  const host = onlyHost(rawHeaders);
  const hasBody = isFramed(rawHeaders, httpVersion);
  return { url: originForm(method, url, host), host: toHostName(host), hasBody };
}

/** The one valid Host (RFC 9112 section 3.2: none, two or a bad one is answered with 400). */
function onlyHost(raw: readonly string[]): string {
  const [host, ...more] = rawFields(raw, 'host');
  if (host === undefined) throw badRequest('the Host field is missing');
  if (more.length > 0) throw badRequest('more than one Host field');
  if (!isHost(host)) throw badRequest('the Host field is not a host name');
  return host;
}

/** The name in a valid Host field, as names are compared: `A.example.:443` is `a.example`. */
export function toHostName(host: string): string {
  return host.replace(/\.?(?::\d+)?$/, '').toLowerCase();
}

/** True for what a Host field may say: a name or an address, and perhaps a port. */
export function isHost(value: string): boolean {
  const [, name = '', v6, port = '0'] =
    /^([a-z0-9][a-z0-9._-]*|\[([0-9a-f:.]+)\])(?::(\d{1,5}))?$/i.exec(value) ?? [];
  return name !== '' && Number(port) <= 65_535 && (v6 === undefined || isIPv6(v6));
}

/**
 * True when a body follows. Its length must be told in exactly one way (RFC 9112 section 6.3), by
 * one Content-Length or by one `Transfer-Encoding: chunked`, else two readers see two requests.
 */
function isFramed(raw: readonly string[], httpVersion: string): boolean {
  const codings = rawFields(raw, 'transfer-encoding');
  const lengths = rawFields(raw, 'content-length');
  if (codings.length > 0) {
    if (codings.length > 1 || lengths.length > 0 || httpVersion !== '1.1')
      throw badRequest("the body's length is told in more than one way");
    if (codings[0]?.toLowerCase() !== 'chunked')
      throw new HeadgateError(
        'NOT_IMPLEMENTED',
        'the only Transfer-Encoding known here is chunked',
      );
    return true;
  }
  if (lengths.length === 0) return false;
  const length = toLength(lengths[0] ?? '');
  if (lengths.length > 1 || length === undefined)
    throw badRequest('the Content-Length is not one number');
  return length > 0;
}

/** The target in origin-form. Absolute-form is reduced when it names the same host as Host does. */
function originForm(method: string, url: string, host: string): string {
  if (TARGET.test(url)) return url;
  if (url === SERVER_WIDE && method === 'OPTIONS') return url;
  const [, authority, rest = ''] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url) ?? [];
  if (authority === undefined || !isHost(authority))
    throw badRequest('the request target is not valid');
  if (authority.toLowerCase() !== host.toLowerCase())
    throw new HeadgateError(
      'MISDIRECTED_REQUEST',
      'the request target names another host than Host',
    );
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  if (!TARGET.test(target)) throw badRequest('the request target is not valid');
  return target;
}

function badRequest(message: string): HeadgateError {
  return new HeadgateError('BAD_REQUEST', message);
}
