export type { Agent, Classification, Fetch, FetchRequest, Purpose, Redirects } from './agent.ts';
export { AGENTS } from './agents.ts';
export { classifier, classify } from './classify.ts';
export { PREVIEW_BOTS } from './preview-bots.ts';
