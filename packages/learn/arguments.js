import { parseArgs } from 'node:util'
import { coded } from './coded.js'

export const HELP = `Usage: monoceros learn [options]

Serves the documentation of Monoceros from this machine, with the tutorial that
runs in the page, and opens the browser.

  --bind HOST:PORT  where to listen (default: 127.0.0.1:8642, or the next free port)
  --save-to FOLDER  where the page may save what you write
                    (default: a new folder below this one for each project)
  --no-save         the page may not save
  --no-browser      print the address, and open nothing
  -h, --help        show this
`

/** A mistake of the user, or of this machine: its message is one line, which ends in its code. */
export class UsageError extends Error {}

/**
 * @typedef {object} LearnArguments
 * @property {boolean} help
 * @property {{ host: string, port: number } | null} bind what the user has given
 * @property {string | null} saveTo as it was given
 * @property {boolean} save
 * @property {boolean} browser
 */

/**
 * @param {readonly string[]} args what follows `learn`
 * @returns {LearnArguments}
 * @throws {UsageError}
 */
export function readArguments(args) {
  const values = parse(args)
  if (values['no-save'] && values['save-to'] !== undefined)
    throw wrong('--save-to and --no-save exclude each other')
  if (values['save-to'] === '') throw wrong('--save-to: expected a folder, got nothing')
  return {
    help: values.help ?? false,
    bind: values.bind === undefined ? null : readAddress(values.bind),
    saveTo: values['save-to'] ?? null,
    save: !values['no-save'],
    browser: !values['no-browser'],
  }
}

/** @param {string} text */
function wrong(text) {
  return new UsageError(coded('MONO7201', text))
}

/** @param {readonly string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        bind: { type: 'string', short: 'b' },
        'save-to': { type: 'string' },
        'no-save': { type: 'boolean' },
        'no-browser': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    const [line = ''] = /** @type {Error} */ (error).message.split('\n')
    throw wrong(`${line.replace(/\. To specify a positional.*$/, '')}; see --help`)
  }
}

/** @param {string} text `HOST:PORT`, `[IPv6]:PORT` or a port */
function readAddress(text) {
  const match = /^(?:(?<host>\[[0-9a-f:.]+\]|[^:\s]+):)?(?<port>\d{1,5})$/i.exec(text)
  const port = Number(match?.groups?.port)
  if (match === null || port > 65535)
    throw wrong(`--bind: expected HOST:PORT, such as 127.0.0.1:8642, got "${text}"`)
  return { host: (match.groups?.host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port }
}
