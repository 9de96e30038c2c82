/** Until when certificates are good. */
import type { Meters } from './meters.ts';

/** What is read of a message on `headgate:certificate`: a certificate was loaded. */
export interface CertificateMessage {
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** Makes the metric `headgate_certificate_expiry_timestamp_seconds`. */
export function certificateMeters({ gauge, listen }: Meters): void {
  const expiry = gauge(
    'headgate_certificate_expiry_timestamp_seconds',
    'When the certificate for a name expires, in seconds since the epoch.',
    ['name'],
  );
  listen<CertificateMessage>('headgate:certificate', ({ names, notAfter }) => {
    for (const name of names) expiry.set({ name }, notAfter / 1000);
  });
}
