import type { Preset } from './preset.ts';

/** Any site: WordPress, a static one, one of your own. */
export const site: Preset = {
  site: { compress: true },
  upstream: { keepAlive: 8, connections: 64 },
  cdnPaths: ['/wp-content/uploads/'],
  example: `# Headgate in front of a site: WordPress, a static one, one of your own. Check it with: headgate check
# All settings: docs/configuration.md; what the preset stands for: headgate check --expand

listen: 127.0.0.1:8080

# What stands in front of Headgate and tells who the client is. loopback: a proxy on this machine.
trusted: [loopback]

# Where headgate status, purge, warm and reload find the daemon: a socket for its own user alone.
admin:
  listen: unix:headgate.sock

sites:
  - hosts: ['*'] # better: your names, like [example.org, www.example.org]
    preset: site
    upstream: http://127.0.0.1:3000
    # cdn: https://cdn.example # redirects /wp-content/uploads/ there, and lets the policy allow it
`,
};
