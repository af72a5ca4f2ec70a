import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { appsDirectory, temporaryDirectory } from './applications.ts'
import { commandPath, repository } from './build.ts'
import { testPython } from './python.ts'
import { type RunningServer, runServer, runToEnd } from './running-server.ts'

/**
 * What a user has in node_modules: the package under test, as an installed one, and the front end's
 * own.
 */
const PACKAGES = ['express', 'vite', '@types']

/**
 * A copy of tests/apps/browser, a front end with a guestbook in Python beside it, that may be
 * edited; and the programs that host it. Its programs are run as docs/guides/vite-and-express.md
 * has them run.
 */
export class FrontEndProject {
  readonly #directory = temporaryDirectory()

  constructor() {
    const folder = this.#directory.path
    cpSync(join(appsDirectory, 'browser'), folder, {
      recursive: true,
      filter: (path) => !path.endsWith('__pycache__'),
    })
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(repository, join(folder, 'node_modules', 'monoceros'))
    for (const name of PACKAGES) {
      symlinkSync(join(repository, 'node_modules', name), join(folder, 'node_modules', name))
    }
  }

  get folder(): string {
    return this.#directory.path
  }

  remove(): void {
    this.#directory.remove()
  }

  /**
   * Changes a file on disk, as an editor does that writes a new file and renames it. A file that is
   * emptied before it is written can be read in between: Vite would then keep an empty module, and
   * its watcher drops the second event when it comes within 5 ms. Throws where the file has no such
   * text.
   */
  edit(name: string, from: string, to: string): void {
    const path = join(this.folder, name)
    const before = readFileSync(path, 'utf8')
    if (!before.includes(from))
      throw new Error(`${name} has no ${JSON.stringify(from)}:\n${before}`)
    const written = `${this.folder}.edited`
    writeFileSync(written, before.replace(from, to))
    renameSync(written, path)
  }

  /** Makes `dist/` with `vite build`. */
  async build(): Promise<void> {
    const { code, stdout, stderr } = await runToEnd(process.execPath, [this.#vite, 'build'], {
      env: environment(),
      cwd: this.folder,
    })
    if (code !== 0) throw new Error(`vite build failed:\n${stdout}${stderr}`)
  }

  /** `vite`, the dev server. */
  async startVite(): Promise<RunningServer> {
    // Vite takes 0 for its usual port.
    const args = ['--host', '127.0.0.1', '--strictPort', '--port', String(await freePort())]
    return this.#start([this.#vite, ...args], /Local: +(http:\/\/[\d.]+:\d+)\/.*\n/)
  }

  /** `node server.ts`, Express. */
  startExpress(): Promise<RunningServer> {
    // What the guide says for a Node that cannot run TypeScript by itself.
    const jiti = join(repository, 'node_modules', 'jiti', 'lib', 'jiti-cli.mjs')
    return this.#start(
      [...(runsTypeScript() ? [] : [jiti]), 'server.ts'],
      /Listening at (http:\S+).*\n/,
    )
  }

  /** `monoceros app.ts:app`. */
  startCommand(): Promise<RunningServer> {
    return this.#start(
      [commandPath, '--bind', '127.0.0.1:0', './app.ts:app'],
      /Listening at (http:\S+).*\n/,
    )
  }

  #start(args: string[], listening: RegExp): Promise<RunningServer> {
    return runServer({
      command: process.execPath,
      args,
      env: { ...environment(), PORT: '0' },
      cwd: this.folder,
      findAddresses: (log) => [listening.exec(log)?.[1] ?? ''],
      isReady: (log) => listening.test(log),
      isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
    })
  }

  get #vite(): string {
    return join(this.folder, 'node_modules', 'vite', 'bin', 'vite.js')
  }
}

/**
 * The environment of a user who has the suite's virtual environment active, and knows nothing of
 * the suite.
 */
function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', PYTHONDONTWRITEBYTECODE: '1' }
  for (const name of Object.keys(env)) {
    if (
      /^(MONOCEROS_|WEB_CONCURRENCY$|FORCE_COLOR$|NODE_OPTIONS$|VITE|NODE_ENV$|DEV$|PROD$|MODE$|SSR$|BASE_URL$)/.test(
        name,
      )
    )
      delete env[name]
  }
  return { ...env, VIRTUAL_ENV: testPython().prefix }
}

function runsTypeScript(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
