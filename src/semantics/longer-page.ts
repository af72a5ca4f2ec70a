/**
 * Header fields, in lowercase, that do not hold for a page to which a script is added: they
 * describe the page without it, or would keep an old version of the page in a cache. A browser
 * would show that one again each time (decision 75).
 */
export const notOfLongerPage: ReadonlySet<string> = new Set([
  'content-length',
  'etag',
  'last-modified',
  'cache-control',
  'expires',
  'accept-ranges',
  'content-md5',
  'digest',
  'repr-digest',
  'content-digest',
])
