/** What the admin server's answers look like. */
import { type ProxyResponse, withFields } from '@headgate/core';

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** An answer in JSON. */
export function answer(
  status: number,
  value: unknown,
  fields: Readonly<Record<string, string>> = {},
): ProxyResponse {
  return {
    status,
    headers: withFields({}, { ...COMMON, 'content-type': 'application/json', ...fields }),
    body: Buffer.from(`${JSON.stringify(value)}\n`),
  };
}

/** An answer that says why there is no other. */
export function refusal(
  status: number,
  error: string,
  fields: Readonly<Record<string, string>> = {},
): ProxyResponse {
  return answer(status, { error }, fields);
}

/** An answer in text. */
export function text(status: number, body: string, type = 'text/plain'): ProxyResponse {
  return {
    status,
    headers: withFields({}, { ...COMMON, 'content-type': `${type}; charset=utf-8` }),
    body: Buffer.from(body),
  };
}
