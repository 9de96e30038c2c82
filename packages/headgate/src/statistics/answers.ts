/** Answers with statistics: to people, and to programs. */
import { type ProxyResponse, withFields } from '@headgate/core';
import { page } from './page.ts';
import { toJson } from './report-json.ts';
import type { Report } from './site-statistics.ts';
import { POLICY } from './style.ts';

/** Gives the page. `json` is where the same is as JSON, `caching` the Cache-Control of the answer. */
export function pageAnswer(
  reports: readonly Report[],
  { json, caching }: { readonly json: string; readonly caching: string },
): ProxyResponse {
  return answer(page(reports, json), caching, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
  });
}

/** Gives the same as JSON. */
export function jsonAnswer(reports: readonly Report[], caching: string): ProxyResponse {
  const body = `${JSON.stringify({ sites: reports.map(toJson) })}\n`;
  return answer(body, caching, { 'content-type': 'application/json' });
}

function answer(
  body: string,
  caching: string,
  fields: Readonly<Record<string, string>>,
): ProxyResponse {
  const headers = { ...fields, 'cache-control': caching, 'x-content-type-options': 'nosniff' };
  return { status: 200, headers: withFields({}, headers), body: Buffer.from(body) };
}
