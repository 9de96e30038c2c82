/** Tables, one row a request: what it is, what it looks like, and what must be told of it. */
import t from 'tap';
import { AGENTS, type Agent, classifier, classify, PREVIEW_BOTS } from '../src/index.ts';

type Fields = Readonly<Record<string, string | readonly string[] | undefined>>;
/** Name, `METHOD target`, header fields, and `family purpose`, with ` trim` where that is allowed. */
type Row = readonly [name: string, line: string, headers: Fields, told: string];

const MASTODON = 'Mastodon/4.7.0 (http.rb/5.3.1; +https://mastodon.example/)';
const OLD_MASTODON = 'http.rb/5.1.1 (Mastodon/4.2.8; +https://mastodon.example/)';
const AKKOMA = 'Akkoma 3.16.0-0-gabcdef; https://akkoma.example <admin@akkoma.example>';
const PLEROMA = 'Pleroma 2.7.0; https://pleroma.example <admin@pleroma.example>';
const MISSKEY = 'Misskey/2025.4.1 (https://misskey.example)';
const SUMMALY = 'SummalyBot/5.4.0';
const LEMMY = 'Lemmy/0.19.5; +https://lemmy.example';
const PIEFED = 'PieFed/1.6.18; +https://piefed.example';
const GOTOSOCIAL = 'gotosocial/0.20.0 (+https://gts.example)';
const CARDYB = 'Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const BROWSER_ACCEPT = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
const AS2 = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"';
const LD_AND_AS2 = `${AS2}, application/activity+json`;

const friendica = (request: string) =>
  `Friendica/2024.09-dev DatabaseVersion/1573 Request/${request}/1 +https://friendica.example`;
const ua = (userAgent: string | readonly string[], accept?: string): Fields => ({
  'user-agent': userAgent,
  ...(accept === undefined ? {} : { accept }),
});

const PAGES: readonly Row[] = [
  ['Mastodon', 'GET /post', ua(`${MASTODON} Bot`, 'text/html'), 'mastodon preview trim'],
  ['Mastodon 4.2', 'GET /post', ua(`${OLD_MASTODON} Bot`, 'text/html'), 'mastodon preview trim'],
  [
    'glitch-soc',
    'GET /post?utm=1',
    ua('Mastodon/4.7.0-alpha.2+glitch (http.rb/5.3.1; +https://g.example/) Bot', 'text/html'),
    'mastodon preview trim',
  ],
  ['Mastodon HEAD', 'HEAD /post', ua(`${MASTODON} Bot`, 'text/html'), 'mastodon preview trim'],
  ['Mastodon rel=me', 'GET /', ua(MASTODON, 'text/html'), 'mastodon link-verification trim'],
  [
    'Mastodon 4.2 rel=me',
    'GET /',
    ua(OLD_MASTODON, 'text/html'),
    'mastodon link-verification trim',
  ],
  [
    'Mastodon 1.5 preview',
    'GET /post',
    ua('http.rb/2.2.2 (Mastodon/1.5.0; +https://mstdn.io/)', 'text/html'),
    'mastodon link-verification trim',
  ],
  ['Misskey', 'GET /post', ua(SUMMALY, 'text/html,application/xhtml+xml'), 'summaly preview trim'],
  [
    'summaly HEAD',
    'HEAD /post',
    ua(SUMMALY, 'text/html,application/xhtml+xml'),
    'summaly preview trim',
  ],
  [
    'summaly with its address',
    'GET /post',
    ua(`${SUMMALY} (+https://github.com/)`, 'text/html'),
    'summaly preview trim',
  ],
  ['Akkoma, two lines', 'GET /post', ua([AKKOMA, `${AKKOMA}; Bot`]), 'akkoma preview trim'],
  ['Akkoma HEAD', 'HEAD /post', ua([AKKOMA, `${AKKOMA}; Bot`]), 'akkoma preview trim'],
  ['Akkoma, two lines joined', 'GET /post', ua(`${AKKOMA}, ${AKKOMA}; Bot`), 'akkoma preview trim'],
  ['Akkoma rel=me', 'GET /about', ua(AKKOMA), 'akkoma link-verification trim'],
  ['Akkoma favicon scrape', 'GET /', ua(AKKOMA, 'text/html'), 'akkoma preview trim'],
  ['Pleroma', 'GET /post', ua(`${PLEROMA}; Bot`), 'pleroma preview trim'],
  ['Pleroma HEAD', 'HEAD /post', ua(`${PLEROMA}; Bot`), 'pleroma preview trim'],
  ['Pleroma rel=me', 'GET /', ua(PLEROMA), 'pleroma link-verification trim'],
  ['Pleroma favicon scrape', 'GET /', ua(PLEROMA, 'text/html'), 'pleroma preview trim'],
  ['Lemmy', 'GET /post', { ...ua(LEMMY, '*/*'), range: 'bytes=0-1048575' }, 'lemmy preview trim'],
  ['PieFed', 'GET /post', ua(PIEFED, '*/*'), 'piefed preview trim'],
  [
    'Friendica HEAD',
    'HEAD /post',
    ua(friendica('ContentTypeChecker'), '*/*'),
    'friendica preview trim',
  ],
  ['Friendica', 'GET /post', ua(friendica('SiteInfo'), BROWSER_ACCEPT), 'friendica preview trim'],
  [
    'Mobilizon',
    'GET /post',
    ua('Mobilizon 5.1.0; https://mob.example <m@mob.example>'),
    'mobilizon preview trim',
  ],
  ['snac', 'GET /', ua('snac/2.77 (link verify)', 'text/html'), 'snac link-verification trim'],
];

