/** How many parts of a name, between dots, may stand after a hash: `.chunk.js.map`. */
const MOST_EXTENSIONS = 3

/** What Vite and esbuild put into a folder of their own: eight characters. */
const BUNDLED = /[.-]([A-Za-z0-9_-]{8})(?:\.[A-Za-z0-9]+){1,2}$/
const BUNDLES = /\/(?:assets|chunks)\//

/**
 * Whether a file has a name that changes with its content, because its name contains a hash of it:
 * in hexadecimal, as webpack, Parcel and Django's ManifestStaticFilesStorage have it, or in
 * base64url below `assets/` or `chunks/`, as Vite and esbuild have it.
 *
 * A word may look like a hash (`app-settings.js`), and a wrong `immutable` would last a year. So a
 * hexadecimal hash must have a letter and a digit, and another one must not look like a word or a
 * number.
 *
 * @param path below the root
 * @example hasHashedName('/css/app.55e7cbb9ba48.css') // true
 * @example hasHashedName('/assets/index-B4x9kZ2q.js') // true
 */
export function hasHashedName(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const parts = name.split('.')
  for (let at = parts.length - 2; at >= 0 && at >= parts.length - 1 - MOST_EXTENSIONS; at--) {
    const part = parts[at]!
    const cut = Math.max(part.lastIndexOf('-'), part.lastIndexOf('_'))
    // A name that is nothing but a hash may be anything, such as the number of an upload.
    if ((at > 0 || cut > 0) && isHexHash(part.slice(cut + 1))) return true
  }
  if (!BUNDLES.test(path)) return false
  const bundled = BUNDLED.exec(name)?.[1]
  return bundled !== undefined && isMixed(bundled)
}

function isHexHash(text: string): boolean {
  return /^(?=.*[0-9])(?=.*[a-f])[0-9a-f]{8,64}$/.test(text)
}

/** Neither a word (`settings`, `Settings`, `SETTINGS`) nor words (`my-theme`), nor a number. */
function isMixed(text: string): boolean {
  return !/^(?:[a-z_-]+|[A-Z][a-z_-]+|[A-Z_-]+|[0-9_-]+)$/.test(text)
}
