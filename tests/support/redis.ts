import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { temporaryDirectory } from './applications.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './wait-for.ts'

/** A Redis of Debian's package `redis-server`, which keeps nothing on the disk. */
export class RedisServer {
  readonly port: number
  readonly #folder = temporaryDirectory()
  #process: ChildProcess | null = null

  private constructor(port: number) {
    this.port = port
  }

  static async start(): Promise<RedisServer> {
    const redis = new RedisServer(await freePort())
    await redis.start()
    return redis
  }

  /** Starts it, also again after {@link kill}. */
  async start(): Promise<void> {
    const options = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '']
    const child = spawn('redis-server', options, { cwd: this.#folder.path, stdio: 'ignore' })
    this.#process = child
    await waitFor('Redis', () => answers(this.port))
  }

  /** Stops it from answering, with its connections open. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Ends it at once; what it had counted is lost. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async stop(): Promise<void> {
    await this.kill()
    this.#folder.remove()
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.once('data', (data: Buffer) => {
      resolve(data.toString().startsWith('+PONG'))
      socket.destroy()
    })
    socket.once('error', () => resolve(false))
  })
}
