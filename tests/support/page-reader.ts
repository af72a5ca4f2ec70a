import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { expect } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { commandPath, repository } from './build.ts'
import { compilerPath } from './compiler.ts'
import { freePort } from './free-port.ts'
import { type ConsoleCommand, consoleCommands, type PageBlock, pageBlocks } from './page-blocks.ts'
import { testPython } from './python.ts'
import { type RunningServer, runServer, runToEnd } from './running-server.ts'
import { outputMatches } from './tutorial-page.ts'
import { waitFor } from './wait-for.ts'

// Follows a page as its reader does, in a folder of their own: writes its files, runs its commands,
// and compares what they print. What a block is stands behind its language, where readers do not
// see it:
//
// - `file=NAME`: a file of the folder; a later one of the same name replaces it;
// - `append=NAME`: what is added to the end of that file;
// - `console run`: commands that run to their end. `exit=1` says that they fail so. `until` runs
//   them again until they print what is shown, for what takes its time;
// - `console serve=NAME`: the command that starts a server, with lines of its log. It lasts until
//   its name is given again, or the page ends. It need not be a server: it is what fills another
//   terminal, as a client that listens;
// - `text log=NAME`: lines that it logs sooner or later; with `stop`, the reader then presses
//   Ctrl+C;
// - `text stop=NAME`: the reader presses Ctrl+C, and sees these lines of the log.
//
// In what is printed `…` stands for anything in a line, and a line of `…` alone for any lines.

/** Ports on pages. Each stands for a free one. */
const PORTS = [8000, 8001, 8443, 9400]

/** The reader's folder, on pages. */
const HOME = '/srv/birdlog'

/** The marks that {@link PageReader.follow} knows. */
export const READER_MARKS = ['file', 'append', 'run', 'serve', 'log', 'stop']

export class PageReader {
  readonly folder: string
  readonly #work = temporaryDirectory()
  readonly #bin = join(this.#work.path, 'bin')
  readonly #ports: ReadonlyMap<number, number>
  readonly #servers = new Map<string, RunningServer>()
  /** Whether a page has said that the virtual environment is to be activated. */
  #isActive = false

  /** A reader with an empty folder, for one page or for several that build on each other. */
  static async start(): Promise<PageReader> {
    const ports = new Map<number, number>()
    for (const port of PORTS) ports.set(port, await freePort())
    return new PageReader(ports)
  }

