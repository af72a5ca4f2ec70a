import type { NextConfig } from 'next'

export default {
  // Not a folder further up that has a lock file, too.
  turbopack: { root: import.meta.dirname },
  // Next.js would redirect /api/entries/ to /api/entries, and Flask perhaps back.
  skipTrailingSlashRedirect: true,
  poweredByHeader: false,
  headers: async () => [
    {
      source: '/:path*',
      headers: [
        { key: 'X-Content-Type-Options', value: 'nosniff' },
        { key: 'X-Frame-Options', value: 'DENY' },
        { key: 'Referrer-Policy', value: 'strict-origin-when-cross-origin' },
      ],
    },
  ],
} satisfies NextConfig
