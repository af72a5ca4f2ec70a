/**
 * Combines several applications into one, by path and by host name: an API in Python under `/api`,
 * an administration under `/admin`, the pages in TypeScript at `/`, another site on another host.
 *
 * The longest mounted path that matches wins. It matches whole segments: `/api` takes `/api` and
 * `/api/x`, but not `/apis`. The matched path is moved from the front of `PATH_INFO` to the end of
 * `SCRIPT_NAME`, so that the application can build links without knowing where it is mounted (PEP
 * 3333 "environ Variables"; like Werkzeug's `DispatcherMiddleware`).
 *
 * Do not use it as a router with parameters: it matches fixed paths only.
 *
 * @example
 * import { dispatcher, pythonApp, staticFiles } from 'monoceros'
 *
 * export const app = dispatcher(pages, {
 *   '/api': pythonApp('flaskapp:app'),
 *   '/admin': pythonApp('mysite.wsgi:application'),
 *   'status.example.com': status,
 *   '*.example.com/api': tenants,
 * })
 *
 * @module
 */
import { isApplication, toFunction } from '../../wsgi/application.ts'
import { encodeText } from '../../wsgi/text.ts'
import type { WSGIApplication, WSGIEnvironment, WSGIFunction } from '../../wsgi/types.ts'
import { describeValue } from '../../wsgi/wsgi-error.ts'
import { optionError } from '../option-error.ts'
import { plainResponse } from '../plain-response.ts'
import { type MountPoint, parseMountPoint } from './mount-point.ts'

/**
 * Where an application is mounted:
 *
 * - a path: `/api`, `/shop/café` (decoded like `PATH_INFO`, without a slash at the end);
 * - a host name: `example.com`, `localhost`, `[::1]`, or `//intranet` for a name without a dot;
 * - all subdomains of a name: `*.example.com`, which does not match `example.com`;
 * - a host name and a path: `example.com/api`, `*.example.com/api`.
 */
export type MountKey =
  | `/${string}`
  | `${string}.${string}`
  | `localhost/${string}`
  | `[${string}]${string}`

/** Applications by the place where they are mounted. */
export type Mounts = { readonly [key: MountKey]: WSGIApplication } & {
  readonly localhost?: WSGIApplication
}

/** The mounted paths of a host, or of all subdomains of one. */
interface Site {
  /** By path, or `''` for the whole host. Paths are latin-1 views of bytes, like `PATH_INFO`. */
  readonly paths: Map<string, WSGIFunction>
  /** The length of the longest path. Longer prefixes need not be looked up. */
  longest: number
}

const NOT_FOUND = plainResponse('404 Not Found')

/**
 * Makes an application that passes each request on to a mounted application.
 *
 * The host is the one in the `Host` header, without its port and in lower case, or `SERVER_NAME` if
 * there is no such header. Mounts for exactly this name are tried first, then those for subdomains,
 * the longest name first, then those for any host. The first group with a matching path wins. To
 * use the name that a proxy was asked for, put `proxyFix({ host: 1 })` around it.
 *
 * `PATH_INFO` is decoded already, so an encoded slash separates segments too. Each of several
 * slashes separates: under a mount at `/api`, `/api//x` becomes `//x`, `/api/` becomes `/`, and
 * `/api` becomes `''`. `//api` does not match `/api`.
 *
 * @param fallback answers all other requests, with an unchanged environ. Defaults to `404 Not
 * Found`
 * @param mounts applications by path, by host, or by both
 * @returns an application
 * @throws RangeError (`bad-option`) for a key that can never match or is there twice
 * @throws TypeError (`bad-option`) for a value that is not an application
 * @example dispatcher(pages, { '/api': api })
 */
