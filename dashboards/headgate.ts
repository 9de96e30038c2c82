/** The dashboard for Grafana. `node dashboards/headgate.ts` writes headgate.json, which is imported there. */
import { writeFileSync } from 'node:fs';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { areas, figure, lines, SOURCE, states } from './panels.ts';

/** Where the dashboard is, as Grafana takes it. */
export const FILE = new URL('headgate.json', import.meta.url);

const SITE = 'site=~"$site"';
const OURS = 'and on (job, instance) headgate_build_info';

/** Events a second, by some labels, of the sites that are looked at. */
const rate = (counter: string, by = '', more = '') =>
  `sum by (${by}) (rate(${counter}{${SITE}${more}}[$__rate_interval]))`;

/** Events a second, by host and sender, of all sites: a host may have come from another one. */
const byHost = (counter: string) => `sum by (host, sender) (rate(${counter}[$__rate_interval]))`;

/** Events in the time that is looked at. */
const total = (counter: string, more = '') => `sum(increase(${counter}{${SITE}${more}}[$__range]))`;

/** A quantile of a histogram. */
const quantile = (share: number, histogram: string, more = '') =>
  `histogram_quantile(${share}, ${rate(`${histogram}_bucket`, 'le', more)})`;

const quantiles = (histogram: string, more?: string) => ({
  'half within': quantile(0.5, histogram, more),
  '95 % within': quantile(0.95, histogram, more),
  '99 % within': quantile(0.99, histogram, more),
});

const FROM_MEMORY = ',outcome=~"hit|stale|collapsed"';

