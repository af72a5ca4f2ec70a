import { hasHashedName } from '../../files/immutable-names.ts'
import { PathInfo } from '../../http/path-info.ts'
import type { EdgeHandler } from '../chain.ts'
import type { StaticFilesContext, StaticFilesOptions } from './context.ts'
import { mountOf, mountsOf } from './mounts.ts'
import { StaticExchange } from './static-exchange.ts'

const FOREVER = `public, max-age=${365 * 24 * 60 * 60}, immutable`

/**
 * Answers GET and HEAD for files below some folders, without the application. All other requests
 * pass, also those for a path below a folder that has no file: the application may have something
 * there.
 *
 * The rules are those of the middleware `staticFiles`; both have them from `files/`.
 *
 * @throws the error of the file system for a folder that does not exist
 */
export function staticFiles(options: StaticFilesOptions): EdgeHandler {
  const mounts = mountsOf(options.folders)
  const { store } = options
  const cacheControl = cacheControlOf(options)
  return (next) => {
    const context: StaticFilesContext = {
      options,
      next,
      cacheControl: ({ names }) => cacheControl(`/${names.join('/')}`),
    }
    const paths = new PathInfo(Buffer.from(options.rootPath))
    return (head, reply) => {
      const { method } = head
      if (method !== 'GET' && method !== 'HEAD') return next(head, reply)
      const path = paths.of(head)
      const mount = mountOf(mounts, path)
      if (mount === undefined) return next(head, reply)
      const key = path.latin1()
      const known = store.known(key)
      if (known?.kind === 'absent' && !options.spa) return next(head, reply)
      return new StaticExchange(context, head, reply, mount, key, known)
    }
  }
}

function cacheControlOf({
  cacheControl,
  immutable,
}: StaticFilesOptions): (path: string) => string | null {
  if (immutable === null) return () => cacheControl
  if (immutable === 'auto') return (path) => (hasHashedName(path) ? FOREVER : cacheControl)
  const pattern = new RegExp(immutable)
  return (path) => (pattern.test(path) ? FOREVER : cacheControl)
}
