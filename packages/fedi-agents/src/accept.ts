/** What a request accepts (RFC 9110 section 12.5.1), and what these types tell of its purpose. */

/** Types that only federating software asks for: objects, and the discovery before them. */
const FEDERATED = new Set([
  'application/activity+json',
  'application/ld+json',
  'application/jrd+json',
  'application/xrd+xml',
]);

const FEEDS = new Set(['application/atom+xml', 'application/rdf+xml', 'application/rss+xml']);

/** In every line with a type that `isFederated` knows, or with one first that `isMedia` knows. */
const TELLING = /json|xrd|^[ \t]*(?:audio|image|video)\//i;

/**
 * True for an Accept line that may tell the purpose of a request whose sender nobody knows. One look,
 * where parsing takes ten times as long: a browser asking for a page goes no further.
 */
export function isTelling(line: string): boolean {
  return TELLING.test(line);
}

/** Lists the media types of Accept lines in order, in lower case, without parameters. */
export function mediaTypes(lines: readonly string[]): string[] {
  const types: string[] = [];
  for (const line of lines) {
    for (const member of membersOf(line)) {
      const semicolon = member.indexOf(';');
      const type = (semicolon < 0 ? member : member.slice(0, semicolon)).trim().toLowerCase();
      if (type !== '') types.push(type);
    }
  }
  return types;
}

/** True for a type that ActivityPub or its discovery is asked for by. */
export function isFederated(type: string): boolean {
  return FEDERATED.has(type);
}

/** True for a type of data that no page is: JSON in any dress, oEmbed, feeds. */
export function isData(type: string): boolean {
  return type.endsWith('json') || type.endsWith('+oembed') || FEEDS.has(type);
}

/** True for the types that an image, a video or a sound is asked for by. */
export function isMedia(type: string): boolean {
  return type.startsWith('image/') || type.startsWith('video/') || type.startsWith('audio/');
}

/** Splits at the commas outside quotes: a profile parameter may hold commas and types. */
function membersOf(line: string): string[] {
  if (!line.includes('"')) return line.split(',');
  const members: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    if (char === '\\' && isQuoted) at++;
    else if (char === '"') isQuoted = !isQuoted;
    else if (char === ',' && !isQuoted) {
      members.push(line.slice(start, at));
      start = at + 1;
    }
  }
  // A quote that never ends must not hide what comes after it.
  if (isQuoted) return line.split(',');
  members.push(line.slice(start));
  return members;
}