  private constructor(ports: ReadonlyMap<number, number>) {
    this.#ports = ports
    this.folder = join(this.#work.path, 'folder')
    for (const path of [this.folder, this.#bin, join(this.#work.path, 'run')])
      mkdirSync(path, { mode: 0o700 })
    this.#makePrograms()
  }

  /** Stops the servers and removes the folder. */
  async close(): Promise<void> {
    await this.#stopAll()
    this.#work.remove()
  }

  /**
   * Does what a page says, from its first block to its last one. Then its servers are stopped.
   *
   * @param path of the page, from the root of the repository
   */
  async follow(path: string): Promise<void> {
    await this.followText(path, readFileSync(join(repository, path), 'utf8'))
  }

  /** The same for a page that is in no file. @param path what errors call it */
  async followText(path: string, markdown: string): Promise<void> {
    const blocks = pageBlocks(markdown)
    try {
      for (const block of blocks) {
        try {
          await this.#do(block)
        } catch (error) {
          if (error instanceof Error) error.message = `${path}:${block.line}: ${error.message}`
          throw error
        }
      }
      if (blocks.some(({ language }) => language === 'ts')) await this.#checkTypes()
    } finally {
      await this.#stopAll()
    }
  }

  async #do({ language, marks, text }: PageBlock): Promise<void> {
    const file = marks.get('file') ?? marks.get('append')
    if (file !== undefined) {
      const path = join(this.folder, file)
      mkdirSync(dirname(path), { recursive: true })
      if (marks.has('append')) appendFileSync(path, this.#here(text))
      else writeFileSync(path, this.#here(text))
      return
    }
    const [served, stopped] = [marks.get('serve'), marks.get('stop')]
    const seen = marks.get('log')
    if (seen !== undefined) {
      await this.#see(seen, text)
      if (stopped !== undefined) await this.#stop(seen, '')
      return
    }
    if (stopped !== undefined) return await this.#stop(stopped, text)
    if (language !== 'console' || marks.has('unrun')) return
    const commands = consoleCommands(text)
    if (served !== undefined) {
      expect(commands.length, 'a block of a server has one command').toBe(1)
      // A server may listen before it has loaded its application: its log says when it is up.
      expect(commands[0]!.output, 'what a server logs when it is up is on the page').not.toBe('')
      await this.#serve(served, commands[0]!)
    } else if (marks.has('run')) {
      const exit = Number(marks.get('exit') ?? 0)
      for (const command of commands) await this.#run(command, exit, marks.has('until'))
    } else throw new Error('nobody would run this block')
  }

  /** The TypeScript of the folder is right to a strict compiler, as users have it. */
  async #checkTypes(): Promise<void> {
    const options =
      '--noEmit --strict --noUncheckedIndexedAccess --target es2023 --module nodenext ' +
      '--types node --erasableSyntaxOnly --allowImportingTsExtensions --skipLibCheck --pretty false'
    const names = readdirSync(this.folder).filter((name) => name.endsWith('.ts'))
    const { stdout } = await runToEnd(
      process.execPath,
      [compilerPath, ...options.split(' '), ...names],
      { env: process.env, cwd: this.folder, timeout: 60_000 },
    )
    expect(stdout).toBe('')
  }

  async #run({ command, output }: ConsoleCommand, exit: number, until: boolean): Promise<void> {
    if (/^\. \.venv\/bin\/activate\b/.test(command)) this.#isActive = true
    const once = async () => {
      const ran = await runToEnd('bash', ['-c', this.#here(command)], {
        env: this.#environment(),
        cwd: this.folder,
        timeout: 60_000,
      })
      return { ...ran, printed: this.#asOnPage(ran.stdout + ran.stderr) }
    }
    let last = await once()
    if (until) {
      await waitFor(`${command} to print what is shown`, async () => {
        if (last.code === exit && outputMatches(output, last.printed)) return true
        last = await once()
        return false
      }).catch(() => {})
    }
    const said = `${command}\n${last.printed}${this.#logs()}`
    expect(last.code, said).toBe(exit)
    if (!outputMatches(output, last.printed)) expect(last.printed, said).toBe(output)
  }

  async #serve(name: string, { command, output }: ConsoleCommand): Promise<void> {
    await this.#servers.get(name)?.stop()
    this.#servers.delete(name)
    const shown = /https?:\/\/[^\s:/]+:(\d+)/.exec(output)
    const [, port] = shown ?? []
    const scheme = shown?.[0].split(':')[0] ?? 'http'
    const address = `${scheme}://127.0.0.1:${this.#ports.get(Number(port ?? 8000))}`
    const server = await runServer({
      command: 'bash',
      args: ['-c', `${assignments(command)}exec ${this.#here(withoutAssignments(command))}`],
      // Flags have the last word, and so has a configuration that says where to listen.
      env: this.#environment(!/ (-c|-b|--config|--bind) /.test(command)),
      cwd: this.folder,
      findAddresses: () => [address],
      isReady: (log) => outputMatches(output, this.#asOnPage(log), 'within'),
      isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
    })
    this.#servers.set(name, server)
  }

  /** As with Ctrl+C. The block has the lines of the log that follow. */
  async #stop(name: string, output: string): Promise<void> {
    const server = this.#servers.get(name)
    if (server === undefined) throw new Error(`there is no server ${name}`)
    server.signal('SIGINT')
    await server.exited
    await server.stop()
    this.#servers.delete(name)
    const log = this.#asOnPage(server.log())
    if (!outputMatches(output, log, 'within')) expect(log).toBe(output)
  }

  /** Waits until a server has logged these lines. */
  async #see(name: string, output: string): Promise<void> {
    const server = this.#servers.get(name)
    if (server === undefined) throw new Error(`there is no server ${name}`)
    const shown = () => outputMatches(output, this.#asOnPage(server.log()), 'within')
    await waitFor('the lines to be in the log', shown).catch(() => {
      expect(this.#asOnPage(server.log())).toBe(output)
    })
  }

  async #stopAll(): Promise<void> {
    // Clients first: a server lets them finish.
    for (const [name, server] of [...this.#servers].reverse()) {
      this.#servers.delete(name)
      await server.stop()
    }
  }

  #logs(): string {
    return [...this.#servers].map(([name, server]) => `\n--- ${name}\n${server.log()}`).join('')
  }

  /** With the ports that the page's stand for. */
  #here(text: string): string {
    return text
      .replaceAll(HOME, this.folder)
      .replace(/(?<![\d.])(8000|8001|8443|9400)\b/g, (port) =>
        String(this.#ports.get(Number(port))),
      )
  }

  /** With the page's ports, and without the colours of terminals. */
  #asOnPage(text: string): string {
    let shown = text
    for (const [port, free] of this.#ports)
      shown = shown.replace(new RegExp(`(?<!\\d)${free}\\b`, 'g'), String(port))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is removed are control characters
    return shown.replace(/\x1b\[[\d;]*m/g, '').replaceAll(this.folder, HOME)
  }

  /** The environment of the reader's terminals. */
  #environment(serves = false): NodeJS.ProcessEnv {
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      PYTHONUNBUFFERED: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      // Commands find the servers of this reader, and no others.
      MONOCEROS_RUNTIME_DIR: join(this.#work.path, 'run'),
      npm_config_update_notifier: 'false',
    }
    const others = /^(MONOCEROS_(?!RUNTIME_DIR)|WEB_CONCURRENCY$|PORT$|FORCE_COLOR$|NODE_|VITEST)/
    for (const name of Object.keys(env)) if (others.test(name)) delete env[name]
    // A configuration file that says where to listen has the last word.
    const saysWhere = readdirSync(this.folder).some(
      (name) =>
        /^(monoceros\.config\.|gunicorn\.conf\.py$)/.test(name) &&
        /\bbind\b/.test(readFileSync(join(this.folder, name), 'utf8')),
    )
    if (serves && !saysWhere) env.MONOCEROS_CMD_ARGS = `--bind 127.0.0.1:${this.#ports.get(8000)}`
    const { prefix } = testPython()
    const programs = join(prefix, 'bin')
    // The environment of the tests may be active where they run.
    const path = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== programs)
    delete env.VIRTUAL_ENV
    if (this.#isActive) env.VIRTUAL_ENV = prefix
    env.PATH = [this.#bin, ...(this.#isActive ? [programs] : []), ...path].join(delimiter)
    return env
  }

  /** Programs that stand for others, mostly because no registry is asked for packages. */
  #makePrograms(): void {
    const { prefix, executable } = testPython()
    const node = process.execPath
    const real = (name: string) => `"$(PATH=\${PATH#*:} command -v ${name})"`
    // For a Node that cannot run TypeScript by itself, what the pages say for one.
    const jiti = join(repository, 'node_modules', 'jiti', 'lib', 'jiti-register.mjs')
    const stripsTypes = 'typescript' in process.features && process.features.typescript
    this.#program(
      'node',
      stripsTypes
        ? `exec '${node}' "$@"`
        : `case "$*" in *.ts) exec '${node}' --import '${jiti}' "$@" ;; esac\nexec '${node}' "$@"`,
    )
    this.#program('npx', 'exec "$@"')
    this.#program('monoceros', `exec '${node}' '${commandPath}' "$@"`)
    this.#program('sudo', 'exec "$@"')
    this.#program(
      'npm',
      `[ "$1" = install ] || exec '${node}' ${real('npm')} "$@"
shift
for name in @types/node "$@"; do
  case $name in
    -*) continue ;;
    monoceros) from='${repository}' ;;
    *) from='${repository}/node_modules/'$name ;;
  esac
  [ -d "$from" ] || { echo "the repository has no package $name" >&2; exit 1; }
  mkdir -p "$(dirname "node_modules/$name")"
  [ -e "node_modules/$name" ] || ln -s "$from" "node_modules/$name"
done
mkdir -p node_modules/.bin
ln -sf '${join(this.#bin, 'monoceros')}' node_modules/.bin/monoceros
echo 'added packages'`,
    )
    const distribution = 'import importlib.metadata as m, sys; [m.version(n) for n in sys.argv[1:]]'
    this.#program(
      'pip',
      `[ "$1" = install ] || exit 1\nshift\n` +
        // As on Debian, and with no environment active, packages are installed where none looks.
        `[ -n "$VIRTUAL_ENV" ] || { echo 'error: externally-managed-environment' >&2; exit 1; }\n` +
        `exec '${executable}' -c '${distribution}' "$@" && echo installed`,
    )
    this.#program(
      'python3',
      `[ "$1 $2" = "-m venv" ] || exec '${executable}' "$@"\nln -s '${prefix}' "$3"`,
    )
  }

  #program(name: string, script: string): void {
    const path = join(this.#bin, name)
    if (existsSync(path)) throw new Error(`${name} is there twice`)
    writeFileSync(path, `#!/bin/sh\n${script}\n`)
    chmodSync(path, 0o755)
  }
}

/** Variables in front of a command: `exec` takes none. */
function assignments(command: string): string {
  const [found] = /^(?:[A-Z_]+=\S+ )*/.exec(command)!
  return found === '' ? '' : `export ${found.trim()}; `
}

function withoutAssignments(command: string): string {
  return command.replace(/^(?:[A-Z_]+=\S+ )*/, '')
}
