import { randomBytes } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { coded } from './coded.js'
import { VARIABLE } from './session.js'

/** The port of the site. It stays the same, because what the reader writes is kept by address. */
const PORT = 8642
/** So many further ports are tried. */
const TRIES = 20

/** A mistake of the user, or of this machine: its message is one line, which ends in its code. */
class UsageError extends Error {}

/**
 * Prepares what `monoceros learn` serves.
 *
 * @param {object} given the command line, which the command has read
 * @param {{ host: string, port: number } | null} given.bind what the user has given
 * @param {string | null} given.saveTo as it was given
 * @param {boolean} given.save
 * @param {boolean} given.browser
 * @param {object} context
 * @param {string} context.cwd
 * @param {NodeJS.ProcessEnv} context.env gets a variable for the processes of the server
 * @param {{ write(text: string): unknown }} context.stderr
 * @returns {Promise<string[] | number>} the arguments of the server, or an exit status
 */
export async function learn(given, { cwd, env, stderr }) {
  try {
    const folder = given.saveTo === null ? cwd : resolve(cwd, given.saveTo)
    if (given.saveTo !== null) insistOnFolder(folder)
    const { host, port: asked } = given.bind ?? { host: '127.0.0.1', port: await freePort() }
    const port = asked === 0 ? await anyPort(host) : asked
    const named = host.includes(':') ? `[${host}]` : host
    /** @type {import('./session.js').Session} */
    const session = {
      key: secret(),
      once: secret(),
      site: siteFolder(),
      folder,
      cwd,
      named: given.saveTo !== null,
      save: given.save,
      bind: `${named}:${port}`,
      hosts: isLoopback(host) ? [named, 'localhost'].map((name) => `${name}:${port}`) : [],
      address: `http://${isAny(host) ? 'localhost' : named}:${port}/`,
      browser: given.browser,
    }
    env[VARIABLE] = JSON.stringify(session)
    return ['--config', fileURLToPath(new URL('monoceros.config.js', import.meta.url))]
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    stderr.write(`monoceros learn: ${error.message}\n`)
    return 2
  }
}

/** @param {string} folder */
function insistOnFolder(folder) {
  if (existsSync(folder) ? !statSync(folder).isDirectory() : !existsSync(dirname(folder)))
    throw new UsageError(
      coded('MONO7202', `--save-to: expected a folder, or a new one in a folder, got ${folder}`),
    )
}

/** Beside this module; in the repository, where it is built. */
function siteFolder() {
  const here = fileURLToPath(new URL('.', import.meta.url))
  const found = [join(here, 'site'), join(here, '..', '..', 'site', 'dist')].find((folder) =>
    existsSync(join(folder, 'index.html')),
  )
  if (found === undefined)
    throw new UsageError(coded('MONO7204', 'there is no site; build it: npm run site -- --build'))
  return found
}

async function freePort() {
  for (let port = PORT; port < PORT + TRIES; port++) if (await isFree(port)) return port
  throw new UsageError(
    coded('MONO7203', `the ports ${PORT} to ${PORT + TRIES - 1} are taken; name another: --bind`),
  )
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      server.close(() => done(true)),
    )
  })
}

/** @param {string} host @returns {Promise<number>} */
function anyPort(host) {
  return new Promise((done, fail) => {
    const server = createServer()
    server.once('error', (error) =>
      fail(new UsageError(coded('MONO7203', `--bind: ${error.message}`))),
    )
    server.listen({ port: 0, host }, () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => done(port))
    })
  })
}

/** @param {string} host */
function isLoopback(host) {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
}

/** @param {string} host */
function isAny(host) {
  return host === '0.0.0.0' || host === '::'
}

function secret() {
  return randomBytes(24).toString('base64url')
}
