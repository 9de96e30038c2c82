/** What the keys of one fedicache begin with. */
import { createHash } from 'node:crypto';
import type { Settings } from './options.ts';

/** Changes when entries or renderings do, so that nobody reads what an older Headgate kept. */
const VERSION = 3;

/**
 * What the keys begin with: a URL follows, so that a prefix of URLs is a prefix of keys. It stands for
 * the options that shape a rendering; under others there are other keys.
 */
export function keyPrefix(settings: Settings): string {
  const { keep, maxScan, maxPage, respect, userAgent, acceptLanguage } = settings;
  const shaping = JSON.stringify([
    VERSION,
    keep,
    maxScan,
    maxPage,
    respect,
    userAgent,
    acceptLanguage,
  ]);
  const fingerprint = createHash('sha256').update(shaping).digest('base64url').slice(0, 6);
  return `preview-${fingerprint} GET `;
}
