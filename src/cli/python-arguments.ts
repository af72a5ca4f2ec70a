/** The command line of `monoceros python`: ours, then Python's own, then the program's. */
import type { ProgramFlags } from '../runtimes/pyodide/command/command-link.ts'
import { quoted, SettingsError } from '../settings/settings-error.ts'
import { didYouMean } from '../settings/suggestion.ts'

/** What was asked for. */
export interface PythonArguments {
  /** `input` is standard input, or a prompt when that is a terminal. */
  readonly program: {
    readonly kind: 'script' | 'module' | 'code' | 'input' | 'version' | 'help'
    /** The script, the module or the code; `-` or nothing for `input`. */
    readonly name: string
  }
  /** The program's own arguments. */
  readonly args: readonly string[]
  /** Options of ours, for the settings. */
  readonly own: readonly string[]
  /** `-E` or `-I`: variables that begin with PYTHON do not count. */
  readonly isolated: boolean
  readonly flags: ProgramFlags
}

/** Settings of the server that make sense here. Not by `-c`, which is Python's. */
const OURS = ['--mount', '--pythonpath', '--env', '-e', '--chdir', '--config']

/** Python's options that are obeyed or, as they change nothing here, accepted. */
const PLAIN = 'uiqBEIPsSbdv?hV'
const OTHERS = ['--help', '--version']

const NOT_HERE: Readonly<Record<string, string>> = {
  O: 'the embedded Python keeps assertions and doc strings',
  x: 'the first line of a script cannot be skipped',
}

export const pythonHelp = `Usage: monoceros python [options] [-c CODE | -m MODULE | SCRIPT | -] [arguments]

Runs a program on the embedded Python, with no Python installed. Without a program: what is on standard input,
or a prompt when that is a terminal.

It sees the working directory, the script's folder, the folder for temporary files, and what is named by --mount and
--pythonpath. Packages are found in python_modules (see monoceros install) and .venv of the first two. It has all
environment variables, unlike a served application. The server's config file counts, too: its mounts, pythonpath and
raw_env. (An application that is called python is served by its full name: monoceros python:app.)

Options of Monoceros, in front of Python's:
  --mount PATH[:ro]         A file or folder that the program can see, at its own path; :ro makes it read-only
  --pythonpath DIRS         Folders to search for modules first
  -e, --env KEY=VALUE       An environment variable
  --chdir DIR               The working directory
  --config FILE             The config file

Options of Python:
  -c CODE                   Run this code
  -m MODULE                 Run this module
  -u                        Do not buffer standard output
  -i                        Prompt when the program is over
  -q                        No greeting at the prompt
  -B                        Write no byte code
  -P                        Do not search the script's folder for modules
  -E, -I                    Ignore variables that begin with PYTHON; -I is -E and -P
  -W FILTER                 What to do about warnings
  -X OPTION                 For sys._xoptions; -X dev shows all warnings
  -V, --version             Print Python's version

What it has not: threads, other processes, sockets. To serve an application: monoceros MODULE:NAME
`

/**
 * Reads the arguments that follow `monoceros python`.
 *
 * @throws SettingsError
 */
export function parsePythonArguments(args: readonly string[]): PythonArguments {
  const own: string[] = []
  const letters = new Set<string>()
  const warnings: string[] = []
  const options: string[] = []
  let program: PythonArguments['program'] = { kind: 'input', name: '' }
  let at = 0
  const valueFor = (flag: string, joined: string): string => {
    if (joined !== '') return joined
    const value = args[at++]
    if (value === undefined)
      throw new SettingsError('missing-value', `python: ${flag} needs a value`)
    return value
  }
  parsing: while (at < args.length) {
    const argument = args[at++] as string
    if (argument === '-') {
      program = { kind: 'input', name: '-' }
      break
    }
    if (!argument.startsWith('-')) {
      program = { kind: 'script', name: argument }
      break
    }
    const equals = argument.startsWith('--') ? argument.indexOf('=') : -1
    const name = equals < 0 ? argument : argument.slice(0, equals)
    if (OURS.includes(name)) {
      // Joined again, so that a value may begin with a dash.
      const value = valueFor(name, equals < 0 ? '' : argument.slice(equals + 1))
      own.push(`${name === '-e' ? '--env' : name}=${value}`)
      continue
    }
    if (argument === '--help') return asked('help')
    if (argument === '--version') return asked('version')
    if (argument.startsWith('--')) throw unknown(argument)
    // Short options of Python's may be written together: -uc CODE.
    for (let index = 1; index < argument.length; index++) {
      const letter = argument[index] as string
      const rest = argument.slice(index + 1)
      if (letter === 'c' || letter === 'm') {
        program = { kind: letter === 'c' ? 'code' : 'module', name: valueFor(`-${letter}`, rest) }
        break parsing
      }
      if (letter === 'W' || letter === 'X') {
        ;(letter === 'W' ? warnings : options).push(valueFor(`-${letter}`, rest))
        break
      }
      const why = NOT_HERE[letter]
      if (why !== undefined)
        throw new SettingsError('unsupported', `python: -${letter} is not possible: ${why}`)
      if (!PLAIN.includes(letter)) throw unknown(argument)
      if (letter === 'h' || letter === '?') return asked('help')
      if (letter === 'V') return asked('version')
      letters.add(letter)
    }
  }
  return {
    program,
    args: args.slice(at),
    own,
    isolated: letters.has('E') || letters.has('I'),
    flags: {
      unbuffered: letters.has('u'),
      inspect: letters.has('i'),
      quiet: letters.has('q'),
      safePath: letters.has('P') || letters.has('I'),
      noByteCode: letters.has('B'),
      warnings,
      options,
    },
  }
}

const NO_FLAGS: ProgramFlags = {
  unbuffered: false,
  inspect: false,
  quiet: false,
  safePath: false,
  noByteCode: false,
  warnings: [],
  options: [],
}

function asked(kind: 'help' | 'version'): PythonArguments {
  return { program: { kind, name: '' }, args: [], own: [], isolated: false, flags: NO_FLAGS }
}

function unknown(argument: string): SettingsError {
  const suggestion = argument.startsWith('--') ? didYouMean(argument, [...OURS, ...OTHERS]) : ''
  return new SettingsError(
    'unknown-flag',
    `python: Unknown option ${quoted(argument)}${suggestion}; see monoceros python --help. Options of the program follow its name`,
  )
}
