/**
 * The table. A software is added to one of its parts, with where its facts come from; `classify.ts`
 * needs no change. What all requests have in common (methods, paths, the types of ActivityPub) is
 * decided there before an entry's `fetches` are looked at, so an entry lists only what its User-Agent
 * and Accept add.
 */
import type { Agent } from './agent.ts';
import { PREVIEW_BOTS } from './preview-bots.ts';
import { TRIMMABLE_AGENTS } from './trimmable-agents.ts';
import { WHOLE_PAGE_AGENTS } from './whole-page-agents.ts';

/** Lists every software that `classify` knows: `PREVIEW_BOTS` too, but to be given whole pages. */
export const AGENTS: readonly Agent[] = [
  ...TRIMMABLE_AGENTS,
  ...WHOLE_PAGE_AGENTS,
  ...PREVIEW_BOTS.map((bot): Agent => ({ ...bot, fetches: [{ purpose: 'preview' }] })),
];
