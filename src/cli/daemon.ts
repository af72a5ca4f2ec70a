/**
 * `--daemon`: the command starts itself again, in a session of its own, and ends when that process
 * serves or cannot.
 */
import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { StartCommand } from '../arbiter/upgrade/start-command.ts'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import type { TextOutput } from '../process/text-output.ts'

/** In the environment of the daemon: the descriptor of the channel to the command. */
const VARIABLE = 'MONOCEROS_DAEMON'
const CHANNEL_FD = 3
/** Of new files, as in Gunicorn. */
const UMASK = 0o22

type Message = { readonly serves: true } | { readonly text: string }

/**
 * Starts the daemon, and waits until it serves.
 *
 * @param keepsOutput whether it keeps standard output and standard error that are no terminals
 * @returns 0, or the status of a daemon that could not start; its reason is on `stderr` then
 */
export async function startDaemon(
  { program, args, cwd, env }: StartCommand,
  stderr: TextOutput,
  keepsOutput: boolean,
): Promise<number> {
  // Only a daemon's command needs it.
  const { createInterface } = await import('node:readline')
  const kept = ({ isTTY }: NodeJS.WriteStream) => (keepsOutput && !isTTY ? 'inherit' : 'ignore')
  const child = spawn(program, args, {
    cwd,
    env: { ...env, [VARIABLE]: String(CHANNEL_FD) },
    detached: true,
    stdio: ['ignore', kept(process.stdout), kept(process.stderr), 'pipe'],
  })
  const channel = child.stdio[CHANNEL_FD] as Readable
  return await new Promise((resolve) => {
    channel.on('error', () => {})
    const lines = createInterface({ input: channel })
    lines.on('line', (line) => {
      const message = JSON.parse(line) as Message
      if ('text' in message) stderr.write(message.text)
      else resolve(EXIT.server.STOPPED)
    })
    child.once('error', (error) => {
      const text = coded('MONO1011', `Cannot start the daemon: ${error.message}`)
      stderr.write(`monoceros: ${text}\n`)
      resolve(EXIT.server.FAILED)
    })
    // 'close': what it has sent was read then.
    child.once('close', (code, signal) => {
      if (signal !== null)
        stderr.write(`monoceros: ${coded('MONO1011', `The daemon was killed by ${signal}`)}\n`)
      resolve(code ?? EXIT.server.FAILED)
    })
  })
}

/** The daemon's end of the channel, until it serves. */
export class DaemonChannel implements TextOutput {
  readonly #socket: Socket

  constructor(fd: number) {
    this.#socket = new Socket({ fd, readable: false, writable: true })
    // The command was interrupted; the daemon goes on.
    this.#socket.on('error', () => {})
  }

  /** Shows a text on the terminal in which the command waits. */
  write(text: string): void {
    this.#send({ text })
  }

  /** The server serves, so the command ends. */
  serves(): void {
    this.#send({ serves: true })
    this.#socket.end()
  }

  #send(message: Message): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(message)}\n`)
  }
}

/**
 * The channel if this process is the daemon, and null otherwise. Takes the variable from the
 * environment.
 */
export function becomeDaemon(env: Record<string, string | undefined>): DaemonChannel | null {
  const fd = env[VARIABLE]
  if (fd === undefined) return null
  delete env[VARIABLE]
  process.umask(UMASK)
  return new DaemonChannel(Number(fd))
}
