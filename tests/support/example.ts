import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from './applications.ts'
import { repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'
import { freePort } from './free-port.ts'
import { installNodeProject, linkModules } from './node-project.ts'
import { blocksOf, type ConsoleCommand, consoleCommands } from './page-blocks.ts'
import { PageShell } from './page-shell.ts'
import { testPython } from './python.ts'
import type { RunningServer } from './running-server.ts'
import { outputMatches } from './shown-output.ts'
import { ensureVirtualEnvironment, findBasePython } from './virtual-environment.ts'

/** Where the examples are. */
export const examplesFolder = join(repository, 'examples')

/** The examples that are projects: folders with a README.md of their own. */
export function exampleNames(): string[] {
  return readdirSync(examplesFolder)
    .filter((name) => existsSync(join(examplesFolder, name, 'README.md')))
    .sort()
}

/** What a block of commands in an example's README is for, behind the word `console`. */
const KINDS = ['install', 'run', 'serve', 'ask'] as const

export interface ReadmeCommand extends ConsoleCommand {
  readonly kind: (typeof KINDS)[number]
}

/**
 * The commands of a README, in their order:
 *
 * - `console install`: sets the folder up; must be among those that the suite knows to replace;
 * - `console run`: runs to its end, with what it prints below it, if that is shown;
 * - `console serve`: starts the one server;
 * - `console ask`: is asked of the server, at port 8000.
 *
 * @throws Error for a block that nobody would run
 */
export function readmeCommands(name: string): ReadmeCommand[] {
  const page = `examples/${name}/README.md`
  return blocksOf(page)
    .filter(({ language }) => ['console', 'sh', 'bash'].includes(language))
    .flatMap(({ line, marks, text }) => {
      const kind = KINDS.find((one) => marks.has(one))
      if (kind === undefined) throw new Error(`${page}:${line}: nobody runs this block`)
      return consoleCommands(text).map((command) => ({ kind, ...command }))
    })
}

/** What `console install` may have, with what stands for it: packages are installed once. */
const INSTALLS = [
  /^python3 -m venv \.venv( && \. \.venv\/bin\/activate)?$/,
  /^(\.venv\/bin\/)?pip install -r requirements(-dev)?\.txt$/,
  /^npm install$/,
]

/**
 * A copy of an example, as a user has it: with the package under test, the packages that it names,
 * and the virtual environment activated.
 */
export class Example {
  readonly path: string
  readonly remove: () => void
  readonly #name: string
  /** What `export` of the README has set. */
  readonly variables: Record<string, string> = {}
  #port = 0

  private constructor(name: string, root: { path: string; remove: () => void }) {
    this.#name = name
    this.path = join(root.path, 'examples', name)
    this.remove = root.remove
  }

  static async open(name: string): Promise<Example> {
    const example = new Example(name, temporaryDirectory())
    cpSync(join(examplesFolder, name), example.path, {
      recursive: true,
      filter: (path) => !LEFT_BY_RUNS.test(path),
    })
    const manifest = join(example.path, 'package.json')
    if (existsSync(manifest)) {
      const installed = await installNodeProject('examples')
      // These write there, or want it to be below their folder. For others a link is enough.
      if (/"(next|vite)":/.test(readFileSync(manifest, 'utf8')))
        linkModules(installed, example.path)
      else symlinkSync(join(installed, 'node_modules'), join(example.path, 'node_modules'))
    }
    if (existsSync(join(example.path, 'requirements.txt')))
      symlinkSync(await pythonPackages(), join(example.path, '.venv'))
    return example
  }

  get environment(): NodeJS.ProcessEnv {
    return this.#shell.environment()
  }

  get #shell(): PageShell {
    const virtual = join(this.path, '.venv')
    const path = [join(virtual, 'bin'), join(this.path, 'node_modules', '.bin')]
    return new PageShell(this.path, path, {
      ...(existsSync(virtual) && { VIRTUAL_ENV: virtual }),
      NO_COLOR: '1',
      MONOCEROS_NODE: process.execPath,
      // For the command, and for other servers.
      MONOCEROS_CMD_ARGS: `--bind 127.0.0.1:${this.#port}`,
      PORT: String(this.#port),
      ...this.variables,
    })
  }

  /**
   * Does what the README says.
   *
   * @returns the server that `console serve` has started
   * @throws Error if a command fails, or prints something else than the page
   */
  async follow(): Promise<RunningServer> {
    let server: RunningServer | undefined
    for (const { kind, command, output } of readmeCommands(this.#name)) {
      const line = command.replaceAll(/(localhost|127\.0\.0\.1):(8000|3000|5173)/g, () => {
        if (server === undefined) throw new Error(`${command}: there is no server yet`)
        return `127.0.0.1:${this.#port}`
      })
      if (kind === 'install') {
        if (!INSTALLS.some((known) => known.test(command)))
          throw new Error(`${command}: the suite does not know what to do instead`)
      } else if (kind === 'serve') {
        if (server !== undefined) throw new Error(`${command}: the second server`)
        server = await this.start(command)
      } else if (command.startsWith('export ')) await this.#export(command)
      else await this.#runShown(line, output)
    }
    if (server === undefined) throw new Error(`examples/${this.#name} starts no server`)
    return server
  }

  edit(name: string, from: string, to: string): void {
    const path = join(this.path, name)
    const before = readFileSync(path, 'utf8')
    if (!before.includes(from)) throw new Error(`${name} does not have ${from}`)
    writeFileSync(path, before.replace(from, to))
  }

  /** Starts a server with a command of the README, or another one, at a new port. */
  async start(command: string): Promise<RunningServer> {
    this.#port = await freePort()
    const url = `http://127.0.0.1:${this.#port}`
    return await this.#shell.serve(this.#withoutNpm(command), {
      findAddresses: () => [url],
      isReady: (log) => /Listening at http|Ready in|Local: +http/.test(log),
    })
  }

  /** Runs a command to its end, and returns what it has printed. */
  async run(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.#shell.run(this.#withoutNpm(command), 240_000)
    if (code !== 0) throw new Error(`${command} ended with ${code}:\n${stdout}${stderr}`)
    return stdout
  }

  async #export(command: string): Promise<void> {
    const name = /^export (\w+)=/.exec(command)?.[1]
    if (name === undefined) throw new Error(`${command}: which variable?`)
    this.variables[name] = await this.run(`${command}; printf %s "$${name}"`)
  }

  async #runShown(command: string, output: string): Promise<void> {
    const printed = await this.run(command)
    if (output.trim() !== '' && !outputMatches(`${output.trimEnd()}\n`, `${printed.trimEnd()}\n`))
      throw new Error(`${command} printed:\n${printed}\nThe page has:\n${output}`)
  }

  /** What npm would run: it does not pass signals on, and takes a second by itself. */
  #withoutNpm(command: string): string {
    const { scripts } = existsSync(join(this.path, 'package.json'))
      ? JSON.parse(readFileSync(join(this.path, 'package.json'), 'utf8'))
      : { scripts: {} }
    return command.replace(/^npm (?:run )?(\w+)$/, (whole, name: string) => {
      if (scripts[name] === undefined) throw new Error(`${whole}: there is no such script`)
      // It does not read PORT.
      const address = ` --host 127.0.0.1 --strictPort --port ${this.#port}`
      return scripts[name] === 'vite' ? `vite${address}` : scripts[name]
    })
  }
}