const SAME_SOFTWARE: readonly Row[] = [
  ['Mastodon HEAD of a rel=me target', 'HEAD /@a', ua(MASTODON), 'mastodon link-verification'],
  ['Mastodon media', 'GET /picture', ua(MASTODON), 'mastodon media'],
  ['Mastodon media by path', 'GET /system/a/1', ua(MASTODON), 'mastodon media'],
  [
    'Mastodon object',
    'GET /users/a',
    ua(MASTODON, 'application/activity+json, application/ld+json'),
    'mastodon activitypub',
  ],
  [
    'Mastodon search',
    'GET /@a/1',
    ua(MASTODON, `${LD_AND_AS2}, text/html;q=0.1`),
    'mastodon activitypub',
  ],
  [
    'Mastodon search, signed',
    'GET /@a/1',
    { ...ua(MASTODON, `${LD_AND_AS2}, text/html;q=0.1`), signature: 'keyId="k"' },
    'mastodon activitypub',
  ],
  [
    'Mastodon JSON-LD context',
    'GET /ns',
    ua(MASTODON, 'application/ld+json'),
    'mastodon activitypub',
  ],
  [
    'Mastodon WebFinger',
    'GET /.well-known/webfinger?resource=acct:a@b',
    ua(MASTODON, 'application/jrd+json, application/json'),
    'mastodon activitypub',
  ],
  [
    'Mastodon host-meta',
    'GET /.well-known/host-meta',
    ua(MASTODON, 'application/xrd+xml, application/xml, text/xml'),
    'mastodon activitypub',
  ],
  [
    'Mastodon inbox',
    'POST /inbox',
    { ...ua(MASTODON), signature: 'keyId="k"' },
    'mastodon activitypub',
  ],
  [
    'Mastodon oEmbed of WordPress',
    'GET /wp-json/oembed/1.0/embed?url=x',
    ua(MASTODON),
    'mastodon other',
  ],
  ['Mastodon, an Accept it never sends', 'GET /', ua(MASTODON, 'text/html, */*'), 'mastodon other'],
  [
    'Mastodon preview, an Accept it never sends',
    'GET /',
    ua(`${MASTODON} Bot`, '*/*'),
    'mastodon other',
  ],
  ['Mastodon preview without Accept', 'GET /', ua(`${MASTODON} Bot`), 'mastodon other'],
  ['summaly, an Accept it never sends', 'GET /', ua(SUMMALY, '*/*'), 'summaly other'],
  ['summaly, HTML not first', 'GET /', ua(SUMMALY, '*/*, text/html'), 'summaly other'],
  ['summaly, something like HTML', 'GET /', ua(SUMMALY, 'text/html-x'), 'summaly other'],
  [
    'Akkoma object, two Accept lines',
    'GET /objects/1',
    { 'user-agent': AKKOMA, accept: [AS2, 'application/activity+json'] },
    'akkoma activitypub',
  ],
  ['Akkoma NodeInfo', 'GET /nodeinfo/2.0', ua(AKKOMA, 'application/json'), 'akkoma activitypub'],
  ['Akkoma plain with another Accept', 'GET /', ua(AKKOMA, '*/*'), 'akkoma other'],
  ["Akkoma, someone else's second line", 'GET /', ua([AKKOMA, 'X; Bot'], '*/*'), 'akkoma other'],
  [
    'Pleroma object',
    'GET /objects/1',
    ua(PLEROMA, 'application/activity+json'),
    'pleroma activitypub',
  ],
  ['Pleroma media', 'GET /media/ab.png', ua(PLEROMA), 'pleroma media'],
  ['Lemmy object', 'GET /post/1', ua(LEMMY, 'application/activity+json'), 'lemmy activitypub'],
  ['Lemmy media', 'GET /picture', ua(LEMMY, '*/*'), 'lemmy media'],
  [
    'Lemmy preview of a picture',
    'GET /a/picture.PNG',
    { ...ua(LEMMY, '*/*'), range: 'bytes=0-1048575' },
    'lemmy media',
  ],
  ['Lemmy, another range', 'GET /post', { ...ua(LEMMY, '*/*'), range: 'bytes=5-' }, 'lemmy media'],
  [
    'Lemmy HEAD with a range',
    'HEAD /post',
    { ...ua(LEMMY, '*/*'), range: 'bytes=0-' },
    'lemmy media',
  ],
  ['Lemmy range without Accept', 'GET /post', { ...ua(LEMMY), range: 'bytes=0-' }, 'lemmy other'],
  ['PieFed object', 'GET /post/1', ua(PIEFED, 'application/ld+json'), 'piefed activitypub'],
  ['PieFed without Accept', 'GET /post/1', ua(PIEFED), 'piefed other'],
  [
    'Friendica rel=me',
    'GET /',
    ua(friendica('ContactVerifier'), BROWSER_ACCEPT),
    'friendica link-verification',
  ],
  ['Friendica probe', 'GET /@a', ua(friendica('ContactInfo'), BROWSER_ACCEPT), 'friendica other'],
  [
    'Friendica server probe',
    'GET /',
    ua(friendica('ServerInfo'), BROWSER_ACCEPT),
    'friendica other',
  ],
  [
    'Friendica object',
    'GET /@a',
    ua(friendica('ActivityPub'), `application/activity+json, ${AS2}`),
    'friendica activitypub',
  ],
  [
    'Friendica media proxy',
    'GET /picture',
    ua(friendica('MediaProxy'), 'image/webp,*/*;q=0.8'),
    'friendica media',
  ],
  [
    'Friendica media check',
    'HEAD /picture',
    ua(friendica('MediaVerifier'), '*/*'),
    'friendica media',
  ],
  [
    'Friendica 2023',
    'GET /',
    ua("Friendica 'Giant Rhubarb' 2023.05-1518; https://f.example", BROWSER_ACCEPT),
    'friendica other',
  ],
  [
    'Mobilizon with Accept',
    'GET /',
    ua('Mobilizon 5.1.0; https://mob.example', '*/*'),
    'mobilizon other',
  ],
  [
    'Mobilizon object',
    'GET /e',
    ua('Mobilizon 5.1.0; https://mob.example', 'application/activity+json'),
    'mobilizon activitypub',
  ],
  [
    'Mobilizon favicon',
    'HEAD /favicon.ico',
    ua('Mobilizon 5.1.0; https://mob.example'),
    'mobilizon media',
  ],
  [
    'snac object',
    'GET /a',
    ua('snac/2.77; +https://snac.example/', 'application/activity+json'),
    'snac activitypub',
  ],
  ['snac otherwise', 'GET /a', ua('snac/2.77; +https://snac.example/', 'text/html'), 'snac other'],
];

