/** Edits the policies of pages on their way from the application to the browser. */
import {
  field,
  type Headers,
  type Middleware,
  type ProxyRequest,
  type ProxyResponse,
  toSettings,
  withBody,
  withFields,
} from '@headgate/core';
import type { Edits } from './edit.ts';
import { editor } from './editor.ts';
import { type CspOptions, type Settings, schema } from './options.ts';
import type { Loading } from './policy.ts';
import { collector, isReport } from './report.ts';

/** What only code can pass. */
export interface CspParts {
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

const MEDIA: readonly Loading[] = ['img-src', 'media-src', 'connect-src'];
const ASSETS: readonly Loading[] = [
  ...MEDIA,
  'script-src',
  'style-src',
  'font-src',
  'manifest-src',
  'worker-src',
  'child-src',
];

/** What a browser is about to run with a policy of its own, besides pages (Fetch section 2.2.5). */
const WORKERS = new Set(['serviceworker', 'sharedworker', 'worker']);

/**
 * Makes the layer. It edits `Content-Security-Policy` and `Content-Security-Policy-Report-Only` of
 * HTML pages and of workers' scripts, and passes any other response as it is. What it did is told on
 * the channel `headgate:csp`, see `CspEvent`. Throws a `TypeError` for wrong options.
 */
export function csp(options: CspOptions = {}, { now = Date.now }: CspParts = {}): Middleware {
  const settings = toSettings('csp', schema, options);
  const { meta, report, set } = settings;
  const edits = toEdits(settings);
  const collect = collector(knownHosts(settings), now);

  return async (request, next) => {
    if (report && isReport(request)) return collect(request);
    const isForPage = meta && acceptsHtml(request);
    const response = await next(isForPage ? readably(request) : request);
    const isPage = isHtml(response);
    const isUnchanged = response.status === 304 && !Object.hasOwn(response.headers, 'content-type');
    // A 304's policy takes the place of that which the browser has kept (RFC 9111 section 3.2).
    if (!isPage && !isUnchanged && !isWorker(request)) return response;

    const editing = editor(request, edits, report);
    const given = isPage && set ? withPolicy(response.headers, set) : response.headers;
    const headers = editing.fields(given);
    const edited = headers === response.headers ? response : { ...response, headers };
    if (meta && isPage) return editing.page(edited);
    // The page that it is about left here with a weak ETag.
    return isForPage && isUnchanged ? withBody(edited, edited.body) : edited;
  };
}

function toEdits({ media, assets, allow, remove, replace }: Settings): Edits {
  const asked = new Map<Loading, Set<string>>();
  const ask = (names: readonly Loading[], sources: readonly string[]) => {
    for (const name of names)
      if (sources.length > 0) asked.set(name, new Set([...(asked.get(name) ?? []), ...sources]));
  };
  ask(MEDIA, media);
  ask(ASSETS, assets);
  for (const [name, sources = []] of Object.entries(allow)) ask([name as Loading], sources);
  return {
    allow: new Map(Array.from(asked, ([name, sources]) => [name, [...sources]])),
    remove,
    replace: Object.entries(replace),
  };
}

/** The hosts that a report may be told with. */
function knownHosts({ media, assets, allow, remove, replace }: Settings): ReadonlySet<string> {
  const written = [media, assets, remove, ...Object.values(allow), ...Object.entries(replace)];
  return new Set(written.flat().map((source) => new URL(source).host));
}

function withPolicy(headers: Headers, { policy, override }: NonNullable<Settings['set']>): Headers {
  const name = 'content-security-policy';
  return override || !Object.hasOwn(headers, name)
    ? withFields(headers, { [name]: policy })
    : headers;
}

function acceptsHtml({ headers }: ProxyRequest): boolean {
  return /\btext\/html\b/i.test(field(headers, 'accept') ?? '');
}

/** The request for a page that can be read: all of it, and not encoded. */
function readably(request: ProxyRequest): ProxyRequest {
  const headers = withFields(request.headers, {
    'accept-encoding': 'identity',
    range: undefined,
    'if-range': undefined,
  });
  return { ...request, headers };
}

function isHtml({ headers }: ProxyResponse): boolean {
  return /^\s*text\/html\s*(?:;|$)/i.test(field(headers, 'content-type') ?? '');
}

function isWorker({ headers }: ProxyRequest): boolean {
  return WORKERS.has(field(headers, 'sec-fetch-dest') ?? '');
}
