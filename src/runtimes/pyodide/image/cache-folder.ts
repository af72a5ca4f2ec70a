import { isAbsolute, join, resolve } from 'node:path'

/**
 * The folder for snapshots: `MONOCEROS_CACHE` (`off` disables the cache), or `monoceros` in
 * `$XDG_CACHE_HOME`, or in `~/.cache`. Null if there is none.
 */
export function cacheFolder(environment: NodeJS.ProcessEnv, cwd = process.cwd()): string | null {
  const { MONOCEROS_CACHE, XDG_CACHE_HOME, HOME } = environment
  if (MONOCEROS_CACHE === 'off') return null
  if (MONOCEROS_CACHE) return resolve(cwd, MONOCEROS_CACHE)
  // A relative path is invalid and must be ignored (XDG Base Directory Specification).
  if (XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, 'monoceros')
  if (HOME && isAbsolute(HOME)) return join(HOME, '.cache', 'monoceros')
  return null
}