const WHOLE_PAGES: readonly Row[] = [
  [
    'Misskey link verification',
    'GET /',
    ua(MISSKEY, 'text/html, */*'),
    'misskey link-verification',
  ],
  [
    'Misskey object',
    'GET /users/1',
    ua(MISSKEY, `application/activity+json, ${AS2}`),
    'misskey activitypub',
  ],
  ['Misskey media', 'GET /picture', ua(MISSKEY), 'misskey media'],
  [
    'Misskey NodeInfo',
    'GET /.well-known/nodeinfo',
    ua(MISSKEY, 'application/json, */*'),
    'misskey activitypub',
  ],
  ['Misskey manifest', 'GET /manifest.json', ua(MISSKEY, 'application/json, */*'), 'misskey other'],
  [
    'CherryPick',
    'GET /',
    ua('CherryPick/4.17.0 (https://c.example)', 'text/html, */*'),
    'cherrypick link-verification',
  ],
  [
    'Sharkey',
    'GET /',
    ua('Sharkey/2025.2 (https://s.example)', 'text/html, */*'),
    'sharkey link-verification',
  ],
  [
    'Firefish',
    'GET /',
    ua('Firefish/1.0 (https://f.example)', 'text/html, */*'),
    'firefish link-verification',
  ],
  [
    'Calckey',
    'GET /',
    ua('Calckey/13 (https://c.example)', 'text/html, */*'),
    'calckey link-verification',
  ],
  [
    'Iceshrimp',
    'GET /',
    ua('Iceshrimp/2023 (https://i.example)', 'text/html, */*'),
    'iceshrimp link-verification',
  ],
  [
    'FoundKey',
    'GET /',
    ua('FoundKey/13 (https://f.example)', 'text/html, */*'),
    'foundkey link-verification',
  ],
  [
    'Iceshrimp.NET',
    'GET /u/1',
    ua('Iceshrimp.NET/2025.1 (+https://i.example/)', LD_AND_AS2),
    'iceshrimp-net activitypub',
  ],
  [
    'BookWyrm',
    'GET /user/a',
    ua(
      'BookWyrm (BookWyrm/0.8; +https://b.example)',
      `application/json, application/activity+json, ${AS2}`,
    ),
    'bookwyrm activitypub',
  ],
  [
    'BookWyrm media',
    'GET /picture',
    ua('BookWyrm (BookWyrm/0.8; +https://b.example)', '*/*'),
    'bookwyrm media',
  ],
  ['Bridgy Fed', 'GET /', ua('Bridgy Fed (https://fed.brid.gy/)', '*/*'), 'bridgy-fed other'],
  [
    'Bridgy Fed object',
    'GET /a',
    ua('Bridgy Fed (https://fed.brid.gy/)', `${LD_AND_AS2}, text/html; charset=utf-8; q=0.5`),
    'bridgy-fed activitypub',
  ],
  ['Discourse', 'GET /post', ua('Discourse Forum Onebox v3.2.0', '*/*'), 'discourse preview'],
  [
    'Funkwhale',
    'GET /a',
    ua('python-requests (funkwhale/1.4; +https://f.example)', 'application/activity+json'),
    'funkwhale activitypub',
  ],
  [
    'GoToSocial object',
    'GET /a',
    { ...ua(GOTOSOCIAL, `${AS2},application/activity+json`), signature: 'k' },
    'gotosocial activitypub',
  ],
  [
    'GoToSocial media, signed',
    'GET /picture',
    { ...ua(GOTOSOCIAL, '*/*'), signature: 'k' },
    'gotosocial media',
  ],
  [
    'GoToSocial host-meta',
    'GET /.well-known/host-meta',
    { 'user-agent': GOTOSOCIAL, accept: ['application/xml', 'application/xrd+xml'] },
    'gotosocial activitypub',
  ],
  ['GoToSocial robots', 'GET /robots.txt', ua(GOTOSOCIAL, 'text/plain'), 'gotosocial other'],
  [
    'Hollo',
    'GET /a',
    ua('Hollo/0.6.0 (Fedify/1.8.1; Node.js/v24; +https://h.example/)', LD_AND_AS2),
    'hollo activitypub',
  ],
  [
    'Fedify',
    'GET /a',
    ua('Fedify/2.0 (Node.js/22; +https://f.example)', LD_AND_AS2),
    'fedify activitypub',
  ],
  [
    'Ghost',
    'GET /a',
    ua('Ghost/1 (Fedify/2; Node.js/22; +https://g.example)', LD_AND_AS2),
    'fedify activitypub',
  ],
  ['Hubzilla', 'GET /post', ua('Mozilla/5.0 (compatible; zot)', '*/*'), 'hubzilla preview'],
  [
    'Mbin object',
    'GET /a',
    ua('Mbin/1.10.1 (+https://mbin.example/agent)', 'application/activity+json'),
    'mbin activitypub',
  ],
  [
    'Mbin preview, looks like Firefox',
    'GET /post',
    ua('Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:73.0) Gecko/20100101 Firefox/73.0', '*/*'),
    'other other',
  ],
  ['Mitra', 'GET /a', ua('Mitra 4.1; https://m.example', LD_AND_AS2), 'mitra activitypub'],
  ['NodeBB', 'GET /a', ua('NodeBB/4.0 (https://n.example)', LD_AND_AS2), 'nodebb activitypub'],
  [
    'PeerTube',
    'GET /a',
    ua('PeerTube/6.3 (+https://p.example)', LD_AND_AS2),
    'peertube activitypub',
  ],
  [
    'Pixelfed',
    'GET /a',
    ua('(Pixelfed/0.12; +https://p.example)', LD_AND_AS2),
    'pixelfed activitypub',
  ],
  [
    'PixelFedBot',
    'GET /a',
    ua('PixelFedBot/1.0.0 (Pixelfed/0.12; +https://p.example)', LD_AND_AS2),
    'pixelfed activitypub',
  ],
  [
    'PixelfedBot',
    'GET /a',
    ua('PixelfedBot v0.1 - https://pixelfed.org', LD_AND_AS2),
    'pixelfed activitypub',
  ],
  ['Plume object', 'GET /~/b/a', ua('Plume/0.7.2', LD_AND_AS2), 'plume activitypub'],
  [
    'Plume cover, ActivityPub types',
    'GET /static/media/a',
    { ...ua('Plume/0.7.2', LD_AND_AS2), signature: 'k' },
    'plume media',
  ],
  [
    'Plume cover elsewhere',
    'GET /f/a.webp?v=1',
    { ...ua('Plume/0.7.2', LD_AND_AS2), signature: 'k' },
    'plume media',
  ],
  [
    'Takahe',
    'GET /a',
    ua('python-httpx/0.27 (Takahe/0.11; +https://t.example/)', LD_AND_AS2),
    'takahe activitypub',
  ],
  ['wafrn media', 'GET /picture', ua('wafrnCacher', '*/*'), 'wafrn media'],
  ['wafrn preview, a bare URL', 'GET /post', ua('https://wafrn.example', '*/*'), 'other other'],
  [
    'WordPress',
    'GET /a',
    ua('WordPress/6.8; https://w.example; ActivityPub', LD_AND_AS2),
    'wordpress activitypub',
  ],
  [
    'WriteFreely',
    'GET /a',
    ua('Go (WriteFreely/0.15; +https://w.example)', LD_AND_AS2),
    'writefreely activitypub',
  ],
  ['Bluesky', 'GET /post', ua(CARDYB, 'text/html'), 'cardyb preview'],
  [
    'Facebook',
    'GET /post',
    ua('facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)', '*/*'),
    'facebook preview',
  ],
  ['Twitter', 'GET /post', ua('Twitterbot/1.0', '*/*'), 'twitter preview'],
  [
    'Discord',
    'GET /post',
    ua('Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)'),
    'discord preview',
  ],
  ['Telegram', 'GET /post', ua('TelegramBot (like TwitterBot)', '*/*'), 'telegram preview'],
  [
    'Slack',
    'GET /post',
    ua('Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)', '*/*'),
    'slack preview',
  ],
  [
    'LinkedIn',
    'GET /post',
    ua('LinkedInBot/1.0 (compatible; Mozilla/5.0)', '*/*'),
    'linkedin preview',
  ],
  ['WhatsApp', 'GET /post', ua('WhatsApp/2.23.20.0', '*/*'), 'whatsapp preview'],
];

