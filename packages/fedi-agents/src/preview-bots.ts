/** Preview bots from outside the fediverse, whose code nobody outside can read. */
import type { Agent } from './agent.ts';

/**
 * Lists general-purpose preview bots. `classify` knows them, but has them served whole pages, since
 * what they read is not published; `classifier(PREVIEW_BOTS)`, or with some of them only, lets their
 * previews be trimmed.
 */
export const PREVIEW_BOTS: readonly Agent[] = [
  bot('cardyb', /^Mozilla\/5\.0 \(compatible; Bluesky Cardyb\//, 'public bot lists'),
  bot('discord', /^Mozilla\/5\.0 \(compatible; Discordbot\//, 'public bot lists'),
  bot('facebook', /^facebookexternalhit\//, 'developers.facebook.com: sharing/webmasters/crawler'),
  bot('linkedin', /^LinkedInBot\//, 'public bot lists'),
  bot('slack', /^Slackbot-LinkExpanding /, 'api.slack.com: robots'),
  bot('telegram', /^TelegramBot /, 'public bot lists'),
  bot('twitter', /^Twitterbot\//, 'developer.x.com: docs/x-for-websites/cards'),
  bot('whatsapp', /^WhatsApp\//, 'public bot lists'),
];

function bot(family: string, userAgent: RegExp, source: string): Agent {
  return { family, userAgent, fetches: [{ purpose: 'preview', mayTrim: true }], source };
}