export function dispatcher(mounts: Mounts): WSGIFunction
export function dispatcher(
  fallback: WSGIApplication | null | undefined,
  mounts: Mounts,
): WSGIFunction
export function dispatcher(
  first: WSGIApplication | Mounts | null | undefined,
  second?: Mounts,
): WSGIFunction {
  const [fallback, mounts] =
    second === undefined && !isApplication(first) ? [undefined, first] : [first, second]
  const otherwise =
    fallback === undefined || fallback === null
      ? NOT_FOUND
      : checkedFunction(fallback, 'the fallback')
  if (typeof mounts !== 'object' || mounts === null) {
    throw optionError(
      TypeError,
      "dispatcher: the mounts must be an object such as { '/api': app }, " +
        `not ${describeValue(mounts)}`,
    )
  }

  const anyHost = emptySite()
  const hosts = new Map<string, Site>()
  /** `.example.com` for `*.example.com`. */
  const suffixes = new Map<string, Site>()
  for (const [key, app] of Object.entries(mounts)) {
    const point = parseMountPoint(key)
    mount(siteOf(point), point, key, checkedFunction(app, `the mount ${JSON.stringify(key)}`))
  }
  const byHost = hosts.size > 0 || suffixes.size > 0

  function siteOf({ host, wildcard }: MountPoint): Site {
    if (host === '') return anyHost
    const sites = wildcard ? suffixes : hosts
    const name = wildcard ? `.${host}` : host
    let site = sites.get(name)
    if (site === undefined) {
      site = emptySite()
      sites.set(name, site)
    }
    return site
  }

  function choose(environ: WSGIEnvironment): WSGIFunction {
    if (byHost) {
      const host = hostName(environ)
      const site = hosts.get(host)
      const chosen = site && enter(site, environ)
      if (chosen) return chosen
      if (suffixes.size > 0) {
        // From the left, so that the longest name comes first. Not from 0: a host that begins with
        // a dot is not a subdomain.
        for (let dot = host.indexOf('.', 1); dot !== -1; dot = host.indexOf('.', dot + 1)) {
          const below = suffixes.get(host.slice(dot))
          const chosen = below && enter(below, environ)
          if (chosen) return chosen
        }
      }
    }
    return enter(anyHost, environ) ?? otherwise
  }

  return function dispatch(environ, startResponse) {
    return choose(environ)(environ, startResponse)
  }
}

function emptySite(): Site {
  return { paths: new Map(), longest: 0 }
}

function mount(site: Site, point: MountPoint, key: string, app: WSGIFunction): void {
  const path = encodeText(point.path)
  if (site.paths.has(path)) {
    throw optionError(
      RangeError,
      `dispatcher: ${JSON.stringify(key)} is mounted twice; remove one of the two`,
    )
  }
  site.paths.set(path, app)
  site.longest = Math.max(site.longest, path.length)
}

/** Finds the longest mounted path that matches, and moves it from `PATH_INFO` to `SCRIPT_NAME`. */
function enter(site: Site, environ: WSGIEnvironment): WSGIFunction | undefined {
  const path = environ.PATH_INFO ?? ''
  // A candidate ends before a slash or at the end of the path. Candidates longer than all mounts
  // are skipped, so that a path of thousands of slashes costs no more than another.
  let end = path.length
  if (end > site.longest) end = path.lastIndexOf('/', site.longest)
  for (; end > 0; end = path.lastIndexOf('/', end - 1)) {
    const app = site.paths.get(path.slice(0, end))
    if (app === undefined) continue
    environ.SCRIPT_NAME = (environ.SCRIPT_NAME ?? '') + path.slice(0, end)
    environ.PATH_INFO = path.slice(end)
    return app
  }
  return site.paths.get('')
}

/** The requested host name in lower case, without its port and without a dot at the end. */
function hostName(environ: WSGIEnvironment): string {
  const authority = environ.HTTP_HOST || environ.SERVER_NAME || ''
  const host = authority.startsWith('[')
    ? authority.slice(0, authority.indexOf(']') + 1)
    : authority.split(':', 1)[0]!
  return (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase()
}

function checkedFunction(app: unknown, what: string): WSGIFunction {
  if (isApplication(app)) return toFunction(app)
  throw optionError(
    TypeError,
    `dispatcher: ${what} must be an application, a function (environ, startResponse) ` +
      `or an object with a method wsgi, not ${describeValue(app)}`,
  )
}
