/** What the front edge reports: requests, their times and sizes, and what is under way. */
import { type Finished, type Middleware, STATUS_OF } from '@headgate/core';
import type { Tunnel } from '@headgate/core/upgrade';
import { BYTES, SECONDS } from './buckets.ts';
import { methodLabel, statusLabel } from './labels.ts';
import type { Meters } from './meters.ts';

/** The measuring points at a server's edge. */
export interface RequestMeters {
  /** The server's `finished`, or a part of it. */
  readonly finished: (exchange: Finished) => void;
  /**
   * Counts the requests in flight. Put it outermost, in front of the server's handler; each request
   * counts until `finished` is told of it.
   */
  readonly layer: Middleware;
  /** The same tunnel, whose open connections are counted. */
  readonly tunnel: (tunnel: Tunnel) => Tunnel;
}

const SWITCHED = 101;

/** Makes the metrics `headgate_http_*` and `headgate_tunnel*`. */
export function requestMeters({ counter, histogram, gauge }: Meters): RequestMeters {
  const requests = counter('headgate_http_requests_total', 'Requests that are over.', [
    'site',
    'method',
    'status',
  ]);
  const durations = histogram(
    'headgate_http_request_duration_seconds',
    "From a request's head to its response's last byte. WebSockets are left out.",
    ['site', 'status'],
    SECONDS,
  );
  const received = histogram(
    'headgate_http_request_size_bytes',
    'Bytes received for a request, with its head. WebSockets are left out.',
    ['site'],
    BYTES,
  );
  const sent = histogram(
    'headgate_http_response_size_bytes',
    "Bytes of a response's body as it was sent. WebSockets are left out.",
    ['site'],
    BYTES,
  );
  const errors = counter(
    'headgate_http_errors_total',
    'Requests that Headgate could not answer, or not to the end, by why.',
    ['site', 'code'],
  );
  const tunnelled = counter(
    'headgate_tunnel_bytes_total',
    'Bytes that closed WebSockets have carried.',
    ['site', 'direction'],
  );
  const inFlight = tally();
  const tunnels = tally();
  gauge('headgate_http_requests_in_flight', 'Requests under way.', ['site'], inFlight.show);
  gauge(
    'headgate_tunnels_open',
    'WebSockets that are open or being opened.',
    ['site'],
    tunnels.show,
  );
  const entered = new Map<string, string>();

  return {
    finished: ({ request, status, bytesIn, bytesOut, ms, error }) => {
      const { id, site, method } = request;
      const began = entered.get(id);
      if (began !== undefined) {
        entered.delete(id);
        inFlight.add(began, -1);
      }
      const statusClass = statusLabel(status);
      requests.inc({ site, method: methodLabel(method), status: statusClass });
      if (error) errors.inc({ site, code: codeOf(error) });
      if (status === SWITCHED) {
        tunnelled.inc({ site, direction: 'in' }, bytesIn);
        tunnelled.inc({ site, direction: 'out' }, bytesOut);
        return;
      }
      durations.observe({ site, status: statusClass }, ms / 1000);
      received.observe({ site }, bytesIn);
      sent.observe({ site }, bytesOut);
    },
    layer: (request, next) => {
      entered.set(request.id, request.site);
      inFlight.add(request.site, 1);
      return next(request);
    },
    tunnel: (tunnel) => (request, client, finished) => {
      tunnels.add(request.site, 1);
      tunnel(request, client, (outcome) => {
        tunnels.add(request.site, -1);
        finished(outcome);
      });
    },
  };
}

/** Numbers that change more often than anybody asks for them. */
function tally() {
  const counts = new Map<string, number>();
  return {
    add: (site: string, change: number) => {
      counts.set(site, (counts.get(site) ?? 0) + change);
    },
    show: (gauge: { set(labels: { site: string }, value: number): void }) => {
      for (const [site, count] of counts) gauge.set({ site }, count);
    },
  };
}

function codeOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  return Object.hasOwn(STATUS_OF, code) ? code : 'other';
}
