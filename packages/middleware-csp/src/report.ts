/** Has browsers report what a policy blocks, and reads what they report. */
import {
  EMPTY,
  field,
  fields,
  type Headers,
  HeadgateError,
  type ProxyRequest,
  type ProxyResponse,
  readBody,
  withFields,
} from '@headgate/core';
import { z } from 'zod';
import { type CspEvent, tell } from './events.ts';
import { find, isFetchDirective, isLock, type Policy, withDirective, withValue } from './policy.ts';

/** Where browsers send their reports. */
export const REPORT_PATH = '/.headgate/csp-reports';

const GROUP = 'headgate-csp';
const POLICIES = ['content-security-policy', 'content-security-policy-report-only'];

/** Tells browsers where the group is (Reporting API section 3.2). */
const ENDPOINT = `${GROUP}="${REPORT_PATH}"`;

/** Bytes that one message may have; browsers gather reports for a minute. */
const MAX_SIZE = 64 * 1024;

/** Reports that are read of one message. */
const MAX_REPORTS = 100;

/** Milliseconds, and the messages that are read in such a time: of one client, and of all. */
const WINDOW = 10_000;
const MAX_OF_CLIENT = 20;
const MAX_OF_ALL = 1_000;

/** Directives that a report may name besides those that load something. */
const OTHERS = new Set(['base-uri', 'form-action', 'frame-ancestors', 'require-trusted-types-for']);

const text = z.string().catch('');

/** What report-uri sends (CSP3 section 5.3). */
const MESSAGE = z.object({
  'csp-report': z.object({
    'effective-directive': text,
    'violated-directive': text,
    'blocked-uri': text,
    disposition: text,
  }),
});

/** What report-to sends: reports of any kind (Reporting API section 3.5.2, CSP3 section 5.1). */
const MESSAGES = z.array(
  z.object({
    type: text,
    body: z.object({ effectiveDirective: text, blockedURL: text, disposition: text }).catch({
      effectiveDirective: '',
      blockedURL: '',
      disposition: '',
    }),
  }),
);

/** What a report says that may be told. */
type Violation = Omit<Extract<CspEvent, { kind: 'violation' }>, 'kind' | 'request'>;

/**
 * Adds Headgate to those whom a policy reports to. One that names a group of its own stays as it is:
 * there can be only one. Only over HTTPS do browsers know groups; who does ignores report-uri then.
 */
export function reporting(policy: Policy, isSecure: boolean): Policy {
  const uris = find(policy, 'report-uri');
  if (find(policy, 'report-to') || isLock(policy) || policy.every(({ name }) => name === ''))
    return policy;
  if (uris?.value.includes(REPORT_PATH)) return policy;
  if (uris) {
    const added = withValue(uris, [...uris.value, REPORT_PATH]);
    return policy.map((directive) => (directive === uris ? added : directive));
  }
  const reported = withDirective(policy, 'report-uri', [REPORT_PATH]);
  return isSecure ? withDirective(reported, 'report-to', [GROUP]) : reported;
}

/** The header with the place that the group of `reporting` stands for, if a policy there names it. */
export function withEndpoint(headers: Headers): Headers {
  const before = fields(headers, 'reporting-endpoints');
  const isNamed = POLICIES.some((name) => field(headers, name)?.includes(`report-to ${GROUP}`));
  if (!isNamed || before.includes(ENDPOINT)) return headers;
  return withFields(headers, { 'reporting-endpoints': [...before, ENDPOINT] });
}

/** True for a message that a browser sends with reports. */
export function isReport({ method, url }: ProxyRequest): boolean {
  return method === 'POST' && (url === REPORT_PATH || url.startsWith(`${REPORT_PATH}?`));
}

/**
 * Makes what answers such messages. `hosts` are those that may be told by name; nothing else of a
 * report is told or kept.
 */
export function collector(
  hosts: ReadonlySet<string>,
  now: () => number,
): (request: ProxyRequest) => Promise<ProxyResponse> {
  const isTooMuch = limiter(now);
  return async (request) => {
    if (isTooMuch(request.client)) return answer(429, { 'retry-after': String(WINDOW / 1_000) });
    if (Number(field(request.headers, 'content-length')) > MAX_SIZE) return answer(413);
    let bytes: Buffer;
    try {
      bytes = await readBody(request.body, MAX_SIZE);
    } catch (error) {
      if (error instanceof HeadgateError && error.code === 'BODY_TOO_LARGE') return answer(413);
      throw error;
    }
    const violations = violationsIn(bytes, hosts);
    if (violations === undefined) return answer(400);
    for (const violation of violations) tell({ kind: 'violation', request, ...violation });
    return answer(204);
  };
}

/** Tells whether a client, or all of them, sent more than may be read. Keeps no more than it lets in. */
function limiter(now: () => number): (client: string) => boolean {
  const counts = new Map<string, number>();
  let all = 0;
  let end = 0;
  return (client) => {
    if (now() >= end) {
      end = now() + WINDOW;
      all = 0;
      counts.clear();
    }
    const count = counts.get(client) ?? 0;
    const isKnown = client !== '';
    if ((isKnown && count >= MAX_OF_CLIENT) || all >= MAX_OF_ALL) return true;
    counts.set(client, count + 1);
    all += 1;
    return false;
  };
}

function violationsIn(bytes: Buffer, hosts: ReadonlySet<string>): Violation[] | undefined {
  const parsed = json(bytes);
  const message = MESSAGE.safeParse(parsed).data?.['csp-report'];
  if (message) {
    const [directive = ''] = (
      message['effective-directive'] || message['violated-directive']
    ).split(' ');
    return [toViolation(directive, message['blocked-uri'], message.disposition, hosts)];
  }
  return MESSAGES.safeParse(parsed)
    .data?.filter(({ type }) => type === 'csp-violation')
    .slice(0, MAX_REPORTS)
    .map(({ body }) =>
      toViolation(body.effectiveDirective, body.blockedURL, body.disposition, hosts),
    );
}

function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

function toViolation(
  name: string,
  blocked: string,
  disposition: string,
  hosts: ReadonlySet<string>,
): Violation {
  const host = URL.canParse(blocked) ? new URL(blocked).host : '';
  return {
    directive: isFetchDirective({ name }) || OTHERS.has(name) ? name : 'other',
    host: host !== '' && hosts.has(host) ? host : 'other',
    disposition: disposition === 'report' ? 'report' : 'enforce',
  };
}

function answer(status: number, headers: Readonly<Record<string, string>> = {}): ProxyResponse {
  return {
    status,
    headers: withFields({}, { 'cache-control': 'no-store', ...headers }),
    body: EMPTY,
  };
}
