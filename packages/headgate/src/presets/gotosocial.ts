import type { Preset } from './preset.ts';

/** What GoToSocial's documentation says to set in nginx; docs/presets.md goes through it. */
export const gotosocial: Preset = {
  site: { compress: true, bodyLimit: '40MiB' },
  cdnPaths: ['/fileserver/'],
  example: `# Headgate in front of GoToSocial. Check it with: headgate check
# All settings: docs/configuration.md; what the preset stands for: headgate check --expand

listen: 127.0.0.1:8081 # GoToSocial itself listens on 8080

# What stands in front of Headgate and tells who the client is. loopback: a proxy on this machine.
trusted: [loopback]

# Where headgate status, purge, warm and reload find the daemon: a socket for its own user alone.
admin:
  listen: unix:headgate.sock

sites:
  - hosts: ['*'] # better: your names, like [social.example]
    preset: gotosocial
    upstream: http://127.0.0.1:8080
    # cdn: https://cdn.example # redirects /fileserver/ there, and lets the policy allow it
`,
};