/** What a run of an example leaves in its folder. */
const LEFT_BY_RUNS =
  /\/(node_modules|package-lock\.json|\.venv|__pycache__|\.pytest_cache|\.next|next-env\.d\.ts|dist|instance|static_files|cookies|(tasks|users)\.json|[^/]+\.(sqlite3(-\w+)?|tsbuildinfo))$/

/** The lines of the examples' requirements, without those of ours. */
export function pythonRequirements(): string[] {
  const lines = exampleNames()
    .flatMap((name) =>
      ['requirements.txt', 'requirements-dev.txt'].map((file) => `${name}/${file}`),
    )
    .filter((file) => existsSync(join(examplesFolder, file)))
    .flatMap((file) => readFileSync(join(examplesFolder, file), 'utf8').split('\n'))
  return [...new Set(lines.filter((line) => /^(?!monoceros\b)\w/.test(line)))].sort()
}

let environment: Promise<string> | undefined

/**
 * A virtual environment with all that the examples require, and the command `monoceros` of this
 * build, as an editable installation has it.
 */
function pythonPackages(): Promise<string> {
  environment ??= withDirectoryLock(
    join(repository, 'tests', '.cache', 'examples-venv.lock'),
    async () => {
      mkdirSync(join(repository, 'tests', '.cache'), { recursive: true })
      const folder = join(repository, 'tests', '.cache', 'examples-venv')
      const requirements = `${folder}.txt`
      writeFileSync(requirements, `${pythonRequirements().join('\n')}\n`)
      const { executable } = ensureVirtualEnvironment(findBasePython(), folder, requirements)
      const series = testPython().version.split('.').slice(0, 2).join('.')
      writeFileSync(
        join(folder, 'lib', `python${series}`, 'site-packages', 'monoceros.pth'),
        `${join(repository, 'python')}\n`,
      )
      const command = join(folder, 'bin', 'monoceros')
      writeFileSync(command, `#!${executable}\nfrom monoceros.command import main\n\nmain()\n`)
      chmodSync(command, 0o755)
      return folder
    },
  )
  return environment
}
