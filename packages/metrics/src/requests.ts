/** What the front edge reports: requests, their times and sizes, and what is under way. */
import { type Finished, type Middleware, type ProxyRequest, STATUS_OF } from '@headgate/core';
import type { Tunnel } from '@headgate/core/upgrade';
import { BYTES, SECONDS } from './buckets.ts';
import { methodLabel, statusLabel } from './labels.ts';
import type { Meters } from './meters.ts';
import { tally } from './tally.ts';

/** Tells under which name of the site a request came, and what kind of software sent it. */
export type Audience = (request: ProxyRequest) => {
  /** A name that is configured, `other` for any other. */
  readonly host: string;
  /** One of a small set, such as `browser`. */
  readonly sender: string;
};

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
export function requestMeters(
  { counter, histogram, gauge }: Meters,
  audience?: Audience,
): RequestMeters {
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
  const byHost = audience && {
    audience,
    requests: counter('headgate_host_requests_total', 'Requests that are over, by who asks whom.', [
      'host',
      'sender',
    ]),
    sent: counter(
      'headgate_host_sent_bytes_total',
      'Bytes of the bodies that were sent, by who asked whom. WebSockets are left out.',
      ['host', 'sender'],
    ),
  };
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
      if (byHost) {
        const { host, sender } = byHost.audience(request);
        byHost.requests.inc({ host, sender });
        if (status !== SWITCHED) byHost.sent.inc({ host, sender }, bytesOut);
      }
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

function codeOf(error: Error): string {
  const code = 'code' in error ? String(error.code) : '';
  return Object.hasOwn(STATUS_OF, code) ? code : 'other';
}