const STRANGERS: readonly Row[] = [
  ['a browser', 'GET /post', ua(FIREFOX, BROWSER_ACCEPT), 'other other'],
  [
    'a browser for an image',
    'GET /picture',
    ua(FIREFOX, 'image/avif,image/webp,*/*'),
    'other media',
  ],
  [
    'a browser for a video',
    'GET /clip',
    ua(FIREFOX, 'video/webm,video/ogg;q=0.9,*/*;q=0.5'),
    'other media',
  ],
  ['a browser for a sound', 'GET /song', ua(FIREFOX, ' Audio/webm,*/*;q=0.5'), 'other media'],
  ['a script for JSON', 'GET /post', ua(FIREFOX, 'application/json, */*'), 'other other'],
  [
    'a stranger for an object',
    'GET /@a',
    ua('curl/8.5.0', 'Application/Activity+JSON'),
    'other activitypub',
  ],
  ['a stranger for XRD', 'GET /lrdd', ua('curl/8.5.0', 'application/xrd+xml'), 'other activitypub'],
  [
    'a stranger for JRD',
    'GET /lrdd',
    ua('curl/8.5.0', 'application/jrd+json'),
    'other activitypub',
  ],
  ['a stranger, signed', 'GET /@a', { ...ua('curl/8.5.0', '*/*'), signature: 'k' }, 'other other'],
  ['nobody', 'GET /', {}, 'other other'],
  ['an empty User-Agent', 'GET /', ua('', 'text/html'), 'other other'],
  ['a form', 'POST /auth/sign_in', ua(FIREFOX, BROWSER_ACCEPT), 'other other'],
  ['the Android app', 'GET /', ua('MastodonAndroid/2.5.1', 'text/html'), 'other other'],
  [
    'the iOS app',
    'GET /',
    ua('Mastodon/210 CFNetwork/1408.0.4 Darwin/22.5.0', 'text/html'),
    'other other',
  ],
  ['a web view', 'GET /', ua(`${FIREFOX} ${MASTODON} Bot`, 'text/html'), 'other other'],
  ['an update checker', 'GET /', ua('Mastodon update checker', 'text/html'), 'other other'],
  [
    'http.rb of another',
    'GET /',
    ua('http.rb/5.1.1 (Foo/1; +https://Mastodon/) Bot', 'text/html'),
    'other other',
  ],
  [
    'Pleroma in a host',
    'GET /',
    ua('Foo/1 (+https://pleroma.example) Pleroma 2; Bot'),
    'other other',
  ],
  ['Akkoma without version', 'GET /', ua('AkkomaCrawler; Bot'), 'other other'],
  [
    'Lemmy in a comment',
    'GET /',
    { ...ua('Foo (Lemmy/0.19; +https://l.example)', '*/*'), range: 'bytes=0-' },
    'other other',
  ],
  [
    'a Lemmy app',
    'GET /',
    { ...ua('Lemmy/1.0 (iPhone)', '*/*'), range: 'bytes=0-' },
    'other other',
  ],
  ['PieFed without address', 'GET /', ua('PieFed/1', '*/*'), 'other other'],
  [
    'FriendicaMobile',
    'GET /',
    ua('FriendicaMobile Request/SiteInfo/1 +https://f.example', '*/*'),
    'other other',
  ],
  ['Mobilizon in a word', 'GET /', ua('Mobilizon-Importer 1'), 'other other'],
  ['snac in a word', 'GET /', ua('esnac/2.77 (link verify)', 'text/html'), 'other other'],
  ['Summaly in a comment', 'GET /', ua('Foo SummalyBot/5', 'text/html'), 'other other'],
  ['Misskey in a comment', 'GET /', ua('Foo Misskey/13', 'text/html, */*'), 'other other'],
  [
    'iMessage as Facebook',
    'GET /',
    ua(`${FIREFOX} facebookexternalhit/1.1 Facebot Twitterbot/1.0`),
    'other other',
  ],
  ['another zot', 'GET /', ua('Mozilla/5.0 (compatible; zot) X', '*/*'), 'other other'],
  ['undici', 'GET /', ua('undici', 'text/html'), 'other other'],
  ['node', 'GET /', ua('node', '*/*'), 'other other'],
  ['got', 'GET /', ua('got (https://github.com/sindresorhus/got)', '*/*'), 'other other'],
  ['axios', 'GET /', ua('axios/1.7.2', 'text/html, text/calendar'), 'other other'],
  ['requests', 'GET /', ua('python-requests/2.32.3', '*/*'), 'other other'],
  ['Go', 'GET /', ua('Go-http-client/2.0'), 'other other'],
];

