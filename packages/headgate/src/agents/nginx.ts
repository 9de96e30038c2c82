/** For nginx: what sends the fetchers to Headgate, and leaves all else where it goes. */
import type { Fetcher } from './fetchers.ts';
import type { Places } from './places.ts';

/** What belongs into the site's `server { }`; it is the same for every list of fetchers. */
const SERVER = `error_page 418 = @headgate;
location @headgate {
  proxy_pass http://headgate_fetchers;
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header Connection '';
}`;

/**
 * What belongs into its `location / { }`. In `server { }` it would come before every other location, and
 * whoever calls themselves a fetcher would get to what those deny or ask a password for.
 */
const LOCATION = 'if ($headgate_fetcher) { return 418; }';

/** Fields of requests that are no anonymous fetch, and of what Headgate itself asks. */
const TELLING = ['cookie', 'authorization', 'signature', 'signature_input', 'headgate_loop'];

/** Writes the part for `http { }`, with the part for `server { }` as a comment above it. */
export function forNginx(fetchers: readonly Fetcher[], { headgate, application }: Places): string {
  const software = fetchers.map(
    ({ family, accept, pattern }) => `  "~^${accept} ${pattern.slice(1)}" ${family};`,
  );
  const telling = TELLING.map((name) => `$http_${name}`).join('');
  return `# Sends the fetchers of the fediverse to Headgate. Written by: headgate agents --nginx
# Write it again when Headgate is upgraded. It belongs into http { }, where Debian's nginx reads
# /etc/nginx/conf.d/*.conf. This belongs into the site's server { }:
#
${SERVER.replaceAll(/^/gm, '#   ')}
#
# And this into the location / { } in there:
#
#     ${LOCATION}

upstream headgate_fetchers {
  server ${headgate};
${application ? `  server ${application} backup; # while Headgate is away\n` : ''}}

map $http_accept $headgate_accept {
  default other;
  '' none;
  '*/*' any;
  "~*^text/html *(?:[;,]|$)" html;
}

map "$headgate_accept $http_user_agent" $headgate_software {
  default '';
${software.join('\n')}
}

map "$request_method ${telling}" $headgate_fetcher {
  default '';
  'GET ' $headgate_software;
  'HEAD ' $headgate_software;
}
`;
}
