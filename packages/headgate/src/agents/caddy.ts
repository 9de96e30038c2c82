/** For Caddy: what sends the fetchers to Headgate, and leaves all else where it goes. */
import type { Accept, Fetcher } from './fetchers.ts';
import type { Places } from './places.ts';

const CONDITIONS: Readonly<Record<Accept, string>> = {
  html: 'header_regexp Accept `(?i)^text/html *(?:[;,]|$)`',
  any: 'header_regexp Accept `^\\*/\\*$`',
  none: 'not header Accept *',
};

/** Fields of requests that are no anonymous fetch, and of what Headgate itself asks. */
const TELLING = ['Cookie', 'Authorization', 'Signature', 'Signature-Input', 'Headgate-Loop'];

/** Writes what is imported into the site's block: a named matcher for each Accept, and where it leads. */
export function forCaddy(fetchers: readonly Fetcher[], { headgate, application }: Places): string {
  const lead = application
    ? `reverse_proxy ${headgate} ${application} {
		lb_policy first
		lb_try_duration 5s # the application answers while Headgate is away
		fail_duration 10s
	}`
    : `reverse_proxy ${headgate}`;
  const matchers = (['html', 'any', 'none'] as const).map((accept) => {
    const patterns = fetchers.filter((each) => each.accept === accept).map((each) => each.pattern);
    return `@headgate_${accept} {
	method GET HEAD
	${CONDITIONS[accept]}
	header_regexp User-Agent \`${patterns.join('|')}\`
${TELLING.map((name) => `	not header ${name} *`).join('\n')}
}
handle @headgate_${accept} {
	${lead}
}
`;
  });
  return `# Sends the fetchers of the fediverse to Headgate. Written by: headgate agents --caddy
# Write it again when Headgate is upgraded. It belongs into the site's block,
# below every other handle but the one without a matcher: import /etc/caddy/headgate-agents

${matchers.join('\n')}`;
}