const BOT = ua(`${MASTODON} Bot`, 'text/html');

const GUARDS: readonly Row[] = [
  ['nothing in the way', 'GET /post', BOT, 'mastodon preview trim'],
  ['Authorization', 'GET /post', { ...BOT, authorization: 'Bearer x' }, 'mastodon preview'],
  ['Cookie', 'GET /post', { ...BOT, cookie: 'a=b' }, 'mastodon preview'],
  ['an empty Cookie', 'GET /post', { ...BOT, cookie: '' }, 'mastodon preview'],
  ['Signature', 'GET /post', { ...BOT, signature: 'k' }, 'mastodon other'],
  ['Signature-Input', 'GET /post', { ...BOT, 'signature-input': 'k' }, 'mastodon other'],
  [
    'a signed verification',
    'GET /',
    { ...ua(MASTODON, 'text/html'), signature: 'k' },
    'mastodon other',
  ],
  ['a signed Pleroma', 'GET /', { ...ua(PLEROMA), signature: 'k' }, 'pleroma other'],
  ['a signed PieFed', 'GET /', { ...ua(PIEFED, '*/*'), signature: 'k' }, 'piefed other'],
  ['POST', 'POST /post', BOT, 'mastodon other'],
  ['OPTIONS', 'OPTIONS /post', BOT, 'mastodon other'],
  ['a method in lower case', 'get /post', BOT, 'mastodon other'],
  ['POST to a media path', 'POST /media/a.png', BOT, 'mastodon other'],
  [
    'fields that are absent',
    'GET /post',
    { ...BOT, cookie: undefined, signature: [] },
    'mastodon preview trim',
  ],
  ...[
    'application/json',
    'application/feed+json',
    'application/json+oembed',
    'text/xml+oembed',
    'application/rss+xml',
    'application/atom+xml',
    'application/rdf+xml',
    'APPLICATION/JSON;q=0.1',
  ].map(
    (type): Row => [
      `Accept with ${type}`,
      'GET /post',
      // Pleroma's preview names no Accept of its own, so the type is all that stands in the way.
      ua(`${PLEROMA}; Bot`, `text/html, ${type}`),
      'pleroma other',
    ],
  ),
  ...[
    'application/activity+json',
    'application/ld+json',
    'application/jrd+json',
    'application/xrd+xml',
    `text/html;x="a,b", ${AS2}`,
    'text/html;x="a\\",b", application/activity+json',
    'text/html;x="never closed, application/activity+json',
    ',, ,application/activity+json',
  ].map(
    (accept): Row => [
      `Accept: ${accept}`,
      'GET /post',
      ua(`${PLEROMA}; Bot`, accept),
      'pleroma activitypub',
    ],
  ),
  ['an image first', 'GET /post', ua(`${PLEROMA}; Bot`, 'image/png, text/html'), 'pleroma media'],
  [
    'an image later',
    'GET /post',
    ua(`${PLEROMA}; Bot`, 'text/html, image/png'),
    'pleroma preview trim',
  ],
  [
    'a type inside quotes',
    'GET /post',
    ua(`${PLEROMA}; Bot`, 'text/html;x="a, application/activity+json"'),
    'pleroma preview trim',
  ],
  [
    'a type inside quotes after \\"',
    'GET /post',
    ua(`${PLEROMA}; Bot`, 'text/html;x="\\", application/json"'),
    'pleroma preview trim',
  ],
  [
    'a type in a parameter',
    'GET /post',
    ua(`${PLEROMA}; Bot`, 'text/html;x=application/json'),
    'pleroma preview trim',
  ],
  [
    'Accept in capitals',
    'GET /post',
    ua(`${MASTODON} Bot`, ' Text/HTML ;q=1'),
    'mastodon preview trim',
  ],
  ['Accept empty', 'GET /post', ua(PLEROMA, ''), 'pleroma link-verification trim'],
];