/** The dashboard as text. */
export function dashboard(): string {
  const built = new DashboardBuilder('Headgate')
    .uid('headgate')
    .description('What Headgate does in front of a site: previews, requests, media, policies.')
    .tags(['headgate', 'fediverse'])
    .time({ from: 'now-6h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data').type('prometheus'))
    .withVariable(
      new QueryVariableBuilder('site')
        .label('Site')
        .datasource(SOURCE)
        .query('label_values({__name__=~"headgate_(http_requests|previews)_total"}, site)')
        .refresh(VariableRefresh.OnTimeRangeChanged)
        .multi(true)
        .includeAll(true)
        .allValue('.*'),
    )

    .withRow(new RowBuilder('Previews: a stampede as it happens'))
    .withPanel(
      figure({
        title: 'Previews answered',
        description: 'Requests of fediverse software for a preview, in the time shown.',
        unit: 'short',
        series: { previews: total('headgate_previews_total') },
      }),
    )
    .withPanel(
      figure({
        title: 'Without asking the application',
        description: 'The share that was answered from memory, or by what was fetched for another.',
        unit: 'percentunit',
        series: {
          share: `${total('headgate_previews_total', FROM_MEMORY)} / ${total('headgate_previews_total')}`,
        },
      }),
    )
    .withPanel(
      figure({
        title: 'Pages fetched',
        description: 'How often the application was asked for a page because of them.',
        unit: 'short',
        series: { fetches: total('headgate_preview_fills_total') },
      }),
    )
    .withPanel(
      figure({
        title: 'Bytes saved',
        description: 'Of pages, uncompressed, that fetchers were not sent.',
        unit: 'bytes',
        series: { saved: total('headgate_preview_saved_bytes_total') },
      }),
    )
    .withPanel(
      areas({
        title: 'Previews by software',
        description: 'A post that spreads is a steep wall, Mastodon first.',
        unit: 'reqps',
        series: { '{{agent}}': rate('headgate_previews_total', 'agent') },
      }),
    )
    .withPanel(
      lines({
        title: 'Asked, and passed on',
        description: 'Fetchers that ask, and how often the application was asked because of them.',
        unit: 'reqps',
        series: {
          'asked by fetchers': rate('headgate_previews_total'),
          'asked of the application': rate('headgate_preview_fills_total'),
        },
      }),
    )
    .withPanel(
      areas({
        title: 'Previews by outcome',
        description: 'hit and stale come from memory; whole is not cut; busy is refused.',
        unit: 'reqps',
        series: { '{{outcome}}': rate('headgate_previews_total', 'outcome') },
      }),
    )
    .withPanel(
      lines({
        title: 'Bytes sent and saved',
        description: 'What fetchers got of pages, and what they were spared.',
        unit: 'Bps',
        series: {
          saved: rate('headgate_preview_saved_bytes_total'),
          sent: rate('headgate_preview_sent_bytes_total'),
        },
      }),
    )
    .withPanel(
      lines({
        title: 'Waiting for the application',
        description:
          'How long fetchers wait, who give up after ten seconds, and what a page takes.',
        unit: 's',
        series: {
          ...quantiles('headgate_preview_wait_duration_seconds'),
          'a page, 95 % within': quantile(0.95, 'headgate_preview_fill_duration_seconds'),
        },
      }),
    )
    .withPanel(
      lines({
        title: 'Who waits',
        description: 'Fetchers that wait for the application.',
        unit: 'short',
        series: { waiting: `sum(headgate_preview_waiters{${SITE}})` },
      }),
    )
    .withPanel(
      areas({
        title: 'Pages fetched, by what came of it',
        description: 'page is kept; whole is not cut, with the reason; failed is an error.',
        unit: 'reqps',
        series: {
          '{{outcome}} {{reason}}': rate('headgate_preview_fills_total', 'outcome, reason'),
        },
      }),
    )
    .withPanel(
      lines({
        title: 'Bytes kept',
        description: 'When the store is full, what was used least recently goes.',
        unit: 'bytes',
        series: {
          '{{instance}}': 'headgate_store_bytes',
          'limit of {{instance}}': 'headgate_store_max_bytes',
        },
      }),
    )

    .withRow(new RowBuilder('Requests'))
    .withPanel(
      areas({
        title: 'Requests by status',
        description: 'All that came in, previews too.',
        unit: 'reqps',
        series: { '{{status}}': rate('headgate_http_requests_total', 'status') },
      }),
    )
    .withPanel(
      lines({
        title: 'Errors',
        description:
          'What Headgate could not answer, or not to the end. CLIENT_GONE is nobody’s fault.',
        unit: 'reqps',
        series: { '{{code}}': rate('headgate_http_errors_total', 'code') },
      }),
    )
    .withPanel(
      lines({
        title: 'How long requests take',
        description: 'From the head of the request to the last byte of the response.',
        unit: 's',
        series: quantiles('headgate_http_request_duration_seconds'),
      }),
    )
    .withPanel(
      lines({
        title: 'How long the application takes',
        description: 'Until the head of its response.',
        unit: 's',
        series: quantiles('headgate_upstream_response_duration_seconds'),
      }),
    )
    .withPanel(
      lines({
        title: 'Bytes in and out',
        description:
          'Of requests with their heads, of responses the bodies. WebSockets once they close.',
        unit: 'Bps',
        series: {
          in: rate('headgate_http_request_size_bytes_sum'),
          out: rate('headgate_http_response_size_bytes_sum'),
          'WebSockets {{direction}}': rate('headgate_tunnel_bytes_total', 'direction'),
        },
      }),
    )
    .withPanel(
      lines({
        title: 'Under way',
        description: 'Requests and WebSockets of the sites, and connections of all.',
        unit: 'short',
        series: {
          requests: `sum(headgate_http_requests_in_flight{${SITE}})`,
          WebSockets: `sum(headgate_tunnels_open{${SITE}})`,
          connections: 'sum(headgate_connections_open)',
        },
      }),
    )

    .withPanel(
      states({
        title: 'Addresses of the application',
        description: 'Whether each answered when it was asked last.',
        unit: 'bool_yes_no',
        series: {
          '{{site}} {{upstream}}': `min by (site, upstream) (headgate_upstream_healthy{${SITE}})`,
        },
      }),
    )
    .withPanel(
      lines({
        title: 'Asked once more',
        description:
          'A kept connection that had been closed is nothing; no-connection is an application that restarts, or is gone.',
        unit: 'reqps',
        series: { '{{reason}}': rate('headgate_upstream_retries_total', 'reason') },
      }),
    )

    .withRow(new RowBuilder('Who asks whom: is the old host still used?'))
    .withPanel(
      areas({
        title: 'Requests by host',
        description: 'Of each configured name. One that stays at nothing can go.',
        unit: 'reqps',
        series: { '{{host}} {{sender}}': byHost('headgate_host_requests_total') },
      }),
    )
    .withPanel(
      areas({
        title: 'Bytes by host',
        description: 'Bodies that were sent under each configured name.',
        unit: 'Bps',
        series: { '{{host}} {{sender}}': byHost('headgate_host_sent_bytes_total') },
      }),
    )

    .withRow(new RowBuilder('Media and the CDN'))
    .withPanel(
      areas({
        title: 'Requests for media at this host',
        description:
          'Redirected, or served here and why. When it stays at nothing, the old host is no longer used.',
        unit: 'reqps',
        series: {
          '{{outcome}} {{reason}}': rate('headgate_media_requests_total', 'outcome, reason'),
        },
      }),
    )
    .withPanel(
      areas({
        title: 'Who still asks this host',
        description: 'Requests for media by software; browsers and whatever is unknown are other.',
        unit: 'reqps',
        series: { '{{agent}}': rate('headgate_media_requests_total', 'agent') },
      }),
    )
    .withPanel(
      areas({
        title: 'Bytes of media served here',
        description: 'What the CDN did not carry, by why.',
        unit: 'Bps',
        series: { '{{reason}}': rate('headgate_media_served_bytes_total', 'reason') },
      }),
    )
    .withPanel(
      states({
        title: 'The CDN',
        description: 'In loop and down, files are served here.',
        unit: 'bool_yes_no',
        series: { '{{cdn}} {{state}}': 'max by (cdn, state) (headgate_cdn_state)' },
      }),
    )

    .withRow(new RowBuilder('Policies'))
    .withPanel(
      areas({
        title: 'Blocked by browsers',
        description: 'Violations that browsers reported. A named host is one that was configured.',
        unit: 'cps',
        series: {
          '{{directive}} {{host}} {{disposition}}': rate(
            'headgate_csp_violations_total',
            'directive, host, disposition',
          ),
        },
      }),
    )
    .withPanel(
      lines({
        title: 'Edits and doubts',
        description: 'Policies that left changed, and those that were left as they are, by why.',
        unit: 'cps',
        series: {
          'edited: {{place}}': rate('headgate_csp_edits_total', 'place'),
          'left: {{place}} {{reason}}': rate('headgate_csp_doubts_total', 'place, reason'),
        },
      }),
    )

    .withRow(new RowBuilder('The process'))
    .withPanel(
      lines({
        title: 'Event loop',
        description: 'By how much one turn of a hundred is late.',
        unit: 's',
        series: { '{{instance}}': `nodejs_eventloop_lag_p99_seconds ${OURS}` },
      }),
    )
    .withPanel(
      lines({
        title: 'CPU',
        description: 'Cores in use.',
        unit: 'short',
        series: { '{{instance}}': `rate(process_cpu_seconds_total[$__rate_interval]) ${OURS}` },
      }),
    )
    .withPanel(
      lines({
        title: 'Memory',
        description: 'All of the process, and the part that is JavaScript’s.',
        unit: 'bytes',
        series: {
          '{{instance}}': `process_resident_memory_bytes ${OURS}`,
          'heap of {{instance}}': `nodejs_heap_size_used_bytes ${OURS}`,
        },
      }),
    )
    .withPanel(
      lines({
        title: 'Evictions and faults of the store',
        description: 'Entries that had to go for others, and times that the store failed.',
        unit: 'cps',
        series: {
          evictions: 'sum(rate(headgate_store_evictions_total[$__rate_interval]))',
          'faults: {{operation}}':
            'sum by (operation) (rate(headgate_store_faults_total[$__rate_interval]))',
        },
      }),
    )
    .withPanel(
      figure({
        title: 'Certificates',
        description: 'Time that is left.',
        unit: 's',
        series: {
          '{{name}}': 'min by (name) (headgate_certificate_expiry_timestamp_seconds) - time()',
        },
      }),
    )
    .withPanel(
      figure({
        title: 'Crashes',
        description:
          'Errors that nobody caught, in the time shown. Seen only if it was scraped once more.',
        unit: 'short',
        series: { crashes: 'sum(increase(headgate_crashes_total[$__range]))' },
      }),
    )
    .withPanel(
      figure({
        title: 'Configuration',
        description: 'Whether the last one was taken.',
        unit: 'bool_yes_no',
        series: { '{{instance}}': 'headgate_config_last_reload_successful' },
      }),
    )
    .withPanel(
      figure({
        title: 'Version',
        description: 'What runs.',
        unit: 'short',
        series: { '{{version}}': 'count by (version) (headgate_build_info)' },
      }),
    )
    .build();
  return `${JSON.stringify(built, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(FILE, dashboard());
