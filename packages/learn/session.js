import { createHash, timingSafeEqual } from 'node:crypto'

/** The variable that hands the session from the command to the process of the application. */
export const VARIABLE = 'MONOCEROS_LEARN'

/**
 * @typedef {object} Session what one run of `monoceros learn` agrees with its page
 * @property {string} key whoever has it may save. It is in the address that the terminal shows
 * @property {string} once the page that the command opens swaps it for the key. Others may see it
 *   in the list of processes, so that it counts once
 * @property {string} site the folder of the site
 * @property {string} folder where projects are saved: the working directory, or what the user has named
 * @property {string} cwd the working directory
 * @property {boolean} named whether the user has named it
 * @property {boolean} save whether the page may save
 * @property {string} bind
 * @property {readonly string[]} hosts values of `Host` that mean this server; none: any
 * @property {string} address for the user, without a key
 * @property {boolean} browser whether one is opened
 */

/**
 * @param {NodeJS.ProcessEnv} env
 * @returns {Session}
 */
export function readSession(env) {
  const text = env[VARIABLE]
  if (text === undefined) throw new Error('start it with: monoceros learn')
  return JSON.parse(text)
}

/**
 * Compares two secrets in the same time, however much of them is equal.
 *
 * @param {string} given
 * @param {string} expected
 */
export function isSecret(given, expected) {
  return timingSafeEqual(digest(given), digest(expected))
}

/** @param {string} text */
function digest(text) {
  return createHash('sha256').update(text).digest()
}
