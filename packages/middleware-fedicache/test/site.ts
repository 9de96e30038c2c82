/** A site with fedicache in front of it, over real sockets, by a clock that a test can move. */
import { compose, type Handler } from '@headgate/core';
import { type UpstreamOptions, upstreamTo } from '@headgate/core/upstream';
import {
  type FedicacheOptions,
  type FedicacheParts,
  fedicache,
} from '@headgate/middleware-fedicache';
import { memoryStore } from '@headgate/store';
import type { Test } from 'tap';
import { type Answer, front, rawOrigin, type Talk, talk } from '../../core/test/wire.ts';

/** What Mastodon says of itself when it makes a card. */
export const MASTODON = 'Mastodon/4.5.0 (http.rb/5.3.1; +https://social.example/) Bot';
/** What a browser says. */
export const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

/** What a test may say of the site that it makes. */
export interface SiteOptions {
  readonly options?: FedicacheOptions;
  readonly parts?: FedicacheParts;
  readonly upstream?: UpstreamOptions;
  /** True for one that refreshes behind everybody's back, as the daemon does. */
  readonly hasBackground?: boolean;
}

/** What somebody asks. Fields are lines without their ends. */
export interface Question {
  readonly method?: string;
  readonly userAgent?: string;
  readonly host?: string;
  readonly fields?: readonly string[];
}

/** An origin on raw TCP that gives `answer`, with the edges and fedicache in front of it. */
export async function site(t: Test, answer: Answer, made: SiteOptions = {}) {
  const { options, parts, upstream, hasBackground = false } = made;
  const origin = await rawOrigin(t, answer);
  const { handler, close } = upstreamTo(origin.url, upstream);
  t.teardown(close);
  let clock = 1_000_000_000_000;
  const now = () => clock;
  const background: Handler | undefined = hasBackground ? handler : undefined;
  const store = memoryStore({ now });
  const layer = fedicache(options, {
    now,
    random: () => 0.5,
    store,
    ...(background && { background }),
    ...parts,
  });
  const { port, reports } = await front(t, origin.url, {
    handler: compose([layer.middleware], handler),
    ...(upstream && { upstream, tunnels: upstream }),
  });

  /** Asks on a connection of its own, by default as Mastodon does. */
  const ask = (url = '/', { method = 'GET', userAgent = MASTODON, ...more }: Question = {}) => {
    const { host = 'site.example', fields = [] } = more;
    const lines = [`Host: ${host}`, `User-Agent: ${userAgent}`, 'Accept: text/html', ...fields];
    const head = `${method} ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`;
    return talk(port, head, { isHead: method === 'HEAD', patience: 60_000 });
  };
  return {
    ...layer,
    ask,
    many: (count: number, url?: string, question?: Question) =>
      Promise.all(Array.from({ length: count }, () => ask(url, question))),
    origin,
    port,
    reports,
    store,
    /** Lets so many milliseconds pass for fedicache and its store. */
    pass(ms: number) {
      clock += ms;
    },
  };
}

/** An answer of an origin with its length. */
export function answer(status: number, body = '', fields: readonly string[] = []): string {
  const lines = [...fields, `Content-Length: ${body.length}`];
  return `HTTP/1.1 ${status} Fine\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** A page of an origin. */
export function page(content: string, fields: readonly string[] = []): string {
  return answer(200, content, ['Content-Type: text/html; charset=utf-8', ...fields]);
}

/** The status of the first answer; nothing if there was none that was whole. */
export function statusOf({ messages: [message] }: Talk): number | undefined {
  return message && Number(message.head.split(' ')[1]);
}

/** The lines of a field of the first answer, joined. */
export function fieldOf({ messages: [message] }: Talk, name: string): string | undefined {
  const lines = message?.head.split('\r\n').slice(1) ?? [];
  const values = lines
    .filter((line) => line.toLowerCase().startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim());
  return values.length === 0 ? undefined : values.join(', ');
}

/** The body of the first answer. */
export function bodyOf({ messages: [message] }: Talk): string | undefined {
  return message?.body;
}

/** How an answer came about: `hit`, `stale`, `fill`, `collapsed`, `busy`, why it went whole, or `passed`. */
export function cameBy(talked: Talk): string {
  const status = fieldOf(talked, 'cache-status') ?? '';
  if (status === '') return 'passed';
  const detail = /detail=([\w-]+)/.exec(status)?.[1];
  if (detail !== undefined) return detail;
  if (status.includes('collapsed')) return 'collapsed';
  return status.includes('; hit') ? 'hit' : 'fill';
}
