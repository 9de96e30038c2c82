/** What people call a software. */

const NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'bridgy-fed': 'Bridgy Fed',
    'iceshrimp-net': 'Iceshrimp.NET',
    bookwyrm: 'BookWyrm',
    gotosocial: 'GoToSocial',
    nodebb: 'NodeBB',
    peertube: 'PeerTube',
    piefed: 'PieFed',
    summaly: 'Misskey (Summaly)',
    wordpress: 'WordPress',
    writefreely: 'WriteFreely',
  }),
);

/** The name behind a label such as `gotosocial`. */
export function softwareName(family: string): string {
  return NAMES.get(family) ?? family.charAt(0).toUpperCase() + family.slice(1);
}
