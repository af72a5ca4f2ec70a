import type { PythonAppOptions } from '../python-app/python-options.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'

/** An application, and where it is mounted in Vite. */
export interface ViteMount {
  /**
   * The application. In Python `MODULE:NAME`, as for the command: `'flaskapp:app'`,
   * `'mysite.wsgi'`. In TypeScript `FILE:NAME`: `'./src/site.ts:app'`.
   */
  app: string
  /**
   * The path of the application: `'/api'`. It becomes `SCRIPT_NAME`. Vite's `base` is not added to
   * it. With `'/'` the application answers whatever Vite does not serve.
   */
  mount: string
  /**
   * Whether pages that are open in browsers are loaded again when the application was. Defaults to
   * true.
   */
  refresh?: boolean
}

/** Options of `monoceros()` for Vite. Those of `pythonApp` are for applications in Python. */
export interface ViteMountOptions extends ViteMount, Omit<PythonAppOptions, 'onReload'> {}

/** {@link ViteMountOptions}, checked. */
export interface CheckedMount {
  readonly app: string
  /** `/` or a path without a slash at its end. */
  readonly mount: string
  readonly isPython: boolean
  readonly refresh: boolean
  /** The options of `pythonApp`. */
  readonly python: PythonAppOptions
}

const JAVASCRIPT = /\.[cm]?[jt]sx?(?::|$)/

/**
 * Checks the options, and puts longer mounts first: `/api/v2` is not for the application at `/api`.
 *
 * @throws TypeError (`vite-option`)
 */
export function checkMounts(
  options: ViteMountOptions | readonly ViteMountOptions[],
): readonly CheckedMount[] {
  const all = Array.isArray(options) ? options : [options]
  if (all.length === 0) throw optionError('there is no application to mount')
  const mounts = all.map(checkMount)
  const twice = mounts.find(({ mount }, index) =>
    mounts.slice(0, index).some((other) => other.mount === mount),
  )
  if (twice !== undefined) throw optionError(`two applications are mounted at ${twice.mount}`)
  return mounts.toSorted((one, other) => other.mount.length - one.mount.length)
}

function checkMount(options: unknown): CheckedMount {
  if (typeof options !== 'object' || options === null) {
    throw optionError(
      `the options must be an object such as { app: 'flaskapp:app', mount: '/api' }, ` +
        `not ${describeValue(options)}`,
    )
  }
  const { app, mount, refresh = true, ...python } = options as ViteMountOptions
  if (typeof app !== 'string' || app === '') {
    throw optionError(
      "app must be 'MODULE:NAME' or 'FILE:NAME', such as 'flaskapp:app' or './src/site.ts:app', " +
        `not ${describeValue(app)}`,
    )
  }
  if (typeof mount !== 'string' || !/^\/(?:[^?#]*[^?#/])?$/.test(mount)) {
    throw optionError(
      "mount must be a path with a slash at its beginning and none at its end, such as '/api', " +
        `or '/', not ${describeValue(mount)}`,
    )
  }
  if (typeof refresh !== 'boolean')
    throw optionError(`refresh must be true or false, not ${describeValue(refresh)}`)
  if ('onReload' in python)
    throw optionError('onReload cannot be used here: the plugin needs it itself')
  const isPython = !JAVASCRIPT.test(app)
  const [needless] = Object.keys(python).filter((name) => name !== 'reload')
  if (!isPython && needless !== undefined) {
    throw optionError(`${needless} is an option of Python applications, and ${app} is not one`)
  }
  return { app, mount, isPython, refresh, python }
}

function optionError(message: string): TypeError {
  return withoutCalls(
    Object.assign(new TypeError(`monoceros/vite: ${message}`), { code: 'vite-option' }),
  )
}

/**
 * Takes the calls away from an error about the user's options. Vite prints them, and the message
 * says all that there is to know.
 */
export function withoutCalls<T extends Error>(error: T): T {
  error.stack = String(error)
  return error
}
