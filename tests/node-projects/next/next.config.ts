import type { NextConfig } from 'next'

export default {
  // Next.js would redirect /shop/cart/ to /shop/cart, and Flask back.
  skipTrailingSlashRedirect: true,
  output: process.env.STANDALONE ? 'standalone' : undefined,
  // For `standalone`: what Python needs, which Next.js cannot see.
  outputFileTracingIncludes: {
    '/*': ['shop.py', 'node_modules/monoceros/package.json', 'node_modules/monoceros/python/**/*'],
  },
} satisfies NextConfig
