/** Answers link-preview fetchers from a small kept rendering of the page, fetched once for all. */
import { channel } from 'node:diagnostics_channel';
import {
  type CacheStore,
  EMPTY,
  field,
  type Handler,
  type Keep,
  type Layer,
  type ProxyRequest,
  type ProxyResponse,
  toSettings,
  withFields,
} from '@headgate/core';
import { classify } from '@headgate/fedi-agents';
import { memoryStore } from '@headgate/store';
import { decode, type Entry, encode, pageEntry } from './entry.ts';
import { type FedicacheOptions, schema } from './options.ts';
import { isStorable } from './storable.ts';
import { trim } from './trim.ts';

/** What only code can pass. */
export interface FedicacheParts {
  /** Where pages are kept. Default: 64 MiB of this process's memory. */
  readonly store?: CacheStore;
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
}

/** What fedicache did with a preview request; the message on the channel `headgate:fedicache`. */
export interface FedicacheDecision {
  readonly request: ProxyRequest;
  /** The software that asked, see `@headgate/fedi-agents`. */
  readonly family: string;
  /** `hit`: from the store. `fill`: fetched now. `collapsed`: fetched for another. `whole`: not cut. */
  readonly outcome: 'hit' | 'fill' | 'collapsed' | 'whole';
}

const decisions = channel('headgate:fedicache');

/** Seconds that a fetcher or a browser may keep a cut page for itself. */
const MAX_AGE = 300;

/** Milliseconds for which a URL is known to have no page that may be kept. */
const UNCACHEABLE_TTL = 120_000;

/**
 * Makes the layer. Requests that `@headgate/fedi-agents` doesn't allow to trim pass untouched.
 * Throws a `TypeError` for wrong options.
 */
export function fedicache(
  options: FedicacheOptions = {},
  { store: given, now = Date.now }: FedicacheParts = {},
): Layer & Required<Pick<Layer, 'purge'>> {
  const store = given ?? memoryStore();
  const { ttl, scan, maxPage } = toSettings('fedicache', schema, options);
  const middleware: Layer['middleware'] = async (request, next) => {
    const { mayTrim, family } = classify(request);
    if (!mayTrim || request.body !== EMPTY) return next(request); // no fetcher sends a body
    const tell = (outcome: FedicacheDecision['outcome'], response: ProxyResponse) => {
      if (decisions.hasSubscribers) decisions.publish({ request, family, outcome });
      return response;
    };

    const key = keyOf(request);
    const kept = decodeKept(await store.get(key).catch(() => undefined));
    if (kept?.kind === 'page') return tell('hit', answer(kept, `hit; ttl=${secondsLeft(kept)}`));
    if (kept?.kind === 'uncacheable') return tell('whole', await next(request));

    const fill = filling(request, next);
    const entry = decodeKept(await store.collapse(key, fill.run));
    if (fill.whole) return tell('whole', fill.whole);
    if (entry?.kind !== 'page') return tell('whole', await next(request));
    if (fill.hasRun) return tell('fill', answer(entry, 'fwd=uri-miss; stored'));
    return tell('collapsed', answer(entry, 'fwd=uri-miss; collapsed'));
  };

  /** One request to the origin, for all who wait for its page. */
  function filling(request: ProxyRequest, next: Handler) {
    const fill: { hasRun: boolean; whole?: ProxyResponse; run(keep: Keep): Promise<Buffer> } = {
      hasRun: false,
      async run(keep) {
        fill.hasRun = true;
        const response = await next(anonymous(request));
        const trimmed = isStorable(response)
          ? await trim(response.body, { scan, maxPage })
          : { whole: response.body };
        const isPage = 'page' in trimmed;
        if (!isPage) fill.whole = { ...response, body: trimmed.whole };
        const entry: Entry = isPage
          ? pageEntry(response, trimmed.page, now())
          : { kind: 'uncacheable' };
        const bytes = encode(entry);
        await keep(bytes, isPage ? ttl : UNCACHEABLE_TTL).catch(() => {});
        return bytes;
      },
    };
    return fill;
  }

  function secondsLeft({ made }: Extract<Entry, { kind: 'page' }>): number {
    return Math.max(0, Math.round((made + ttl - now()) / 1000));
  }

  /** The response that a fetcher gets. Nothing in it may be kept by a cache that others share. */
  function answer(entry: Extract<Entry, { kind: 'page' }>, status: string): ProxyResponse {
    const age = Math.max(0, Math.round((now() - entry.made) / 1000));
    const headers = withFields(entry.fields, {
      age: String(age),
      'cache-control': `private, max-age=${Math.min(MAX_AGE, secondsLeft(entry))}`,
      'cdn-cache-control': 'no-store',
      vary: 'Accept, User-Agent, Accept-Encoding',
      'cache-status': `Headgate; ${status}`,
      fedicache: 'Active',
    });
    return { status: 200, headers, body: entry.body };
  }

  return {
    middleware,
    purge: (prefix) => store.purge(KEY + prefix),
    close: async () => {
      if (!given) await store.close();
    },
  };
}

/** What every key begins with; a URL follows, so that a prefix of URLs is a prefix of keys. */
const KEY = 'preview GET ';

function keyOf({ scheme, headers, url }: ProxyRequest): string {
  return `${KEY}${scheme}://${(field(headers, 'host') ?? '').toLowerCase()}${url}`;
}

function decodeKept(bytes: Buffer | undefined): Entry | undefined {
  return bytes && decode(bytes);
}

/**
 * The request that every fetcher would send alike, so that nothing in the page can depend on who
 * came first. It belongs to nobody: no client who leaves ends it.
 */
function anonymous(request: ProxyRequest): ProxyRequest {
  const { signal } = new AbortController();
  const host = (field(request.headers, 'host') ?? '').toLowerCase(); // as in the key
  const headers = withFields(
    {},
    {
      host,
      'user-agent': `Headgate (link preview; +${request.scheme}://${host}/)`,
      accept: 'text/html',
      'accept-encoding': 'identity',
    },
  );
  return { ...request, method: 'GET', headers, body: EMPTY, client: '', signal: () => signal };
}