const PATHS: readonly (readonly [target: string, purpose: string])[] = [
  ...[
    '/',
    '/post?a=/api/b.png',
    '/post.html',
    '/index.php',
    '/@alice@other.example',
    '/inboxes',
    '/apis',
    '/nodeinfos',
    '/oembeds',
    '/feedback',
    '/a.b/c',
    '/blog/staticfiles',
    '/blog/static/',
    '/main.ts',
    '/%61pi/v1',
    '/API/v1',
    '//api/v1',
    '/a%2Epng',
    '/a.webmanifestx',
  ].map((target) => [target, 'preview trim'] as const),
  ...[
    '/inbox',
    '/outbox?page=1',
    '/users/alice/inbox',
    '/users/alice/outbox',
    '/inbox/alice',
    '/.well-known/webfinger?resource=acct:a@b',
    '/.well-known/host-meta',
    '/.well-known/nodeinfo',
    '/nodeinfo',
    '/nodeinfo/2.0',
  ].map((target) => [target, 'activitypub'] as const),
  ...[
    '/.well-known/change-password',
    '/api',
    '/api/v1/media.png',
    '/wp-json/wp/v2/posts',
    '/wp-json/oembed/1.0/embed?url=x',
    '/services/oembed',
    '/services/oembed/?url=x',
    '/oembed.json?url=x',
    '/manifest.json',
    '/site.webmanifest',
    '/robots.txt',
    '/feed',
    '/feed/',
    '/post/feed/',
    '/feed/atom/',
    '/rss',
    '/@alice.rss',
    '/~/blog/atom.xml',
    '/a.ATOM',
    '/index.rdf',
    '/events.ics',
    '/context.jsonld',
    '/sitemap.xml',
  ].map((target) => [target, 'other'] as const),
  ...[
    '/favicon.ico',
    '/a/b.JPG?size=1',
    '/a.mp4',
    '/a.opus',
    '/assets/x',
    '/fileserver/x',
    '/files/x',
    '/lazy-static/x',
    '/media/x',
    '/packs/x',
    '/pictrs/x',
    '/static/x',
    '/storage/x',
    '/system/x',
    '/uploads/x',
    '/wp-content/x',
  ].map((target) => [target, 'media'] as const),
];

