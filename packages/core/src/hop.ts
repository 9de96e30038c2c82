/** What Headgate says of itself on the way: Via, and the field by which it knows its own requests again. */
import { randomBytes } from 'node:crypto';
import type { Headers } from './exchange.ts';
import { field, fields } from './headers.ts';

/** In the manner of CDN-Loop (RFC 8586). Via could tell too, but nginx stops compressing for it. */
export const LOOP = 'headgate-loop';

/** This process, among all that may stand in a row. */
const SELF = randomBytes(6).toString('hex');

/** Headgates that a request may have passed before it is taken for a loop among several. */
const MAX_PASSED = 8;

/** True for a request that this process has sent itself, or that went through far too many like it. */
export function isLoop(headers: Headers): boolean {
  const passed = field(headers, LOOP);
  if (passed === undefined) return false;
  const names = passed.split(',').map((name) => name.trim());
  return names.length > MAX_PASSED || names.includes(SELF);
}

/** The fields that a request gets on its way upstream; Via only where it is asked for. */
export function hopFields(headers: Headers, hasVia: boolean): Record<string, string> {
  const before = field(headers, LOOP);
  const passed = before === undefined ? SELF : `${before}, ${SELF}`;
  if (!hasVia) return { [LOOP]: passed };
  return { [LOOP]: passed, via: [...fields(headers, 'via'), viaOf('1.1')].join(', ') };
}

/** Our entry in Via (RFC 9110 section 7.6.3) for a message that came in `version`. */
export function viaOf(version: string): string {
  return `${version} headgate`;
}
