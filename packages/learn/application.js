/** What `monoceros learn` answers: the pages of the site, and requests to save. */
import { relative } from 'node:path'
import { coded } from './coded.js'
import { createPages } from './pages.js'
import { LIMITS, readProject, SaveError, saveAsNew, saveInto } from './project.js'
import { isSecret, readSession } from './session.js'

/**
 * @import { Session } from './session.js'
 * @typedef {{ status: string, body: string }} Answer
 * @typedef {Record<string, unknown> & { 'wsgi.input': { read(size?: number): Promise<Uint8Array> } }} Environ
 */

/** JSON may write each byte of a text as `\u0000`. */
const LARGEST_BODY = LIMITS.bytes * 6
const USED_TWICE =
  'The address that the command opened was used twice, so nothing is saved any more. ' +
  'Start the command again.'
/** Another version of the package may stand at the same address the next time. @type {[string, string][]} */
const FRESH = [['Cache-Control', 'no-store']]
const STATUS_OF = {
  invalid: '400 Bad Request',
  exists: '409 Conflict',
  failed: '500 Internal Server Error',
}

/**
 * Makes the application.
 *
 * Only the page that this run has opened may write: another web page in the same browser, another
 * user of this machine and a name that resolves to this machine must not. So a request to save
 * needs the key, comes from a page of this server (`Origin`), was made by a script that could ask
 * for the header (no form can), and names this server (`Host`).
 *
 * @param {Session} session
 */
export function createApplication(session) {
  /** How often somebody has had the key for `once`. From the second time on, nobody may write. */
  let swaps = 0
  const pageAt = createPages(session.site)

  /** @type {import('monoceros').WSGIFunction} */
  return async (environ, startResponse) => {
    const path = String(environ.PATH_INFO)
    if (!path.startsWith('/learn/api/')) {
      const { status, headers, body } = await pageAt(path)
      startResponse(status, [...headers, ['Content-Length', String(body.length)], ...FRESH])
      return [body]
    }
    const { status, body } = await answer(path, /** @type {any} */ (environ))
    const bytes = new TextEncoder().encode(body)
    startResponse(status, [
      ['Content-Type', 'application/json'],
      ['Content-Length', String(bytes.length)],
      ...FRESH,
    ])
    return [bytes]
  }

  /**
   * @param {string} path
   * @param {Environ} environ
   * @returns {Promise<Answer>}
   */
  async function answer(path, environ) {
    const refused = refusal(environ)
    if (refused !== null) return problem('403 Forbidden', refused)
    try {
      return await follow(path, environ)
    } catch (error) {
      if (!(error instanceof SaveError)) throw error
      return problem(STATUS_OF[error.code], error.message, { files: error.files })
    }
  }

  /**
   * @param {string} path
   * @param {Environ} environ
   * @returns {Promise<Answer>}
   */
  async function follow(path, environ) {
    if (path === '/learn/api/key') return await swap(environ)
    if (swaps > 1) return problem('403 Forbidden', USED_TWICE)
    if (!isSecret(String(environ.HTTP_X_MONOCEROS_KEY ?? ''), session.key))
      return problem('403 Forbidden', 'Open the address that the command shows in the terminal.')
    if (path === '/learn/api/state')
      return ok({ folder: session.folder, named: session.named, save: session.save })
    if (path !== '/learn/api/save') return problem('404 Not Found', 'There is no such request.')
    if (!session.save) return problem('403 Forbidden', 'The command was started with --no-save.')
    return await save(environ)
  }

  /** @param {Environ} environ */
  async function swap(environ) {
    const given = /** @type {{ once?: unknown }} */ (await readBody(environ, 1024))?.once
    if (typeof given !== 'string' || !isSecret(given, session.once))
      return problem('403 Forbidden', 'This address is that of another run of the command.')
    swaps++
    if (swaps === 1) return ok({ key: session.key })
    // Two have had it: one of them is not the browser that was opened.
    if (swaps === 2) console.error(`monoceros learn: ${coded('MONO7205', USED_TWICE)}`)
    return problem('403 Forbidden', USED_TWICE)
  }

  /** @param {Environ} environ */
  async function save(environ) {
    const project = readProject(await readBody(environ, LARGEST_BODY))
    let { folder } = session
    if (session.named) await saveInto(folder, project)
    else folder = await saveAsNew(folder, project)
    const files = [...project.files.keys()]
    console.error(`monoceros learn: saved ${files.join(', ')} in ${folder}`)
    return ok({ folder, name: relative(session.cwd, folder) || '.', files })
  }

  /**
   * Why a request is none of this server's page.
   *
   * @param {Environ} environ
   */
  function refusal(environ) {
    const { HTTP_HOST: host, HTTP_ORIGIN: origin, HTTP_SEC_FETCH_SITE: site } = environ
    if (environ.REQUEST_METHOD !== 'POST') return 'Only POST is answered here.'
    if (session.hosts.length > 0 && !session.hosts.includes(String(host).toLowerCase()))
      return 'The address in the request is not that of this server.'
    if (origin !== `${environ['wsgi.url_scheme']}://${host}`)
      return 'Only a page of this server may ask for this.'
    if (site !== undefined && site !== 'same-origin')
      return 'Only a page of this server may ask for this.'
    if (!/^application\/json(;|$)/i.test(String(environ.CONTENT_TYPE)))
      return 'Only JSON is taken here.'
    return null
  }
}

/**
 * @param {Environ} environ
 * @param {number} limit
 * @returns {Promise<unknown>} null if it is no JSON
 */
async function readBody(environ, limit) {
  const length = Number(environ.CONTENT_LENGTH)
  if (!(length > 0 && length <= limit)) throw new SaveError('invalid', 'The project is too large')
  try {
    return JSON.parse(new TextDecoder().decode(await environ['wsgi.input'].read(length)))
  } catch {
    return null
  }
}

/** @param {Record<string, unknown>} value @returns {Answer} */
function ok(value) {
  return { status: '200 OK', body: JSON.stringify(value) }
}

/**
 * @param {string} status
 * @param {string} message
 * @param {Record<string, unknown>} [more]
 * @returns {Answer}
 */
function problem(status, message, more = {}) {
  return { status, body: JSON.stringify({ message, ...more }) }
}

/** @type {ReturnType<typeof createApplication> | undefined} */
let made

/** The application of this run. @type {import('monoceros').WSGIFunction} */
export const app = (environ, startResponse) => {
  made ??= createApplication(readSession(process.env))
  return made(environ, startResponse)
}
