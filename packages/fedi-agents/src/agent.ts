/** The vocabulary: what is read of a request, what a fetcher looks like, and what is told of it. */

/**
 * What `classify` reads of a request. Headgate's `ProxyRequest` is one; so is a Node request, best
 * as `{ method, url, headers: request.headersDistinct }`, since `headers` keeps only the first of
 * Akkoma's two User-Agent lines.
 */
export interface FetchRequest {
  readonly method: string;
  /** Origin-form target as received, e.g. `/a%2Fb?c`. It is never decoded. */
  readonly url: string;
  /**
   * Names in lower case; a field that came more than once is a list. Own properties only count. Who
   * changes a field makes a new object: the answer to the last one is remembered.
   */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/**
 * What a request is for.
 *
 * - `preview`: a page, to make a preview card of it. The card's image is `media`, its oEmbed `other`.
 * - `link-verification`: a page, to see whether it links back to a profile (rel=me and its like).
 * - `activitypub`: an object or an inbox, and the discovery before it (WebFinger, host-meta, NodeInfo).
 * - `media`: an image, a video or another static file.
 * - `other`: all else, a browser's page view too.
 */
export type Purpose = 'preview' | 'link-verification' | 'activitypub' | 'media' | 'other';

/**
 * How a software follows a redirect to another host.
 *
 * - `well`: its own code or its HTTP library is known to send the new host's name.
 * - `old-host`: it sends the name of the host that redirected, which the new one may not know.
 */
export type Redirects = 'well' | 'old-host';

/** One kind of GET or HEAD that a software makes: it fits when everything that it names holds. */
export interface Fetch {
  readonly purpose: Purpose;
  /** What the User-Agent line says of this fetch, beyond the agent's own pattern. */
  readonly userAgent?: RegExp;
  /** The only method. Default: both. */
  readonly method?: 'GET' | 'HEAD';
  /**
   * The media types of Accept, in order, in lower case, without parameters, joined by `, `; `''` is
   * a request without Accept. A string must be equal, a pattern is tested.
   */
  readonly accept?: string | RegExp;
  /** What Range begins with. */
  readonly range?: string;
  /**
   * True when a page cut down to its head and the metadata and rel=me links behind it serves this
   * fetch as well as the whole page. For `preview` and `link-verification` only. Default false.
   */
  readonly mayTrim?: boolean;
}

/** A software that fetches: how to know it, and what it is known to fetch. */
export interface Agent {
  /** Label of the software, safe for metrics: `a-z`, `0-9` and `-`. */
  readonly family: string;
  /**
   * Matches its User-Agent line and begins with `^`, since the names of software turn up in the
   * host, the e-mail address or the comment of others' lines.
   */
  readonly userAgent: RegExp;
  /** The first that fits decides; when none does, the purpose is `other`. */
  readonly fetches?: readonly Fetch[];
  /** How it follows redirects of media, where that is known. */
  readonly redirects?: Redirects;
  /** Where the facts come from: `repository: path`. */
  readonly source?: string;
}

/** What `classify` tells of a request. */
export interface Classification {
  /** The software's label, `other` when it is not known. */
  readonly family: string;
  readonly purpose: Purpose;
  /**
   * True when a page may be answered trimmed (see `Fetch`). It speaks of the request only: trim
   * nothing but a response that is a public 200 of type text/html.
   */
  readonly mayTrim: boolean;
  /** How the software follows redirects of media. */
  readonly redirects: Redirects | 'unknown';
}
