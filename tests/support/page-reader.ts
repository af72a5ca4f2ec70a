import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { commandPath, repository } from './build.ts'
import { compilerPath } from './compiler.ts'
import { freePort } from './free-port.ts'
import { blocksOf, type ConsoleCommand, consoleCommands, type PageBlock } from './page-blocks.ts'
import { PageShell, writeProgram } from './page-shell.ts'
import { testPython } from './python.ts'
import { type RunningServer, runToEnd } from './running-server.ts'
import { outputMatches } from './shown-output.ts'
import { waitFor } from './wait-for.ts'

// Follows a page as its reader does, in a folder of their own: writes its files, runs its commands,
// and compares what they print. What a block is stands behind its language, where readers do not
// see it:
//
// - `file=NAME`: a file of the folder; a later one of the same name replaces it;
// - `append=NAME`: what is added to the end of that file;
// - `console run`: commands that run to their end. `exit=1` says that the last one fails so.
//   `until` runs them again until they print what is shown, for what takes its time;
// - `console serve=NAME`: the command that starts a server, with lines of its log. It lasts until
//   its name is given again, the page ends, or another server takes its port. It need not be a
//   server: it is what fills another terminal, as a client that listens;
// - `console ask`, `console ask=NAME`: commands that run once for each server of the page, or for
//   one; a server that has lost its port to another is started again;
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
export const READER_MARKS = ['file', 'append', 'run', 'serve', 'ask', 'log', 'stop']

/** What a `serve=NAME` has started. */
interface Served {
  readonly command: ConsoleCommand
  /** Where it listens; null if it is no server. */
  readonly url: string | null
  /** Null while another server has its port. */
  running: RunningServer | null
}

export class PageReader {
  readonly folder: string
  readonly #work = temporaryDirectory()
  readonly #bin = join(this.#work.path, 'bin')
  readonly #ports: ReadonlyMap<number, number>
  readonly #shell: PageShell
  readonly #servers = new Map<string, Served>()

  /** A reader with an empty folder, for one page or for several that build on each other. */
  static async start(): Promise<PageReader> {
    const ports = new Map<number, number>()
    for (const port of PORTS) ports.set(port, await freePort())
    return new PageReader(ports)
  }

  private constructor(ports: ReadonlyMap<number, number>) {
    this.#ports = ports
    this.folder = join(this.#work.path, 'folder')
    const run = join(this.#work.path, 'run')
    for (const path of [this.folder, run]) mkdirSync(path, { mode: 0o700 })
    this.#makePrograms()
    this.#shell = new PageShell(this.folder, [this.#bin], {
      PYTHONUNBUFFERED: '1',
      // Commands find the servers of this reader, and no others.
      MONOCEROS_RUNTIME_DIR: run,
      npm_config_update_notifier: 'false',
    })
  }

  /** Stops the servers and removes the folder. */
  async close(): Promise<void> {
    await this.#stopAll()
    this.#work.remove()
  }

  /**
   * Does what a page says, from its first block to its last one, and checks the types of its
   * TypeScript.
   *
   * @param path of the page, from the root of the repository
   */
  async follow(path: string): Promise<void> {
    const blocks = blocksOf(path)
    await this.followBlocks(path, blocks)
    if (blocks.some(({ language }) => language === 'ts')) await this.checkTypes()
  }

