/** The unix socket on which a running server is asked and told. */
import { chmodSync, lstatSync, renameSync, unlinkSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { CodedError, coded } from '../../messages/coded.ts'
import { fileIdentity, knock, withMode } from '../listeners.ts'

/** The socket cannot be opened; `message` is for the user. */
export class ControlSocketError extends CodedError {
  readonly code = 'control-socket'
}

/** Further ones are closed at once; a command opens one. */
const CONNECTIONS_AT_ONCE = 32

/** A control socket that is open. */
export class ControlSocket {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #path: string
  readonly #file: string | undefined

  private constructor(server: Server, path: string) {
    this.#server = server
    this.#path = path
    this.#file = fileIdentity(path)
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  /**
   * Listens at a path, which has this mode from the beginning. A socket that a dead server has left
   * behind is replaced.
   *
   * @throws ControlSocketError
   */
  static async open(
    path: string,
    mode: number,
    connected: (socket: Socket) => void,
  ): Promise<ControlSocket> {
    const longest = process.platform === 'linux' ? 107 : 103
    if (Buffer.byteLength(path) > longest)
      throw cannot(
        path,
        `a path of a unix socket has at most ${longest} bytes; choose a shorter one`,
      )
    await removeStale(path)
    const server = createServer(connected)
    server.maxConnections = CONNECTIONS_AT_ONCE
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          cannot(path, `${error.code ?? error.message}; the folder must be there and writable`),
        ),
      )
      // Bound before `listen` returns, so nobody can connect in between.
      withMode(mode, () => server.listen(path, resolve))
    })
    chmodSync(path, mode)
    server.on('error', () => {}) // accept(2) has failed; the client tries again
    server.unref()
    return new ControlSocket(server, path)
  }

  get path(): string {
    return this.#path
  }

  /** Moves the file; the socket stays open. A failure leaves it where it is. */
  moveTo(path: string): boolean {
    try {
      renameSync(this.#path, path)
      this.#path = path
      return true
    } catch {
      return false
    }
  }

  /** Removes the file, and ends all connections. */
  close(): void {
    this.retire()
    for (const socket of this.#sockets) socket.end()
  }

  /** Removes the file. Connections stay until they are answered: one may wait for a reload. */
  retire(): void {
    // Closing the server would remove whatever is there now.
    const own = fileIdentity(this.#path) === this.#file
    if (own) {
      try {
        unlinkSync(this.#path)
      } catch {
        // Another program has removed it.
      }
    }
    this.#server.close()
  }
}

/** Removes a socket that a dead server has left behind; any other file stays. */
export async function removeDead(path: string): Promise<void> {
  if ((await knock(path)) !== 'ECONNREFUSED') return
  try {
    unlinkSync(path)
  } catch {
    // Another server has removed it.
  }
}

function cannot(path: string, why: string): ControlSocketError {
  return new ControlSocketError(coded('MONO5401', `Cannot open the control socket ${path}: ${why}`))
}

async function removeStale(path: string): Promise<void> {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return
  if (!stats.isSocket())
    throw cannot(path, 'there is another file. Remove it, or give --control-socket another path')
  const answer = await knock(path)
  if (answer === 'ENOENT') return
  if (answer !== 'ECONNREFUSED')
    throw cannot(
      path,
      answer === 'connected'
        ? 'another server uses it. Stop that one, or give --control-socket another path'
        : `it is the socket of another user (${answer}). Give --control-socket another path`,
    )
  unlinkSync(path)
}
