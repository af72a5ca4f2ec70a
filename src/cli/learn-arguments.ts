/** The command line of `monoceros learn`. */
import { parseArgs } from 'node:util'
import { coded } from '../messages/coded.ts'
import { quoted, SettingsError } from '../settings/settings-error.ts'

/** What the command was asked to do. The package of the site gets it as it is. */
export interface LearnArguments {
  readonly help: boolean
  /** Where to listen; null for the usual port, or the next one that is free. */
  readonly bind: { readonly host: string; readonly port: number } | null
  /** Where the page may save, as it was given; null for new folders below the working directory. */
  readonly saveTo: string | null
  /** Whether the page may save. */
  readonly save: boolean
  /** Whether the browser is opened. */
  readonly browser: boolean
  /** Whether the package of the site may be downloaded if it is not there. */
  readonly install: boolean
}

/** The text of `monoceros learn --help`. */
export const LEARN_HELP = `Usage: monoceros learn [options]

Serves the documentation of Monoceros from this machine, with the tutorial that
runs in the page, and opens the browser. The site is a package of its own: if it
is not installed, it is downloaded once.

  --bind HOST:PORT  where to listen (default: 127.0.0.1:8642, or the next free port)
  --save-to FOLDER  where the page may save what you write
                    (default: a new folder below this one for each project)
  --no-save         the page may not save
  --no-browser      print the address, and open nothing
  --no-install      do not download the package of the site
  -h, --help        show this
`

/**
 * Reads what follows `monoceros learn`.
 *
 * @throws SettingsError
 */
export function parseLearnArguments(args: readonly string[]): LearnArguments {
  const values = parse(args)
  const saveTo = values['save-to'] ?? null
  if (values['no-save'] && saveTo !== null)
    throw wrong('--save-to and --no-save exclude each other')
  if (saveTo === '') throw wrong('--save-to: expected a folder, got nothing')
  return {
    help: values.help ?? false,
    bind: values.bind === undefined ? null : readAddress(values.bind),
    saveTo,
    save: !values['no-save'],
    browser: !values['no-browser'],
    install: !values['no-install'],
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        bind: { type: 'string', short: 'b' },
        'save-to': { type: 'string' },
        'no-save': { type: 'boolean' },
        'no-browser': { type: 'boolean' },
        'no-install': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n')
    throw wrong(line.replace(/\. To specify a positional.*$/, ''))
  }
}

/** @param text `HOST:PORT`, `[IPv6]:PORT` or a port */
function readAddress(text: string): { host: string; port: number } {
  const match = /^(?:(?<host>\[[0-9a-f:.]+\]|[^:\s]+):)?(?<port>\d{1,5})$/i.exec(text)
  const port = Number(match?.groups?.port)
  if (match === null || port > 65535)
    throw wrong(`--bind: expected HOST:PORT, such as 127.0.0.1:8642, got ${quoted(text)}`)
  return { host: (match.groups?.host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port }
}

function wrong(what: string): SettingsError {
  return new SettingsError(
    'bad-arguments',
    coded('MONO7201', `learn: ${what}; see monoceros learn --help`),
  )
}
