/** Edits one response's policies where they stand, and tells what it did. */
import {
  field,
  fields,
  type Headers,
  type ProxyRequest,
  type ProxyResponse,
  withBody,
  withFields,
} from '@headgate/core';
import { type Edits, edit } from './edit.ts';
import { type CspDoubt, type Place, tell } from './events.ts';
import { withEditedMetas } from './meta.ts';
import { parse, policyDoubt, serialise } from './policy.ts';
import { reporting, withEndpoint } from './report.ts';
import type { Self } from './sources.ts';

/** The policies of the response to one request. */
export interface Editor {
  /** The header with its policies edited, the very same if there is nothing to edit. */
  fields(headers: Headers): Headers;
  /** The page with those in its head edited, as it streams by. */
  page(response: ProxyResponse): ProxyResponse;
}

const FIELDS = [
  ['header', 'content-security-policy'],
  ['report-only', 'content-security-policy-report-only'],
] as const;

/** The few encodings that browsers know and ASCII is no part of. */
const NOT_LIKE_ASCII = /charset\s*=\s*["']?\s*(?:utf-?16|ucs-2|unicode|iso-10646|iso-2022|cs)/i;

/** Makes the editor. With `report`, policies in fields are made to report too. */
export function editor(request: ProxyRequest, edits: Edits, report: boolean): Editor {
  const self: Self = { scheme: request.scheme, host: field(request.headers, 'host') ?? '' };
  const isSecure = request.scheme === 'https';

  const doubt = (place: Place, reason: CspDoubt) => tell({ kind: 'doubt', request, place, reason });

  /** One policy or a list of them as it is to be. Names of directives that change go to `changed`. */
  function edited(text: string, place: Place, changed: Set<string>): string {
    const reason = policyDoubt(text);
    if (reason) {
      doubt(place, reason);
      return text;
    }
    const names: string[] = [];
    const after = text
      .split(',')
      .map((written) => {
        const result = edit(parse(written), edits, self);
        if (result.isDynamic) doubt(place, 'strict-dynamic');
        names.push(...result.changed);
        const isReporting = report && place !== 'meta';
        return serialise(isReporting ? reporting(result.policy, isSecure) : result.policy);
      })
      .join(',');
    if (after === text) return text;
    if (policyDoubt(after)) {
      doubt(place, 'too-long');
      return text;
    }
    for (const name of names) changed.add(name);
    return after;
  }

  function inField(headers: Headers, place: Place, name: string): Headers {
    const lines = fields(headers, name);
    const changed = new Set<string>();
    const after = lines.map((line) => edited(line, place, changed));
    if (after.every((line, index) => line === lines[index])) return headers;
    tell({ kind: 'edit', request, place, directives: [...changed] });
    const [only = '', ...others] = after;
    return withFields(headers, { [name]: others.length > 0 ? after : only });
  }

  /** The policy of a `<meta>`, where a comma ends nothing (CSP3 section 3.3) but for some browsers. */
  function inMeta(text: string): string {
    if (text.includes(',')) {
      doubt('meta', 'list');
      return text;
    }
    const changed = new Set<string>();
    const after = edited(text, 'meta', changed);
    if (after !== text) tell({ kind: 'edit', request, place: 'meta', directives: [...changed] });
    return after;
  }

  return {
    fields(headers) {
      let after = headers;
      for (const [place, name] of FIELDS) after = inField(after, place, name);
      return report && after !== headers ? withEndpoint(after) : after;
    },
    page(response) {
      const { status, headers, body } = response;
      const reason = unreadable(status, headers);
      if (reason) {
        doubt('meta', reason);
        return response;
      }
      const isEmpty = body instanceof Buffer && body.length === 0;
      const onDoubt = (reason: CspDoubt) => doubt('meta', reason);
      return withBody(response, isEmpty ? body : withEditedMetas(body, { edit: inMeta, onDoubt }));
    },
  };
}

function unreadable(status: number, headers: Headers): CspDoubt | undefined {
  if (status === 206) return 'partial';
  const encoding = field(headers, 'content-encoding')?.trim().toLowerCase() || 'identity';
  if (encoding !== 'identity') return 'encoded';
  return NOT_LIKE_ASCII.test(field(headers, 'content-type') ?? '') ? 'charset' : undefined;
}
