import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'
import { EditedProject } from './edited-project.ts'
import { packed } from './packed.ts'
import { sitePackages, testPython } from './python.ts'

const run = promisify(execFile)

/** Small projects of users, each with a lock file. */
const sources = join(repository, 'tests', 'node-projects')
/** Where their dependencies are installed, once for each lock file; not in the repository. */
const cache = join(repository, 'tests', '.cache', 'node-projects')

/** Variables of Vitest (`DEV` would be `import.meta.env.DEV`), and of a user's shell. */
const UNWANTED =
  /^(VITEST.*|VITE_.*|DEV|PROD|SSR|MODE|TEST|BASE_URL|NODE_ENV|NODE_OPTIONS|PORT|HOST|CI|VIRTUAL_ENV)$/

/** How long npm may take, in milliseconds. */
const INSTALL_TIME = 300_000

/** How the project is run. */
export interface NodeProjectOptions {
  /** The Node.js that it runs on; by default the one of the suite. */
  readonly node?: string
  /** Makes a virtual environment `.venv`, with the packages of the suite's. Default: true. */
  readonly python?: boolean
}

/**
 * A copy of a project in `tests/node-projects/`, as a user has it: its dependencies are installed
 * from the lock file, and `monoceros` from its packed tarball. A test may edit it.
 *
 * @example
 * const project = await NodeProject.open('next')
 * await project.run('next', ['build'])
 * const server = await runServer({ ...project.command('next', ['start', '-p', '0']), … })
 */
export class NodeProject extends EditedProject {
  readonly #node: string

  private constructor(node: string) {
    super({})
    this.#node = node
  }

  /**
   * @param name of the folder in `tests/node-projects/`
   * @throws Error with npm's output if it cannot be installed
   */
  static async open(
    name: string,
    { node = process.execPath, python = true }: NodeProjectOptions = {},
  ): Promise<NodeProject> {
    const installed = await installNodeProject(name)
    const project = new NodeProject(node)
    linkModules(installed, project.path)
    cpSync(join(sources, name), project.path, {
      recursive: true,
      filter: (path) => !/\/(__pycache__|node_modules)$/.test(path),
    })
    if (python) makeVirtualEnvironment(join(project.path, '.venv'))
    return project
  }

  /** The environment of its programs: without what Vitest and a user's shell set. */
  get environment(): NodeJS.ProcessEnv {
    return userEnvironment(this.#node)
  }

  /** What `runServer` needs to run a program of a package, such as `next`. */
  command(program: string, args: readonly string[]) {
    return {
      command: this.#node,
      args: [this.#programFile(program), ...args],
      env: this.environment,
      cwd: this.path,
      isWorker: (commandLine: string) => commandLine.includes('monoceros-worker'),
    }
  }

  /**
   * Runs a program of a package to its end.
   *
   * @param environment is added
   * @throws Error with what it printed, unless it ends with status 0
   */
  async run(
    program: string,
    args: readonly string[],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<string> {
    try {
      const { stdout, stderr } = await run(this.#node, [this.#programFile(program), ...args], {
        cwd: this.path,
        env: { ...this.environment, ...environment },
        maxBuffer: 64 * 1024 * 1024,
      })
      return stdout + stderr
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`)
    }
  }

  #programFile(program: string): string {
    return program.includes('/') || program.endsWith('.js') || program.endsWith('.mjs')
      ? join(this.path, program)
      : join(this.path, 'node_modules', '.bin', program)
  }
}

/** The environment of programs, without what Vitest and a user's shell set. */
export function userEnvironment(node: string = process.execPath): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' }
  for (const name of Object.keys(env)) {
    if (UNWANTED.test(name)) delete env[name]
  }
  env.PATH = `${join(node, '..')}:${env.PATH}`
  return env
}

/** Puts the `node_modules` of a folder into another one. */
export function linkModules(from: string, to: string): void {
  // Hard links: a Next.js project has hundreds of megabytes that nothing writes to.
  const modules = join(from, 'node_modules')
  try {
    execFileSync('cp', ['-al', modules, to], { stdio: 'pipe' })
  } catch {
    rmSync(join(to, 'node_modules'), { recursive: true, force: true })
    execFileSync('cp', ['-a', modules, to])
  }
}

/**
 * The folder with the project's dependencies and the package under test, of this build.
 */
export async function installNodeProject(name: string): Promise<string> {
  mkdirSync(cache, { recursive: true })
  const lock = readFileSync(join(sources, name, 'package-lock.json'))
  const key = createHash('sha256').update(lock).digest('hex').slice(0, 16)
  const folder = join(cache, `${name}-${key}`)
  const { tarball } = (await packed()).monoceros
  return await withDirectoryLock(`${folder}.lock`, async () => {
    if (!existsSync(folder)) {
      const work = mkdtempSync(`${folder}.new-`)
      try {
        for (const file of ['package.json', 'package-lock.json'])
          cpSync(join(sources, name, file), join(work, file))
        // Not `npm ci`: it refuses a lock file without an optional package that is for Windows, and
        // that npm had no reason to look up.
        await npm(work, 'install', '--ignore-scripts')
        renameSync(work, folder)
      } finally {
        rmSync(work, { recursive: true, force: true })
      }
    }
    const stamp = join(folder, 'monoceros')
    const wanted = createHash('sha256').update(readFileSync(tarball)).digest('hex')
    if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
      await npm(folder, 'install', '--no-save', '--ignore-scripts', tarball)
      writeFileSync(stamp, wanted)
    }
    return folder
  })
}

async function npm(cwd: string, ...args: readonly string[]): Promise<void> {
  try {
    await run('npm', [...args, '--prefer-offline', '--no-audit', '--no-fund'], {
      cwd,
      timeout: INSTALL_TIME,
      maxBuffer: 64 * 1024 * 1024,
    })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`npm ${args.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`)
  }
}

/** A virtual environment of its own that has the packages of the suite's. */
function makeVirtualEnvironment(folder: string): void {
  execFileSync(testPython().executable, ['-m', 'venv', '--without-pip', folder])
  const packages = sitePackages()
  const series = packages.split('/').at(-2)!
  writeFileSync(join(folder, 'lib', series, 'site-packages', 'suite.pth'), `${packages}\n`)
}
