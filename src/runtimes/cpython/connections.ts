import { closeSync, openSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { basename } from 'node:path'
import { freshPath } from './worker-process.ts'

/** What fits into the address of a unix socket on every system, in bytes. */
const PATH_LIMIT = 103

/** A path for the socket on which a worker gets clients' sockets; null if it would be too long. */
export function lendingPath(directory: string): string | null {
  const path = freshPath(directory, 'lend')
  return Buffer.byteLength(path) > PATH_LIMIT ? null : path
}

/** Waits for one process to connect a given number of times. */
export class Connections {
  /** All connections, in the order in which they were made. They are not read yet. */
  readonly all: Promise<readonly Socket[]>
  readonly #count: number
  readonly #path: string
  readonly #server: Server
  readonly #sockets: Socket[] = []
  readonly #failed: Promise<never>
  /** The folder, open, if the path is too long for a socket. */
  #folder = -1

  /** @param directory where the socket is while somebody may connect; private to this user */
  constructor(directory: string, count: number) {
    this.#count = count
    this.#path = freshPath(directory, 'fork')
    if (Buffer.byteLength(this.#path) > PATH_LIMIT && process.platform === 'linux')
      this.#folder = openSync(directory, 'r')
    const server = createServer({ pauseOnConnect: true })
    this.#server = server
    this.#failed = new Promise((_, reject) => {
      server.on('error', reject)
    })
    this.#failed.catch(() => {})
    this.all = new Promise((resolve) => {
      server.on('connection', (socket) => {
        socket.on('error', () => {})
        this.#sockets.push(socket)
        if (this.#sockets.length === count) resolve(this.#sockets)
      })
    })
  }

  /** Returns the path to connect to. Rejected if there can be no such socket. */
  async listen(): Promise<string> {
    const short = `/proc/${process.pid}/fd/${this.#folder}/${basename(this.#path)}`
    const path = this.#folder < 0 ? this.#path : short
    // None may have to wait until it is accepted: a signal (the end of another worker) interrupts a
    // connect() that waits, and Python then takes the socket for a connected one (PEP 475).
    const listening = new Promise<void>((resolve) =>
      this.#server.listen(path, this.#count, resolve),
    )
    await Promise.race([listening, this.#failed])
    return path
  }

  /** Nobody may connect any more. */
  end(): void {
    this.#server.close()
    if (this.#folder >= 0) closeSync(this.#folder)
    this.#folder = -1
  }

  /** Closes the connections that have been made. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}
