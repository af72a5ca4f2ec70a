import { parseArgs } from 'node:util'
import { coded } from '../messages/coded.ts'
import { didYouMean } from '../settings/suggestion.ts'
import { InstallError } from './install-error.ts'
import { DEFAULT_TARGET } from './install-folder.ts'

interface Option {
  readonly short?: string
  /** The placeholder for its value in the help; an option without one is a switch. */
  readonly value?: string
  readonly help: string
  /** An option of Monoceros, which pip does not get. */
  readonly own?: true
  /** It says where packages come from; pip itself is downloaded from there, too. */
  readonly index?: true
  /** The pattern of its value. */
  readonly shape?: RegExp
}

/**
 * pip's options that apply here, with pip's names and meanings, and Monoceros's own, in the order
 * of the help.
 */
const options = {
  requirement: {
    short: 'r',
    value: 'FILE',
    help: 'Install the packages of a requirements file; repeatable.',
  },
  constraint: { short: 'c', value: 'FILE', help: 'Restrict versions by a constraints file.' },
  target: {
    short: 't',
    value: 'DIR',
    own: true,
    help: 'Where to install (default: python_modules). The lock file is next to it.',
  },
  upgrade: {
    short: 'U',
    help: 'Install the newest version of the named packages.',
  },
  'upgrade-strategy': {
    value: 'STRATEGY',
    shape: /^(only-if-needed|eager)$/,
    help: 'For dependencies: only-if-needed (default) or eager.',
  },
  'force-reinstall': { help: 'Install again, even if it is installed already.' },
  pre: { help: 'Include pre-releases.' },
  'no-deps': { help: 'Do not install dependencies.' },
  'require-hashes': { help: 'Require a hash for each requirement.' },
  'no-compile': { help: 'Do not write bytecode.' },
  'index-url': {
    short: 'i',
    value: 'URL',
    index: true,
    help: "The index (default: from pip's configuration).",
  },
  'extra-index-url': { value: 'URL', index: true, help: 'An additional index.' },
  'no-index': { index: true, help: 'Use no index, only --find-links.' },
  'find-links': { short: 'f', value: 'PLACE', index: true, help: 'A folder or page with wheels.' },
  'trusted-host': {
    value: 'HOST',
    index: true,
    help: 'Do not check the certificate of this host.',
  },
  cert: { value: 'FILE', index: true, help: 'The certificate authorities to trust (PEM).' },
  'client-cert': {
    value: 'FILE',
    index: true,
    help: 'A client certificate with its key (PEM).',
  },
  proxy: { value: 'URL', index: true, help: 'The proxy to use.' },
  timeout: {
    value: 'SECONDS',
    index: true,
    shape: /^\d+(\.\d+)?$/,
    help: 'How long to wait for a server (default: 15).',
  },
  retries: { value: 'N', shape: /^\d+$/, help: 'The number of retries (default: 5).' },
  'cache-dir': { value: 'DIR', own: true, help: "The folder of pip's cache (default: pip's own)." },
  'no-cache-dir': { own: true, help: 'Do not cache downloads.' },
  quiet: { short: 'q', own: true, help: 'Less output.' },
  verbose: { short: 'v', own: true, help: 'More output; repeatable.' },
  help: { short: 'h', own: true, help: 'Show this help.' },
} as const satisfies Record<string, Option>

type OptionName = keyof typeof options
const table: Readonly<Record<string, Option>> = options
const names = Object.keys(table)

/** pip's options that are not available, and what to do instead. */
const refused: Readonly<Record<string, string>> = {
  editable:
    'a project folder would have to be built, which the embedded Python cannot do. ' +
    'Add the folder to --pythonpath when serving',
  user: 'packages go to python_modules, or to --target',
  prefix: 'packages go to python_modules, or to --target',
  root: 'packages go to python_modules, or to --target',
  'no-binary': 'only wheels can be installed; the embedded Python cannot build packages',
}
const refusedShort: Readonly<Record<string, string>> = { e: 'editable' }

