import type { Preset } from './preset.ts';

/** What Plume's documentation says to set in nginx; docs/presets.md goes through it. */
export const plume: Preset = {
  site: {
    compress: true,
    bodyLimit: '10MiB',
    headers: {
      'X-Frame-Options': 'DENY',
      'X-Content-Type-Options': 'nosniff',
      'X-XSS-Protection': '1; mode=block',
      'Referrer-Policy': 'strict-origin-when-cross-origin',
      'Content-Security-Policy':
        "default-src 'self' 'unsafe-inline'; img-src 'self' https: data:; media-src 'self' https:; frame-ancestors 'self'; frame-src https:",
    },
  },
  upstream: { keepAlive: 0 }, // its server gives a thread to each connection
  cdnPaths: ['/static/media/'],
  example: `# Headgate in front of Plume. Check it with: headgate check
# All settings: docs/configuration.md; what the preset stands for: headgate check --expand

listen: 127.0.0.1:8080

# What stands in front of Headgate and tells who the client is. loopback: a proxy on this machine.
trusted: [loopback]

# Where headgate status, purge, warm and reload find the daemon: a socket for its own user alone.
admin:
  listen: unix:headgate.sock

sites:
  - hosts: ['*'] # better: your names, like [blog.example]
    preset: plume
    upstream: http://127.0.0.1:7878
    # cdn: https://cdn.example # redirects /static/media/ there, and lets the policy allow it
`,
};
