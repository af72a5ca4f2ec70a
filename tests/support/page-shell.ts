import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { userEnvironment } from './node-project.ts'
import { type Exit, type RunningServer, runServer, runToEnd } from './running-server.ts'

/** Variables of whoever runs the suite that would change what a command of a page does. */
const UNWANTED = /^(MONOCEROS_|WEB_CONCURRENCY$|FORCE_COLOR$|NODE_)/

/** How a server of a page is started. */
export interface PageServer {
  /** Added to the variables of the shell. */
  readonly variables?: NodeJS.ProcessEnv
  /** See `runServer`. */
  readonly findAddresses: (log: string) => string[]
  readonly isReady: (log: string) => boolean
}

/**
 * The shell of somebody who follows a page: a folder, programs that are found before those of the
 * machine, and variables.
 */
export class PageShell {
  readonly folder: string
  readonly #path: readonly string[]
  readonly #variables: NodeJS.ProcessEnv
  #active: string | null = null

  /**
   * @param folder where commands run
   * @param path folders whose programs are found first
   * @param variables are added to those of the machine
   */
  constructor(folder: string, path: readonly string[], variables: NodeJS.ProcessEnv = {}) {
    this.folder = folder
    this.#path = path
    this.#variables = variables
  }

  /** Has a virtual environment active from now on. @param folder of the environment */
  activate(folder: string): void {
    this.#active = folder
  }

  /** @param variables are added */
  environment(variables: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const env = userEnvironment()
    const others = process.env.VIRTUAL_ENV
    for (const name of Object.keys(env)) if (UNWANTED.test(name)) delete env[name]
    const programs = (env.PATH ?? '')
      .split(delimiter)
      .filter((path) => others === undefined || path !== join(others, 'bin'))
    if (this.#active !== null) {
      env.VIRTUAL_ENV = this.#active
      programs.unshift(join(this.#active, 'bin'))
    }
    env.PATH = [...this.#path, ...programs].join(delimiter)
    return { ...env, PYTHONDONTWRITEBYTECODE: '1', ...this.#variables, ...variables }
  }

  /** Runs a command to its end. @param timeout in milliseconds */
  run(command: string, timeout = 50_000): Promise<Exit & { stdout: string; stderr: string }> {
    const env = this.environment()
    return runToEnd('bash', ['-c', command], { env, cwd: this.folder, timeout })
  }

  /** Starts a server. @param command may have assignments in front, but is one command */
  serve(command: string, { variables, ...server }: PageServer): Promise<RunningServer> {
    return runServer({
      command: 'bash',
      args: ['-c', `exec env ${command}`],
      env: this.environment(variables),
      cwd: this.folder,
      isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
      ...server,
    })
  }
}

/** Writes a program for shells to find: a script for `sh`. */
export function writeProgram(path: string, script: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}
