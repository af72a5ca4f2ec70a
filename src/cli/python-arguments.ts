/** The command line of `monoceros python`: our options, Python's, then the program's. */
import { coded } from '../messages/coded.ts'
import type { ProgramFlags } from '../runtimes/pyodide/command/command-link.ts'
import { quoted, SettingsError } from '../settings/settings-error.ts'
import { didYouMean } from '../settings/suggestion.ts'

/** What the command was asked to do. */
export interface PythonArguments {
  /** `input` is standard input, or a prompt if that is a terminal. */
  readonly program: {
    readonly kind: 'script' | 'module' | 'code' | 'input' | 'version' | 'help'
    /** The script, the module or the code; `-` or nothing for `input`. */
    readonly name: string
  }
  /** The program's own arguments. */
  readonly args: readonly string[]
  /** Monoceros's options, for the settings. */
  readonly own: readonly string[]
  /** `-E` or `-I`: ignore variables that begin with PYTHON. */
  readonly isolated: boolean
  readonly flags: ProgramFlags
}

/** The server's flags that apply here. Not `-c`, which is Python's. */
const OURS = ['--mount', '--pythonpath', '--env', '-e', '--chdir', '--config']

/** Python's options without a value; some are accepted but have no effect here. */
const PLAIN = 'uiqBEIPsSbdv?hV'
const OTHERS = ['--help', '--version']

const NOT_HERE: Readonly<Record<string, string>> = {
  O: 'the embedded Python always keeps assertions and docstrings',
  x: 'the first line of a script cannot be skipped',
}

/** The text of `monoceros python --help`. */
export const PYTHON_HELP = `\
Usage: monoceros python [options] [-c CODE | -m MODULE | SCRIPT | -] [arguments]

Runs a program on the embedded Python; no installed Python is needed. Without a program, it runs
standard input, or shows a prompt if that is a terminal.

The program sees the working directory, the script's folder, the folder for temporary files, and
whatever --mount and --pythonpath name. It finds packages in python_modules (see monoceros install)
and .venv of the first two folders. It has all environment variables, unlike a served application.
The server's config file applies, too: its mounts, pythonpath and raw_env.
(To serve an application called python, use its full name: monoceros python:app.)

Options of Monoceros, in front of Python's:
  --mount PATH[:ro]         A file or folder that the program can see; :ro makes it read-only
  --pythonpath DIRS         Folders to search for modules first
  -e, --env KEY=VALUE       An environment variable
  --chdir DIR               The working directory
  --config FILE             The config file

Options of Python:
  -c CODE                   Run this code
  -m MODULE                 Run this module
  -u                        Do not buffer standard output
  -i                        Show a prompt when the program has ended
  -q                        Show no version at the prompt
  -B                        Do not write bytecode
  -P                        Do not search the script's folder for modules
  -E, -I                    Ignore variables that begin with PYTHON; -I is -E and -P
  -W FILTER                 A filter for warnings
  -X OPTION                 An option for sys._xoptions; -X dev shows all warnings
  -V, --version             Print Python's version

Not available: threads, other processes, sockets. To serve an application: monoceros MODULE:NAME
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
      throw new SettingsError('missing-value', coded('MONO1002', `python: ${flag} needs a value`))
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
      // Joined, because a value may begin with a dash.
      const value = valueFor(name, equals < 0 ? '' : argument.slice(equals + 1))
      own.push(`${name === '-e' ? '--env' : name}=${value}`)
      continue
    }
    if (argument === '--help') return asked('help')
    if (argument === '--version') return asked('version')
    if (argument.startsWith('--')) throw unknown(argument)
    // Python's short options may be combined: -uc CODE.
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
        throw new SettingsError(
          'unsupported',
          coded('MONO1004', `python: -${letter} is not supported: ${why}`),
        )
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
    coded(
      'MONO1001',
      `python: Unknown option ${quoted(argument)}${suggestion}; see monoceros python --help. ` +
        'Options of the program follow its name',
    ),
  )
}
