/**
 * The table. A software is added here, with where its facts come from; `classify.ts` needs no change.
 * What every page and file has in common (methods, ActivityPub types, paths) is decided there, before
 * an entry's `fetches` are looked at, so an entry lists only what the User-Agent and Accept add.
 */
import type { Agent, Fetch } from './agent.ts';
import { PREVIEW_BOTS } from './preview-bots.ts';

/** Software whose preview or verification reads nothing that a trimmed page lacks. */
const TRIMMABLE: readonly Agent[] = [
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
    source:
      'glitch-soc/mastodon: lib/mastodon/version.rb, app/services/{fetch_link_card,verify_link}_service.rb',
  },
  {
    // Previews of Misskey and its forks; Misskey itself is below. The administrator may change it.
    family: 'summaly',
    userAgent: /^SummalyBot\//,
    fetches: [{ purpose: 'preview', accept: /^text\/html(?:,|$)/, mayTrim: true }],
    source: 'misskey-dev/summaly: src/utils/got.ts',
  },
  {
    // Sends two User-Agent lines on previews, the plain one first.
    family: 'akkoma',
    userAgent: /^Akkoma /,
    fetches: pleromaFetches(),
    source:
      'BDX-town/Akkoma: lib/pleroma/http.ex, lib/pleroma/web/rich_media/helpers.ex, lib/pleroma/web/rel_me.ex, lib/pleroma/instances/instance.ex',
  },
  {
    family: 'pleroma',
    userAgent: /^Pleroma /,
    fetches: pleromaFetches(),
    source: 'kphrx/pleroma: lib/pleroma/web/rich_media/helpers.ex, lib/pleroma/web/rel_me.ex',
  },
  {
    family: 'lemmy',
    userAgent: /^Lemmy\/\S+; \+https?:\/\//,
    fetches: [
      { purpose: 'preview', method: 'GET', accept: '*/*', range: 'bytes=0-', mayTrim: true },
      { purpose: 'media', accept: '*/*' },
    ],
    source: 'LemmyNet/lemmy: crates/api/api_utils/src/request.rs',
  },
  {
    family: 'piefed',
    userAgent: /^PieFed\/\S+; \+https?:\/\//,
    fetches: [{ purpose: 'preview', accept: '*/*', mayTrim: true }],
    source: 'theatl-social/pyfedi: app/utils.py',
  },
  {
    // Before 2024.06 (`Friendica 'Name' …`) the line doesn't tell what the request is for.
    family: 'friendica',
    userAgent: /^Friendica(?:\/| ')/,
    fetches: [
      {
        purpose: 'preview',
        userAgent: /^Friendica\/.* Request\/(?:SiteInfo|ContentTypeChecker)\/\d+ \+/,
        mayTrim: true,
      },
      // Takes rel=me on any element, so it gets the whole page.
      { purpose: 'link-verification', userAgent: /^Friendica\/.* Request\/ContactVerifier\/\d/ },
      { purpose: 'media', userAgent: /^Friendica\/.* Request\/Media(?:Proxy|Verifier)\/\d/ },
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
    fetches: [
      { purpose: 'link-verification', userAgent: /^snac\/\S+ \(link verify\)$/, mayTrim: true },
    ],
    source: 'snac2: utils.c, http.c',
  },
];

/** Software that always gets the whole page: its cards read the body, or it makes none at all. */
const WHOLE: readonly Agent[] = [
  ...['Misskey', 'CherryPick', 'Sharkey', 'Firefish', 'Calckey', 'Iceshrimp', 'FoundKey'].map(
    misskey,
  ),
  {
    family: 'bookwyrm',
    userAgent: /^BookWyrm \(BookWyrm\//,
    fetches: [{ purpose: 'media', accept: '*/*' }],
    source: 'bookwyrm-social/bookwyrm: bookwyrm/settings.py',
  },
  // Reads microformats anywhere in a page.
  { family: 'bridgy-fed', userAgent: /^Bridgy Fed /, source: 'snarfed/bridgy-fed: common.py' },
  {
    // Reads the body for its boxes.
    family: 'discourse',
    userAgent: /^Discourse /,
    fetches: [{ purpose: 'preview', userAgent: /^Discourse Forum Onebox / }],
    source: 'discourse/onebox and public logs',
  },
  {
    family: 'funkwhale',
    userAgent: /^python-requests \(funkwhale\//,
    source: 'funkwhale: api/funkwhale_api/common/session.py',
  },
  {
    family: 'gotosocial',
    userAgent: /^gotosocial\//,
    // Signs these too.
    fetches: [{ purpose: 'media', accept: '*/*' }],
    source: 'superseriousbusiness/gotosocial: internal/transport/{controller,derefmedia}.go',
  },
  {
    // Its previews are open-graph-scraper's and call themselves `undici`.
    family: 'hollo',
    userAgent: /^Hollo\//,
    source: 'fedify-dev/hollo: src/previewcard.ts',
  },
  {
    // Falls back on every image and paragraph of the body.
    family: 'hubzilla',
    userAgent: /^Mozilla\/5\.0 \(compatible; zot\)$/,
    fetches: [{ purpose: 'preview', accept: '*/*' }],
    source: 'zakwilson/hubzilla-core: include/network.php, Zotlabs/Module/Linkinfo.php',
  },
  {
    family: 'iceshrimp-net',
    userAgent: /^Iceshrimp\.NET\//,
    source: 'iceshrimp-dev/Iceshrimp.NET: Configuration/Config.cs',
  },
  {
    // Its previews are php-embed's and call themselves Firefox 73.
    family: 'mbin',
    userAgent: /^Mbin\//,
    source: 'MbinOrg/mbin: src/Service/ProjectInfoService.php, src/Utils/Embed.php',
  },
  {
    family: 'mitra',
    userAgent: /^Mitra /,
    source: 'external-mirrors/mitra: mitra_config/src/instance.rs',
  },
  {
    // Its previews are link-preview-js's and call themselves `node`.
    family: 'nodebb',
    userAgent: /^NodeBB\//,
    source: 'NodeBB/NodeBB: src/request.js',
  },
  {
    family: 'peertube',
    userAgent: /^PeerTube\//,
    source: 'Chocobozzz/PeerTube: server/core/helpers/requests.ts',
  },
  {
    family: 'pixelfed',
    userAgent: /^(?:PixelFedBot\/|PixelfedBot |\(Pixelfed\/)/,
    source: 'pixelfed/pixelfed: app/Services/{ActivityPubFetch,MediaStorage}Service.php',
  },
  {
    // Asks for images with the Accept of ActivityPub objects, signed; the path tells them apart.
    family: 'plume',
    userAgent: /^Plume\//,
    source: 'Plume-org/Plume: plume-common/src/activity_pub/request.rs',
  },
  {
    family: 'takahe',
    userAgent: /^python-httpx\/\S+ \(Takahe\//,
    source: 'jointakahe/takahe: takahe/settings.py',
  },
  {
    // Its previews are link-preview-js's and call themselves the server's bare URL.
    family: 'wafrn',
    userAgent: /^wafrnCacher/,
    fetches: [{ purpose: 'media' }],
    source: 'gabboman/wafrn: packages/backend/routes/remoteCache.ts',
  },
  {
    family: 'wordpress',
    userAgent: /^WordPress\//,
    source: 'Automattic/wordpress-activitypub: includes/class-http.php',
  },
  {
    family: 'writefreely',
    userAgent: /^Go \(WriteFreely\//,
    source: 'writefreely/writefreely: app.go, webfinger.go',
  },
  {
    // Whatever is built with it and has no line of its own: Ghost, say.
    family: 'fedify',
    userAgent: /^(?:Fedify\/|\S+ \(Fedify\/)/,
    source: 'fedify-dev/fedify: packages/vocab-runtime/src/request.ts',
  },
];

/**
 * Every software that `classify` knows. The bots of `PREVIEW_BOTS` are among them, but get whole
 * pages.
 */
export const AGENTS: readonly Agent[] = [
  ...TRIMMABLE,
  ...WHOLE,
  ...PREVIEW_BOTS.map((bot) => ({ ...bot, fetches: bot.fetches?.map(whole) ?? [] })),
];

function pleromaFetches(): readonly Fetch[] {
  return [
    { purpose: 'preview', userAgent: /; Bot$/, mayTrim: true },
    // The icon of another server, from its front page.
    { purpose: 'preview', accept: 'text/html', mayTrim: true },
    { purpose: 'link-verification', accept: '', mayTrim: true },
  ];
}

/**
 * Misskey and its forks verify by any `<a href>`, without rel=me, so never trim. They read a
 * server's front page for its name and icon with the same line and the same Accept.
 */
function misskey(product: string): Agent {
  return {
    family: product.toLowerCase(),
    userAgent: new RegExp(`^${product}\\/`),
    fetches: [
      { purpose: 'link-verification', accept: 'text/html, */*' },
      { purpose: 'media', accept: '' },
    ],
    source: 'MisskeyIO/misskey: packages/backend/src/{config.ts,server/api/endpoints/i/update.ts}',
  };
}

function whole(fetch: Fetch): Fetch {
  return { ...fetch, mayTrim: false };
}
