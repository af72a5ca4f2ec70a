import { parseArgs } from 'node:util'
import { didYouMean } from '../settings/suggestion.ts'
import { InstallError } from './install-error.ts'
import { DEFAULT_TARGET } from './install-folder.ts'

interface Option {
  readonly short?: string
  /** What its value is called in the help; an option without one is a switch. */
  readonly value?: string
  readonly help: string
  /** It is ours, and pip does not hear of it. */
  readonly own?: true
  /** It says where packages come from, so pip itself is looked for there, too. */
  readonly index?: true
  /** What its value must look like. */
  readonly shape?: RegExp
}

/**
 * Those of pip's options that make sense here, and our own, in the order of the help. Names and
 * meanings are pip's.
 */
const options = {
  requirement: {
    short: 'r',
    value: 'FILE',
    help: 'Install what a requirements file lists; may be given more than once.',
  },
  constraint: { short: 'c', value: 'FILE', help: 'Keep to the versions in a constraints file.' },
  target: {
    short: 't',
    value: 'DIR',
    own: true,
    help: 'Where to install (default: python_modules). The lock file is put beside it.',
  },
  upgrade: {
    short: 'U',
    help: 'Take the newest version of what is named, in place of an older one.',
  },
  'upgrade-strategy': {
    value: 'STRATEGY',
    shape: /^(only-if-needed|eager)$/,
    help: 'For what the named ones need: only-if-needed (default) or eager.',
  },
  'force-reinstall': { help: 'Install again what is installed already.' },
  pre: { help: 'Take pre-releases into account.' },
  'no-deps': { help: 'Install what is named and nothing that it needs.' },
  'require-hashes': { help: 'Install nothing that has no hash in the requirements.' },
  'no-compile': { help: 'Make no byte code.' },
  'index-url': {
    short: 'i',
    value: 'URL',
    index: true,
    help: 'The index (default: the one that pip is set up for).',
  },
  'extra-index-url': { value: 'URL', index: true, help: 'A further index.' },
  'no-index': { index: true, help: 'Ask no index, only --find-links.' },
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
    help: 'A certificate of our own to show, with its key (PEM).',
  },
  proxy: { value: 'URL', index: true, help: 'The proxy to go through.' },
  timeout: {
    value: 'SECONDS',
    index: true,
    shape: /^\d+(\.\d+)?$/,
    help: 'How long to wait for a server (default: 15).',
  },
  retries: { value: 'N', shape: /^\d+$/, help: 'How often to try again (default: 5).' },
  'cache-dir': { value: 'DIR', own: true, help: "pip's cache (default: the one that pip has)." },
  'no-cache-dir': { own: true, help: 'Keep nothing of what is downloaded.' },
  quiet: { short: 'q', own: true, help: 'Say less.' },
  verbose: { short: 'v', own: true, help: 'Say more; twice, still more.' },
  help: { short: 'h', own: true, help: 'Show this help.' },
} as const satisfies Record<string, Option>

type OptionName = keyof typeof options
const table: Readonly<Record<string, Option>> = options
const names = Object.keys(table)

/** Options of pip's that people may look for here, and what to do instead. */
const refused: Readonly<Record<string, string>> = {
  editable:
    'installing a project folder means building it, which the embedded Python cannot. Put the folder on --pythonpath when serving',
  user: 'packages go to python_modules, or to --target',
  prefix: 'packages go to python_modules, or to --target',
  root: 'packages go to python_modules, or to --target',
  'no-binary': 'only wheels can be installed; the embedded Python runs no builds',
}
const refusedShort: Readonly<Record<string, string>> = { e: 'editable' }

/** What `monoceros install` is asked to do. */
export interface InstallOptions {
  readonly help: boolean
  /**
   * What to install, as pip takes it: names with versions and extras, wheels, addresses of wheels.
   */
  readonly requirements: readonly string[]
  /** True when nothing is named: install what the lock file has. */
  readonly locked: boolean
  /** Whether to install what is there already, too. */
  readonly again: boolean
  /** As given; relative to the working directory. */
  readonly target: string
  /** -1 for quiet, 0, and 1 or more for verbose. */
  readonly verbosity: number
  readonly cacheDir: string | null
  readonly noCache: boolean
  /** What pip gets, in one form: `--name`, `--name=value`. Without the requirements. */
  readonly pip: readonly string[]
  /** Options that say where packages come from, for getting pip itself. */
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
      throw new InstallError('usage', `${rawName} takes no value, and was given "${value}"`)
    if (option.value !== undefined && (value === undefined || value === ''))
      throw new InstallError('usage', `${rawName} needs a value: ${rawName} ${option.value}`)
    if (value !== undefined && option.shape?.test(value) === false)
      throw new InstallError('usage', `${rawName} ${option.value}: "${value}" is no such value`)
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
    throw new InstallError('usage', `${rawName} is not for monoceros install: ${why}`)
  const suggestion = didYouMean(
    rawName,
    names.map((known) => `--${known}`),
  )
  throw new InstallError(
    'usage',
    `Unknown option "${rawName}"${suggestion}; monoceros install --help lists all`,
  )
}

/** The text of `monoceros install --help`, with a line end. */
export function installHelp(): string {
  const rows = Object.entries(table).map(([name, { short, value, help }]): [string, string] => [
    `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
    help,
  ])
  const width = Math.max(...rows.map(([left]) => left.length)) + 2
  return `Usage: monoceros install [options] [PACKAGE...]

Installs Python packages into python_modules, with no Python on the machine.

  monoceros install flask                  the newest Flask that runs here, and what it needs
  monoceros install -r requirements.txt    what a requirements file lists
  monoceros install                        exactly what the lock file pylock.monoceros.toml has

Packages come from where pip is set up to get them: pip.conf, PIP_INDEX_URL and the like.

Options:
${rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')}
`
}

/** All options with what they do, for the reference page. */
export function installOptionNames(): readonly string[] {
  return names
}