  /** Does what blocks say. Then their servers are stopped. @param path what errors call the page */
  async followBlocks(path: string, blocks: readonly PageBlock[]): Promise<void> {
    try {
      for (const block of blocks) {
        try {
          await this.#do(block)
        } catch (error) {
          if (error instanceof Error) error.message = `${path}:${block.line}: ${error.message}`
          throw error
        }
      }
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
    const [served, asked, stopped, seen] = ['serve', 'ask', 'stop', 'log'].map((mark) =>
      marks.get(mark),
    )
    if (seen !== undefined) {
      await this.#see(seen, text)
      if (stopped !== undefined) await this.#stop(seen, '')
      return
    }
    if (stopped !== undefined) return await this.#stop(stopped, text)
    if (language !== 'console' || marks.has('unrun')) return
    const commands = consoleCommands(text)
    const runAll = async () => {
      for (const command of commands) {
        const exit = command === commands.at(-1) ? Number(marks.get('exit') ?? 0) : 0
        await this.#run(command, exit, marks.has('until'))
      }
    }
    if (served !== undefined) {
      if (served === '') throw new Error('a server needs a name')
      expect(commands.length, 'a block of a server has one command').toBe(1)
      // A server may listen before it has loaded its application: its log says when it is up.
      expect(commands[0]!.output, 'what a server logs when it is up is on the page').not.toBe('')
      await this.#serve(served, commands[0]!)
    } else if (asked !== undefined) {
      for (const server of this.#asked(asked)) {
        if (server.running === null) await this.#start(server)
        await runAll()
      }
    } else if (marks.has('run')) {
      await runAll()
    } else throw new Error('nobody would run this block')
  }

  /** The TypeScript of the folder is right to a strict compiler, as users have it. */
  async checkTypes(): Promise<void> {
    const [settings] = blocksOf('docs/guides/typescript.md').filter(
      ({ language, text }) => language === 'json' && text.includes('"compilerOptions"'),
    )
    const file = join(this.folder, 'tsconfig.json')
    const files = readdirSync(this.folder).filter((name) => name.endsWith('.ts'))
    writeFileSync(file, JSON.stringify({ ...JSON.parse(settings?.text ?? ''), files }))
    const { stdout } = await runToEnd(
      process.execPath,
      [compilerPath, '--noUncheckedIndexedAccess', '--pretty', 'false'],
      { env: process.env, cwd: this.folder, timeout: 60_000 },
    )
    rmSync(file)
    expect(stdout).toBe('')
  }

  async #run({ command, output }: ConsoleCommand, exit: number, until: boolean): Promise<void> {
    if (/^\. \.venv\/bin\/activate\b/.test(command)) this.#shell.activate(testPython().prefix)
    const once = async () => {
      const ran = await this.#shell.run(this.#here(command))
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

  async #serve(name: string, command: ConsoleCommand): Promise<void> {
    await this.#servers.get(name)?.running?.stop()
    const [, scheme, port] = /(https?):\/\/[^\s:/]+:(\d+)/.exec(command.output) ?? []
    const url = port === undefined ? null : `${scheme}://127.0.0.1:${this.#ports.get(Number(port))}`
    const served: Served = { command, url, running: null }
    this.#servers.set(name, served)
    await this.#start(served)
  }

  async #start(served: Served): Promise<void> {
    const { command, output } = served.command
    for (const other of this.#servers.values()) {
      if (served.url === null || other.url !== served.url) continue
      await other.running?.stop()
      other.running = null
    }
    // Flags have the last word, and so has a configuration that says where to listen.
    const saysWhere = / (-c|-b|--config|--bind) /.test(command) || this.#configuresBind()
    const bind = `--bind 127.0.0.1:${this.#ports.get(8000)}`
    served.running = await this.#shell.serve(this.#here(command), {
      variables: saysWhere ? {} : { MONOCEROS_CMD_ARGS: bind },
      findAddresses: () => [served.url ?? `http://127.0.0.1:${this.#ports.get(8000)}`],
      isReady: (log) => outputMatches(output, this.#asOnPage(log), 'within'),
    })
  }

  /** The servers of a `console ask`. @param name empty for all */
  #asked(name: string): Served[] {
    const servers = [...this.#servers.values()].filter(({ url }) => url !== null)
    const asked = name === '' ? servers : servers.filter((each) => each === this.#servers.get(name))
    if (asked.length === 0) throw new Error(`there is no server ${name}`)
    return asked
  }

  #running(name: string): RunningServer {
    const server = this.#servers.get(name)?.running
    if (server == null) throw new Error(`there is no server ${name}`)
    return server
  }

  /** As with Ctrl+C. The block has the lines of the log that follow. */
  async #stop(name: string, output: string): Promise<void> {
    const server = this.#running(name)
    server.signal('SIGINT')
    await server.exited
    await server.stop()
    this.#servers.delete(name)
    const log = this.#asOnPage(server.log())
    if (!outputMatches(output, log, 'within')) expect(log).toBe(output)
  }

  /** Waits until a server has logged these lines. */
  async #see(name: string, output: string): Promise<void> {
    const server = this.#running(name)
    const shown = () => outputMatches(output, this.#asOnPage(server.log()), 'within')
    await waitFor('the lines to be in the log', shown).catch(() => {
      expect(this.#asOnPage(server.log())).toBe(output)
    })
  }

  async #stopAll(): Promise<void> {
    // Clients first: a server lets them finish.
    for (const [name, { running }] of [...this.#servers].reverse()) {
      this.#servers.delete(name)
      await running?.stop()
    }
  }

  #logs(): string {
    return [...this.#servers]
      .map(([name, { running }]) => `\n--- ${name}\n${running?.log() ?? ''}`)
      .join('')
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

  /** Whether a configuration file of the folder says where to listen. */
  #configuresBind(): boolean {
    return readdirSync(this.folder).some(
      (name) =>
        /^(monoceros\.config\.|gunicorn\.conf\.py$)/.test(name) &&
        /\bbind\b/.test(readFileSync(join(this.folder, name), 'utf8')),
    )
  }

  /** Programs that stand for others, mostly because no registry is asked for packages. */
  #makePrograms(): void {
    const { prefix, executable } = testPython()
    const node = process.execPath
    const program = (name: string, script: string) => writeProgram(join(this.#bin, name), script)
    const real = (name: string) => `"$(PATH=\${PATH#*:} command -v ${name})"`
    // For a Node that cannot run TypeScript by itself, what the pages say for one.
    const jiti = join(repository, 'node_modules', 'jiti', 'lib', 'jiti-register.mjs')
    const stripsTypes = 'typescript' in process.features && process.features.typescript
    program(
      'node',
      stripsTypes
        ? `exec '${node}' "$@"`
        : `case "$*" in *.ts) exec '${node}' --import '${jiti}' "$@" ;; esac\nexec '${node}' "$@"`,
    )
    program('npx', 'exec "$@"')
    program('monoceros', `exec '${node}' '${commandPath}' "$@"`)
    program('sudo', 'exec "$@"')
    program(
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
    program(
      'pip',
      `[ "$1" = install ] || exit 1\nshift\n` +
        // As on Debian, and with no environment active, packages are installed where none looks.
        `[ -n "$VIRTUAL_ENV" ] || { echo 'error: externally-managed-environment' >&2; exit 1; }\n` +
        `exec '${executable}' -c '${distribution}' "$@" && echo installed`,
    )
    // Debian has none of this name.
    program('python', 'exec python3 "$@"')
    program(
      'python3',
      `[ "$1 $2" = "-m venv" ] || exec '${executable}' "$@"\nln -s '${prefix}' "$3"`,
    )
  }
}
