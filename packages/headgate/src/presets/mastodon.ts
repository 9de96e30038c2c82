import type { Preset } from './preset.ts';

const FOUR_WEEKS = 'public, max-age=2419200';

/** Folders whose files never change under their name. */
const ASSETS = ['assets', 'avatars', 'emoji', 'headers', 'ocr', 'packs', 'sounds'];

/** What Mastodon's dist/nginx.conf does; docs/presets.md goes through it line by line. */
export const mastodon: Preset = {
  site: {
    compress: true,
    bodyLimit: '99MiB',
    timeouts: { head: '120s', idle: '120s' },
    routes: [
      ...ASSETS.map((folder) => ({
        path: `/${folder}/`,
        headers: { 'Cache-Control': `${FOUR_WEEKS}, must-revalidate` },
      })),
      {
        path: '/system/',
        headers: {
          'Cache-Control': `${FOUR_WEEKS}, immutable`,
          'X-Content-Type-Options': 'nosniff',
          'Content-Security-Policy': "default-src 'none'; form-action 'none'",
        },
      },
    ],
  },
  streamingPath: '/api/v1/streaming',
  cdnPaths: ['/system/'],
  example: `# Headgate in front of Mastodon. Check it with: headgate check
# All settings: docs/configuration.md; what the preset stands for: headgate check --expand

listen: 127.0.0.1:8080

# What stands in front of Headgate and tells who the client is. loopback: a proxy on this machine.
trusted: [loopback]

# If that proxy ends TLS but sends no X-Forwarded-Proto, Mastodon would redirect for ever without this:
# scheme: https

# Where headgate status, purge, warm and reload find the daemon: a socket for its own user alone.
admin:
  listen: unix:headgate.sock

sites:
  - hosts: ['*'] # better: your names, like [social.example]
    preset: mastodon
    upstream: http://127.0.0.1:3000 # the web process (puma)
    streaming: http://127.0.0.1:4000 # the streaming process; a list if there are several
    # cdn: https://cdn.example # redirects /system/ there, and lets the policy allow it
`,
};
