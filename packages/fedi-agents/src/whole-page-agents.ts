/** Software that always gets the whole page. */
import type { Agent } from './agent.ts';

/** Lists the software whose cards read the body, or that makes none, or hides who it is then. */
export const WHOLE_PAGE_AGENTS: readonly Agent[] = [
  ...['Misskey', 'CherryPick', 'Sharkey', 'Firefish', 'Calckey', 'Iceshrimp', 'FoundKey'].map(
    misskey,
  ),
  {
    family: 'bookwyrm',
    userAgent: /^BookWyrm \(BookWyrm\//,
    fetches: [{ purpose: 'media', accept: '*/*' }],
    redirects: 'well', // it sets no Host, so requests makes one for each hop
    source: 'bookwyrm-social/bookwyrm: bookwyrm/settings.py',
  },
  // Reads microformats anywhere in a page.
  { family: 'bridgy-fed', userAgent: /^Bridgy Fed /, source: 'snarfed/bridgy-fed: common.py' },
  {
    // Reads the body for its boxes.
    family: 'discourse',
    userAgent: /^Discourse Forum Onebox /,
    fetches: [{ purpose: 'preview' }],
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
    redirects: 'well', // signs each hop anew, with its Host
    source:
      'superseriousbusiness/gotosocial: internal/transport/{controller,derefmedia}.go, internal/httpclient/transport.go',
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
    redirects: 'well', // sets the Host before each hop
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
    // It sets Host itself, and reqwest 0.11 keeps that. It looks at no status either: an error page
    // is stored as the image.
    redirects: 'old-host',
    source:
      'Plume-org/Plume: plume-common/src/activity_pub/request.rs, plume-models/src/medias.rs, Cargo.lock',
  },
  {
    family: 'takahe',
    userAgent: /^python-httpx\/\S+ \(Takahe\//,
    redirects: 'well', // httpx sets the Host of each hop
    source: 'jointakahe/takahe: takahe/settings.py',
  },
  {
    // Its previews are link-preview-js's and call themselves the server's bare URL.
    family: 'wafrn',
    userAgent: /^wafrnCacher/,
    fetches: [{ purpose: 'media' }],
    redirects: 'well', // axios takes the Host out
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
    // Media goes through got, which sets the Host of each hop. Before Misskey 13, objects went
    // through node-fetch, which keeps the old one.
    redirects: 'well',
    source:
      'MisskeyIO/misskey: packages/backend/src/{config.ts,core/DownloadService.ts,server/api/endpoints/i/update.ts}',
  };
}
