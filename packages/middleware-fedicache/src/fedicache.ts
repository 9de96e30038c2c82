/** Answers link-preview fetchers from a small kept rendering of the page, fetched once for all. */
import {
  type CacheStore,
  EMPTY,
  type Handler,
  isEmpty,
  type Layer,
  type ProxyRequest,
  type ProxyResponse,
  type PurgeTarget,
  toSettings,
  withFields,
} from '@headgate/core';
import { type Agent, classifier, PREVIEW_BOTS } from '@headgate/fedi-agents';
import { memoryStore } from '@headgate/store';
import { isFill } from './canonical.ts';
import { type Answer, decode } from './entry.ts';
import { publish } from './events.ts';
import { filler, type Wanted } from './fill.ts';
import { hostLimit } from './host-limit.ts';
import { keyPrefix } from './key-prefix.ts';
import { type FedicacheOptions, schema } from './options.ts';
import { certain, patient } from './patient-store.ts';
import { type Asking, replies } from './replies.ts';
import {
  changedBy,
  ignoring,
  normalPrefix,
  parseTarget,
  type Target,
  targetOf,
  toText,
} from './target.ts';
import { waitingRoom } from './waiting.ts';

/** What only code can pass. */
export interface FedicacheParts {
  /** Where pages are kept. Default: 64 MiB of this process's memory. */
  readonly store?: CacheStore;
  /**
   * Asks the application for what no client waits for: with it a stale page is refreshed behind
   * everybody's back, and `warm` works. Default: the request that finds a page stale refreshes it.
   */
  readonly background?: Handler;
  /** Names of the site. Without any, or with wildcards, pages are kept for the 100 used last. */
  readonly hosts?: readonly string[];
  /** Fetchers to serve besides those that `@headgate/fedi-agents` knows. */
  readonly agents?: readonly Agent[];
  /** The time in milliseconds since the epoch. Default `Date.now`. */
  readonly now?: () => number;
  /** From 0 to 1, by which the times of pages differ. Default `Math.random`. */
  readonly random?: () => number;
}

