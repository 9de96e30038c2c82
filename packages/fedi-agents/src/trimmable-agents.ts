/** Software whose preview or verification reads nothing that a trimmed page lacks. */
import type { Agent, Fetch } from './agent.ts';

const PLEROMA_FETCHES: readonly Fetch[] = [
  { purpose: 'preview', userAgent: /; Bot$/, mayTrim: true },
  // The icon of another server, from its front page.
  { purpose: 'preview', accept: 'text/html', mayTrim: true },
  { purpose: 'link-verification', accept: '', mayTrim: true },
];

/** Lists the fetchers that a trimmed page serves, each with the exact requests that it serves. */
export const TRIMMABLE_AGENTS: readonly Agent[] = [
  {
    family: 'mastodon',
    // Also glitch-soc, Hometown and kmyblue. Up to 4.2 http.rb came first. The Android app is
    // `MastodonAndroid/`, the one for iOS `Mastodon/<build> CFNetwork/`.
    userAgent: /^(?:Mastodon\/\S+ \(http\.rb\/|http\.rb\/\S+ \(Mastodon\/)/,
    fetches: [
      { purpose: 'preview', userAgent: /\) Bot$/, accept: 'text/html', mayTrim: true },
      // Before 3.2 this was the preview too.
      { purpose: 'link-verification', userAgent: /\)$/, accept: 'text/html', mayTrim: true },
      // Asks the first rel=me target where it redirects to: needs the Location as it is.
      { purpose: 'link-verification', userAgent: /\)$/, method: 'HEAD', accept: '' },
      { purpose: 'media', userAgent: /\)$/, accept: '' },
    ],
    redirects: 'well', // http.rb takes the Host out; at most 3 hops
    source:
      'glitch-soc/mastodon: lib/mastodon/version.rb, app/services/{fetch_link_card,verify_link}_service.rb',
  },
  {
    // Makes the previews of Misskey and its forks, whose own requests must never be trimmed. Their
    // administrator may change its name; then it is nobody's, and gets the whole page.
    family: 'summaly',
    userAgent: /^SummalyBot\//,
    fetches: [{ purpose: 'preview', accept: /^text\/html(?:,|$)/, mayTrim: true }],
    source: 'misskey-dev/summaly: src/utils/got.ts',
  },
  {
    // Sends two User-Agent lines on previews, the plain one first.
    family: 'akkoma',
    userAgent: /^Akkoma /,
    fetches: PLEROMA_FETCHES,
    source:
      'BDX-town/Akkoma: lib/pleroma/http.ex, lib/pleroma/web/rich_media/helpers.ex, lib/pleroma/web/rel_me.ex, lib/pleroma/instances/instance.ex',
  },
  {
    family: 'pleroma',
    userAgent: /^Pleroma /,
    fetches: PLEROMA_FETCHES,
    source: 'kphrx/pleroma: lib/pleroma/web/rich_media/helpers.ex, lib/pleroma/web/rel_me.ex',
  },
  {
    family: 'lemmy',
    userAgent: /^Lemmy\/\S+; \+https?:\/\//,
    fetches: [
      { purpose: 'preview', method: 'GET', accept: '*/*', range: 'bytes=0-', mayTrim: true },
      { purpose: 'media', accept: '*/*' },
    ],
    redirects: 'well', // by hand and signed anew, if the Location is absolute
    source: 'LemmyNet/lemmy: crates/api/api_utils/src/request.rs',
  },
  {
    family: 'piefed',
    userAgent: /^PieFed\/\S+; \+https?:\/\//,
    fetches: [{ purpose: 'preview', accept: '*/*', mayTrim: true }],
    redirects: 'well', // httpx sets the Host of each hop
    source: 'theatl-social/pyfedi: app/utils.py',
  },
  {
    // Before 2024.06 (`Friendica 'Name' …`) the line doesn't tell what the request is for.
    family: 'friendica',
    userAgent: /^Friendica(?:\/| ')/,
    fetches: [
      {
        purpose: 'preview',
        userAgent: / Request\/(?:SiteInfo|ContentTypeChecker)\/\d+ \+/,
        mayTrim: true,
      },
      // Takes rel=me on any element, so it gets the whole page.
      { purpose: 'link-verification', userAgent: / Request\/ContactVerifier\/\d/ },
      { purpose: 'media', userAgent: / Request\/Media(?:Proxy|Verifier)\/\d/ },
    ],
    source:
      'friendica/friendica: src/Network/HTTPClient/Client/{HttpClient,HttpClientRequest}.php, src/Util/ParseUrl.php',
  },
  {
    family: 'mobilizon',
    userAgent: /^Mobilizon /,
    fetches: [{ purpose: 'preview', accept: '', mayTrim: true }],
    source: 'framasoft/mobilizon: lib/service/rich_media/{parser,favicon}.ex, lib/mobilizon.ex',
  },
  {
    family: 'snac',
    userAgent: /^snac\//,
    fetches: [{ purpose: 'link-verification', userAgent: /^\S+ \(link verify\)$/, mayTrim: true }],
    source: 'snac2: utils.c, http.c',
  },
];
