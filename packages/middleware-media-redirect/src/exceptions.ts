/** Who is served although there is a rule: those whom the redirect would break. */
import { field, type ProxyRequest } from '@headgate/core';
import type { Classification } from '@headgate/fedi-agents';
import { hostOf } from './host.ts';
import type { Settings } from './options.ts';
import type { Match } from './target.ts';

/**
 * Why a request was served and not redirected.
 *
 * - `origin-pull`: the CDN fills itself.
 * - `target`: what would be the Location could be read as another place.
 * - `own-host`: the Location would be on the host that was asked.
 * - `activitypub`: an object was asked for, not a file.
 * - `old-host`: the software sends the old Host to where it is redirected.
 * - `client`: the client is listed in `serveTo`.
 * - `signed`: the request is signed, and its software not known to follow redirects well.
 * - `loop`: the CDN sends people back here.
 * - `down`: the CDN fails its health check.
 */
export type Reason =
  | 'origin-pull'
  | 'target'
  | 'own-host'
  | 'activitypub'
  | 'old-host'
  | 'client'
  | 'signed'
  | 'loop'
  | 'down';

/** Makes the function that tells why a request must be served, or nothing. Of a CDN's state it knows nothing. */
export function exceptions({ plume, signed, serveTo }: Settings) {
  return (
    request: ProxyRequest,
    { cdnHost }: Match,
    { purpose, redirects }: Classification,
  ): Reason | undefined => {
    const { headers } = request;
    const userAgent = field(headers, 'user-agent') ?? '';
    const isSigned =
      field(headers, 'signature') !== undefined || field(headers, 'signature-input') !== undefined;
    if (cdnHost === hostOf(field(headers, 'host') ?? '')) return 'own-host';
    if (purpose === 'activitypub') return 'activitypub';
    if (serveTo.some((beginning) => userAgent.startsWith(beginning))) return 'client';
    if (redirects === 'old-host') return plume === 'serve' ? 'old-host' : undefined;
    if (isSigned && signed === 'serve' && redirects !== 'well') return 'signed';
    return undefined;
  };
}

/** The fields that the choice between redirecting and serving depends on. */
export function choiceFields({ plume, signed, serveTo }: Settings): string[] {
  const isSignedServed = signed === 'serve';
  return [
    ...(plume === 'serve' || isSignedServed || serveTo.length > 0 ? ['User-Agent'] : []),
    ...(isSignedServed ? ['Signature', 'Signature-Input'] : []),
  ];
}