/** A fedicache at work. */
export interface Fedicache extends Layer {
  /** Forgets what is kept, and tells how many there were. Rejects if the store does. */
  readonly purge: (what: PurgeTarget) => Promise<number>;
  /** Fetches an absolute URL before anybody asks for it. Rejects without a `background`. */
  readonly warm: (url: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Names for which pages are kept where none is configured. */
const MAX_HOSTS = 100;

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/**
 * Makes the layer. Requests that `@headgate/fedi-agents` doesn't allow to trim pass untouched; a
 * successful unsafe request drops what is kept of its URL. Throws a `TypeError` for wrong options.
 */
export function fedicache(options: FedicacheOptions = {}, parts: FedicacheParts = {}): Fedicache {
  const settings = toSettings('fedicache', schema, options);
  const { background, hosts = [], agents = [], now = Date.now, random = Math.random } = parts;
  const own = parts.store ?? memoryStore();
  const store = patient(own, (fault) => publish({ kind: 'store-fault', ...fault }));
  const surely = certain(own);
  const classify = classifier([...agents, ...(settings.previewBots ? PREVIEW_BOTS : [])]);
  const isIgnored = ignoring(settings.ignoredQuery);
  const fill = filler(settings, { now, random });
  const reply = replies(now, Math.max(1, Math.ceil(settings.waitTimeout / 1000)));
  const wait = waitingRoom(settings, { store, fill, reply, now });
  const prefix = keyPrefix(settings);
  const keyOf = (target: Target) => prefix + toText(target);
  const purgeHost = async (host: string, from: Pick<CacheStore, 'purge'>) =>
    (await from.purge(`${prefix}http://${host}/`)) +
    (await from.purge(`${prefix}https://${host}/`));
  const isBounded = hosts.length > 0 && !hosts.some((host) => host.includes('*'));
  const use = isBounded
    ? () => {}
    : hostLimit(MAX_HOSTS, { key: store.delete, host: (host) => purgeHost(host, store) });
  /** Keys of stale pages for which the origin is being asked. */
  const refreshing = new Set<string>();

  const middleware: Layer['middleware'] = (request, next) => {
    if (!SAFE.has(request.method)) return forgetting(request, next);
    const { mayTrim, family } = classify(request);
    const isPreview = mayTrim && !isFill(request, settings);
    if (!isPreview || !isEmpty(request.body)) return next(request); // no fetcher sends a body

    const target = targetOf(request, isIgnored);
    return target ? preview({ request, family }, target, next) : next(request);
  };

  const preview = async (asking: Asking, target: Target, next: Handler): Promise<ProxyResponse> => {
    const { request } = asking;
    const key = keyOf(target);
    use(target.host, key);
    const found = store.get(key);
    const bytes = found instanceof Promise ? await found : found; // no turn is lost where it is at hand
    const entry = bytes && decode(bytes);
    if (entry?.kind === 'uncacheable') return reply.pass(asking, next, entry.reason);
    if (entry && now() < entry.made + entry.fresh) return reply.give(asking, 'hit', entry);

    const isBorrowed = background === undefined;
    const wanted = { request, target, ask: background ?? next, isBorrowed };
    if (!entry?.mayBeStale) return wait(key, wanted, asking, next);
    const stale = entry;
    if (isDue(stale) && isRecent(stale) && background)
      refresh(key, { ...wanted, stale, onWhole: () => false });
    else if (isDue(stale) && !(isRecent(stale) && refreshing.has(key))) {
      refreshing.add(key);
      return wait(key, { ...wanted, stale }, asking, next).finally(() => refreshing.delete(key));
    }
    return reply.give(asking, 'stale', stale);
  };

  /** False for some seconds after the origin has failed. */
  const isDue = ({ retryAt = 0 }: Answer) => now() >= retryAt;
  const isRecent = ({ made, fresh }: Answer) =>
    now() < made + fresh + settings.staleWhileRevalidate;

  function refresh(key: string, wanted: Wanted) {
    if (refreshing.has(key)) return;
    refreshing.add(key);
    const done = () => refreshing.delete(key);
    store.collapse(key, (keep) => fill(wanted, keep)).then(done, done);
  }

  /** Lets an unsafe request past, and drops what it may have changed (RFC 9111 section 4.4). */
  async function forgetting(request: ProxyRequest, next: Handler): Promise<ProxyResponse> {
    const response = await next(request);
    if (response.status < 400)
      for (const target of changedBy(request, response, isIgnored))
        await store.delete(keyOf(target));
    return response;
  }

  return {
    middleware,
    async purge(what) {
      if ('all' in what) return surely.purge(prefix);
      if ('host' in what) return purgeHost(what.host.toLowerCase(), surely);
      if ('prefix' in what) return surely.purge(prefix + normalPrefix(what.prefix));
      const key = keyOf(parseTarget(what.url, isIgnored));
      const isKept = (await surely.get(key)) !== undefined;
      await surely.delete(key);
      return isKept ? 1 : 0;
    },
    async warm(url) {
      if (!background) throw new Error('fedicache: warm needs a background handler');
      const target = parseTarget(url, isIgnored);
      const key = keyOf(target);
      const bytes = await store.get(key);
      const kept = bytes && decode(bytes);
      const wanted = {
        request: behindNobody(target),
        target,
        ask: background,
        isBorrowed: false,
        onWhole: () => false,
        ...(kept?.kind === 'answer' && kept.mayBeStale && { stale: kept }),
      };
      const entry = decode(await store.collapse(key, (keep) => fill(wanted, keep)));
      if (entry?.kind === 'uncacheable') throw new Error(`${url} is not kept: ${entry.reason}`);
      if (entry?.retryAt !== undefined) throw new Error(`${url} failed; the page before is kept`);
      if (entry && entry.status >= 400) throw new Error(`${url} was answered ${entry.status}`);
    },
    close: async () => {
      if (!parts.store) await own.close();
    },
  };
}

/** A request that no client is behind. */
function behindNobody({ scheme, host, url }: Target): ProxyRequest {
  const { signal } = new AbortController();
  const headers = withFields({}, { host });
  const request = { id: 'warm', site: 'default', method: 'GET', url, headers, body: EMPTY };
  return { ...request, scheme, client: '', signal: () => signal };
}
