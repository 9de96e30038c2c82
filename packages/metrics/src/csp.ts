/** What csp tells. */
import type { ProxyRequest } from '@headgate/core';
import type { Meters } from './meters.ts';

/** What is read of a `CspEvent`. */
export type CspMessage =
  | { readonly kind: 'edit'; readonly request: ProxyRequest; readonly place: string }
  | {
      readonly kind: 'doubt';
      readonly request: ProxyRequest;
      readonly place: string;
      readonly reason: string;
    }
  | {
      readonly kind: 'violation';
      readonly request: ProxyRequest;
      readonly directive: string;
      readonly host: string;
      readonly disposition: string;
    };

/** Makes the metrics `headgate_csp_*`. */
export function cspMeters({ counter, listen }: Meters): void {
  const edits = counter('headgate_csp_edits_total', 'Responses that left with another policy.', [
    'site',
    'place',
  ]);
  const doubts = counter(
    'headgate_csp_doubts_total',
    'Policies that were left as they are, or a part of them, by why.',
    ['site', 'place', 'reason'],
  );
  const violations = counter(
    'headgate_csp_violations_total',
    'What browsers reported as blocked; host is one that was configured, or other.',
    ['site', 'directive', 'host', 'disposition'],
  );
  listen<CspMessage>('headgate:csp', (message) => {
    const { site } = message.request;
    if (message.kind === 'edit') edits.inc({ site, place: message.place });
    else if (message.kind === 'doubt') {
      const { place, reason } = message;
      doubts.inc({ site, place, reason });
    } else {
      const { directive, host, disposition } = message;
      violations.inc({ site, directive, host, disposition });
    }
  });
}
