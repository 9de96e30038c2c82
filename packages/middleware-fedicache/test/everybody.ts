/** An agent that takes everybody for a fetcher. */
export const EVERYBODY = {
  family: 'everybody',
  userAgent: /^/,
  fetches: [{ purpose: 'preview', mayTrim: true }],
} as const;
