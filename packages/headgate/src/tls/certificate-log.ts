/** Logs which certificates are in use, and until when they are good. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Logger } from 'pino';
import { CERTIFICATE_CHANNEL, type CertificateLoaded } from './certificates.ts';

/** Begins to log; returns what ends it. */
export function certificateLog(log: Pick<Logger, 'info'>): () => void {
  const listener = (message: unknown) => {
    const { names, notAfter } = message as CertificateLoaded;
    log.info({ names, notAfter: new Date(notAfter).toISOString() }, 'certificate loaded');
  };
  subscribe(CERTIFICATE_CHANNEL, listener);
  return () => unsubscribe(CERTIFICATE_CHANNEL, listener);
}