const ROWS = [...PAGES, ...SAME_SOFTWARE, ...WHOLE_PAGES, ...STRANGERS, ...GUARDS];

function request(line: string, headers: Fields) {
  const space = line.indexOf(' ');
  const bare: Record<string, string | readonly string[] | undefined> = Object.create(null);
  return {
    method: line.slice(0, space),
    url: line.slice(space + 1),
    headers: Object.assign(bare, headers),
  };
}

function tell(line: string, headers: Fields, by = classify): string {
  const { family, purpose, mayTrim } = by(request(line, headers));
  return `${family} ${purpose}${mayTrim ? ' trim' : ''}`;
}

function check(title: string, rows: readonly Row[]): void {
  t.test(title, (t) => {
    for (const [name, line, headers, told] of rows) t.equal(tell(line, headers), told, name);
    t.end();
  });
}

check('classify knows previews and verifications that may be trimmed', PAGES);
check('classify tells what else the same software fetches', SAME_SOFTWARE);
check('classify leaves whole what reads whole pages', WHOLE_PAGES);
check('classify takes nobody for what he is not', STRANGERS);
check('classify lets no request in the way of a guard be trimmed', GUARDS);

t.test('classify reads the path as it was sent', (t) => {
  for (const [target, told] of PATHS)
    t.equal(tell(`GET ${target}`, BOT), `mastodon ${told}`, target);
  t.end();
});

t.test('classify reads own fields only', (t) => {
  const inherited = { method: 'GET', url: '/post', headers: Object.create(BOT) };
  t.strictSame(classify(inherited), { family: 'other', purpose: 'other', mayTrim: false });
  const plain = { method: 'GET', url: '/post', headers: { ...BOT } };
  t.equal(classify(plain).mayTrim, true, 'of an object with a prototype too');
  const asked: string[] = [];
  const headers = new Proxy(
    { ...BOT },
    { get: (of, name, self) => (asked.push(String(name)), Reflect.get(of, name, self)) },
  );
  classify({ method: 'GET', url: '/', headers });
  t.strictSame(asked.includes('constructor'), false);
  t.end();
});

t.test('classify takes a list of one as that one', (t) => {
  for (const [name, line, headers, told] of ROWS) {
    const lists: Record<string, readonly string[] | undefined> = {};
    for (const [key, value] of Object.entries(headers))
      lists[key] = typeof value === 'string' ? [value] : value;
    t.equal(tell(line, lists), told, name);
  }
  t.end();
});

t.test('classify gives the same answer twice', (t) => {
  for (const [name, line, headers] of ROWS) t.equal(tell(line, headers), tell(line, headers), name);
  t.end();
});
