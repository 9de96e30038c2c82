/** The server that a User-Agent names. */

/** `(http.rb/5.3.1; +https://social.example/)`; Pleroma and Akkoma have no plus. */
const NAME =
  /(?:\+|; ?)https?:\/\/([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::\d{1,5})?(?=[/);,\s]|$)/i;

/** Characters that are looked at: no software that federates sends more. */
const LONGEST = 512;

/** The name of the server that sent a request, as it says itself: in lower case, without a port. */
export function serverName(userAgent: string): string | undefined {
  return NAME.exec(userAgent.slice(0, LONGEST))?.[1]?.toLowerCase();
}
