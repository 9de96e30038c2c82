/**
 * What a path alone tells. It is read as it was sent: a path that is spelled in another way, with
 * percent-encoded characters say, counts as a page's. That errs to the side that the caller's look
 * at the response's type makes up for; decoding here what the upstream might not would hide pages.
 */

/** What stands behind a path, as far as it tells; `page` is what it doesn't tell. */
export type PathKind = 'page' | 'activitypub' | 'media' | 'data';

/** Folders of uploaded media and static files, each of the software named. */
const MEDIA_FOLDERS = [
  '/assets/', // GoToSocial, Mastodon, Misskey
  '/fileserver/', // GoToSocial
  '/files/', // Misskey
  '/lazy-static/', // PeerTube
  '/media/', // Pleroma, Akkoma, Mbin
  '/packs/', // Mastodon
  '/pictrs/', // Lemmy
  '/static/', // Plume, PeerTube, Pleroma
  '/storage/', // Pixelfed
  '/system/', // Mastodon
  '/uploads/', // Discourse
  '/wp-content/', // WordPress
];

/** No `js`, `css` or `ts`: forges show pages under such names, and the folders above cover ours. */
const MEDIA_EXTENSIONS = new Set(
  (
    'apng avif bmp gif heic heif ico jfif jpe jpeg jpg jxl png svg tif tiff webp ' +
    'aac flac m4a mid mp3 oga ogg opus wav weba wma ' +
    'avi m3u8 m4v mkv mov mp4 mpeg mpg ogv webm'
  ).split(' '),
);

const DATA_EXTENSIONS = new Set('atom ics json jsonld rdf rss txt webmanifest xml'.split(' '));

const DISCOVERY = /^\/(?:\.well-known\/(?:host-meta|nodeinfo|webfinger)|nodeinfo(?:\/|$))/;
const BOX = /\/(?:in|out)box(?:\/|$)/;
const DATA_FOLDER = /^\/(?:\.well-known|api|wp-json)(?:\/|$)/;
const OEMBED = /\/oembed(?:[./]|$)/;
const FEED = /\/(?:atom|feed|rss)\/?$/;

/** Tells what stands behind a target, from its path. */
export function pathKind(url: string): PathKind {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  const extension = extensionOf(path);
  if (DISCOVERY.test(path) || BOX.test(path)) return 'activitypub';
  if (DATA_FOLDER.test(path) || OEMBED.test(path) || FEED.test(path)) return 'data';
  if (MEDIA_EXTENSIONS.has(extension)) return 'media';
  if (MEDIA_FOLDERS.some((folder) => path.startsWith(folder))) return 'media';
  return DATA_EXTENSIONS.has(extension) ? 'data' : 'page';
}

function extensionOf(path: string): string {
  const dot = path.lastIndexOf('.');
  // The longest extension that we know is `webmanifest`.
  if (dot < 0 || path.length - dot > 12) return '';
  return path.slice(dot + 1).toLowerCase();
}
