/** Header fields as values: reading, copying, and which of them end at a hop. */
import type { Headers } from './exchange.ts';

/**
 * Fields that concern one connection only, or that a proxy must not pass on: RFC 9110 section 7.6.1,
 * the de facto Proxy-Connection, HTTP2-Settings (RFC 9113), Expect (answered by the server, section
 * 10.1.1), and Proxy, which CGI applications would read as HTTP_PROXY.
 */
const ENDS_HERE = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Fields that a Connection field can't take away by naming them, because what stands behind us
 * decides by them. Nominating them is an attack (CVE-2022-31813, CVE-2024-45410), never a need.
 */
const PROTECTED = new Set([
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-security-policy',
  'content-security-policy-report-only',
  'content-type',
  'cookie',
  'forwarded',
  'host',
  'location',
  'range',
  'set-cookie',
  'signature',
  'signature-input',
  'vary',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
]);

/** Names as they were received, and what they are in lower case: the same few come again and again. */
const lowerCase = new Map<string, string>();
const MAX_NAMES = 1_000;
const LONGEST_NAME = 64;

type MutableHeaders = Record<string, string | string[]>;

/** Makes headers from name and value pairs, as Node's `rawHeaders` lists them. Keeps every field. */
export function toHeaders(raw: readonly string[]): Headers {
  return collect(raw, () => true);
}

/**
 * Makes headers of the end-to-end fields in `raw`: hop-by-hop fields, those that Connection names,
 * and those that `isDropped` picks, stay behind.
 */
export function toEndToEnd(
  raw: readonly string[],
  isDropped: (name: string) => boolean = () => false,
): Headers {
  const nominated = nominatedIn(raw);
  return collect(raw, (name) => !ENDS_HERE.has(name) && !nominated?.has(name) && !isDropped(name));
}

/** The value of a field, lines joined by `, ` (RFC 9110 section 5.3), absent when it isn't there. */
export function field(headers: Headers, name: string): string | undefined {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}

/** The lines of a field, one value each, in order; empty when it isn't there. */
export function fields(headers: Headers, name: string): readonly string[] {
  const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** The lines of a field in name and value pairs, whatever the case of its name. */
export function rawFields(raw: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const candidate = raw[i] as string;
    if (candidate.length === name.length && candidate.toLowerCase() === name)
      values.push(raw[i + 1] as string);
  }
  return values;
}

/** The number that a Content-Length is, absent when it is anything but one plain number. */
export function toLength(value: string): number | undefined {
  return /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

/** A copy of `headers` with `changes` in place; `undefined` takes a field away. */
export function withFields(
  headers: Headers,
  changes: Readonly<Record<string, string | readonly string[] | undefined>>,
): Headers {
  const copy: Record<string, string | readonly string[]> = Object.create(null);
  for (const name in headers) copy[name] = headers[name] as string | readonly string[];
  for (const name in changes) {
    const value = changes[name];
    if (value === undefined) delete copy[name];
    else copy[name] = value;
  }
  return copy;
}

/**
 * Headers as the flat list that `writeHead` and `http.request` take, without the fields that
 * `isDropped` picks. Hop-by-hop fields never get on the wire, whoever put them there.
 */
export function toRaw(
  headers: Headers,
  isDropped: (name: string) => boolean = () => false,
): string[] {
  const raw: string[] = [];
  for (const name in headers) {
    if (ENDS_HERE.has(name) || isDropped(name)) continue;
    const value = headers[name];
    if (typeof value === 'string') raw.push(name, value);
    else for (const line of value ?? []) raw.push(name, line);
  }
  return raw;
}

function collect(raw: readonly string[], isKept: (name: string) => boolean): Headers {
  const headers: MutableHeaders = Object.create(null);
  for (let i = 0; i < raw.length; i += 2) {
    const name = inLowerCase(raw[i] as string);
    if (!isKept(name)) continue;
    const value = raw[i + 1] as string;
    const before = headers[name];
    if (before === undefined) headers[name] = value;
    else if (typeof before !== 'string') before.push(value);
    else headers[name] = name === 'cookie' ? `${before}; ${value}` : [before, value];
  }
  return headers;
}

function inLowerCase(name: string): string {
  const known = lowerCase.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (lowerCase.size >= MAX_NAMES) lowerCase.clear(); // somebody makes names up
  if (name.length <= LONGEST_NAME) lowerCase.set(name, lower);
  return lower;
}

function nominatedIn(raw: readonly string[]): Set<string> | undefined {
  let nominated: Set<string> | undefined;
  for (const value of rawFields(raw, 'connection')) {
    if (value === 'keep-alive' || value === 'close') continue;
    for (const item of value.toLowerCase().split(',')) {
      const token = item.trim();
      if (token === 'keep-alive' || token === 'close' || PROTECTED.has(token)) continue;
      nominated ??= new Set();
      nominated.add(token);
    }
  }
  return nominated;
}