/** What `monoceros install` is asked to do. */
export interface InstallOptions {
  readonly help: boolean
  /** Requirements in pip's form: names with versions and extras, wheels, URLs of wheels. */
  readonly requirements: readonly string[]
  /** Nothing is named: install the packages of the lock file. */
  readonly locked: boolean
  /** Whether to install packages again that are installed already. */
  readonly again: boolean
  /** As given; relative to the working directory. */
  readonly target: string
  /** -1: quiet; 0: normal; 1 or more: verbose. */
  readonly verbosity: number
  readonly cacheDir: string | null
  readonly noCache: boolean
  /** pip's options, as `--name` or `--name=value`; without the requirements. */
  readonly pip: readonly string[]
  /** Options about the source of packages, for downloading pip itself. */
  readonly index: Readonly<Record<string, readonly string[]>>
}

/**
 * Reads the arguments after `monoceros install`.
 *
 * @throws InstallError with code `usage`
 */
export function parseInstallOptions(args: readonly string[]): InstallOptions {
  const pip: string[] = []
  const index: Record<string, string[]> = {}
  const requirements: string[] = []
  let help = false
  let target: string = DEFAULT_TARGET
  let verbosity = 0
  let cacheDir: string | null = null
  let noCache = false
  let sources = 0
  for (const token of tokensOf(args)) {
    if (token.kind === 'positional') requirements.push(token.value)
    if (token.kind !== 'option') continue
    const { rawName, value } = token
    const name = known(token.name, rawName)
    const option: Option = table[name] as Option
    if (option.value === undefined && value !== undefined)
      throw new InstallError(
        'usage',
        coded('MONO7101', `${rawName} does not take a value, got "${value}"`),
      )
    if (option.value !== undefined && (value === undefined || value === ''))
      throw new InstallError(
        'usage',
        coded('MONO7101', `${rawName} needs a value: ${rawName} ${option.value}`),
      )
    if (value !== undefined && option.shape?.test(value) === false)
      throw new InstallError(
        'usage',
        coded('MONO7101', `${rawName} ${option.value}: "${value}" is not a valid value`),
      )
    if (name === 'help') help = true
    else if (name === 'target') target = value as string
    else if (name === 'quiet') verbosity = -1
    else if (name === 'verbose') verbosity = Math.max(verbosity, 0) + 1
    else if (name === 'cache-dir') cacheDir = value as string
    else if (name === 'no-cache-dir') noCache = true
    if (name === 'requirement') sources++
    if (option.index === true) {
      index[name] ??= []
      index[name].push(value ?? 'true')
    }
    if (option.own !== true) pip.push(value === undefined ? `--${name}` : `--${name}=${value}`)
  }
  const locked = requirements.length === 0 && sources === 0
  const again = pip.includes('--force-reinstall')
  return { help, requirements, locked, again, target, verbosity, cacheDir, noCache, pip, index }
}

function tokensOf(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(table).map(([name, { short, value }]) => [
        name,
        {
          type: value === undefined ? ('boolean' as const) : ('string' as const),
          multiple: true,
          ...(short === undefined ? {} : { short }),
        },
      ]),
    ),
  }).tokens
}

function known(name: string, rawName: string): OptionName {
  if (Object.hasOwn(table, name)) return name as OptionName
  const long = refusedShort[name] ?? name
  const why = refused[long]
  if (why !== undefined)
    throw new InstallError('usage', coded('MONO7102', `${rawName} is not supported: ${why}`))
  const suggestion = didYouMean(
    rawName,
    names.map((known) => `--${known}`),
  )
  throw new InstallError(
    'usage',
    coded('MONO7101', `Unknown option "${rawName}"${suggestion}; see monoceros install --help`),
  )
}

/** The text of `monoceros install --help`, with a line end. */
export function installHelp(): string {
  const rows = Object.entries(table).map(([name, { short, value, help }]): [string, string] => [
    (short === undefined ? '    ' : `-${short}, `) +
      `--${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ])
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return `Usage: monoceros install [options] [PACKAGE...]

Installs Python packages into python_modules; no installed Python is needed.

  monoceros install flask                  the newest Flask that runs here, with dependencies
  monoceros install -r requirements.txt    the packages of a requirements file
  monoceros install                        exactly the packages of pylock.monoceros.toml

pip's configuration decides where packages come from: pip.conf, PIP_INDEX_URL and so on.

Options:
${rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')}
`
}

/** The names of all options. */
export function installOptionNames(): readonly string[] {
  return names
}
