import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import type { Span } from '../bytes/span.ts'
import { acceptSockets, type Receiver } from './accept-sockets.ts'
import { rereadSocket } from './reading-socket.ts'

/** Keeps what it was given, without a copy: nobody may write to it again. */
class Keeper implements Receiver {
  readonly pieces: Buffer[] = []
  received(bytes: Span): void {
    this.pieces.push(bytes.view())
  }
  get all(): Buffer {
    return Buffer.concat(this.pieces)
  }
}

async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return { server, port: (server.address() as { port: number }).port }
}

async function open(port: number): Promise<Socket> {
  const client = connect(port, '127.0.0.1')
  client.on('error', () => {})
  await once(client, 'connect')
  onTestFinished(() => void client.destroy())
  return client
}

function numbered(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + seed) & 0xff
  return bytes
}

describe('accepted sockets', () => {
  it('hand over what came, small or large, and nobody writes to it again', async () => {
    const { server, port } = await listen()
    const keepers: Keeper[] = []
    acceptSockets(server, (socket) => {
      onTestFinished(() => void socket.destroy())
      keepers.push(new Keeper())
      return keepers.at(-1)!
    })
    const clients: Socket[] = []
    for (let i = 0; i < 3; i++) {
      clients.push(await open(port))
      await waitFor('its connection', () => keepers.length === i + 1)
    }
    const sent = clients.map(() => [] as Buffer[])
    // Sizes around those at which it is kept in another way, in turns, so that all of them read
    // into the same memory.
    for (const size of [1, 10, 255, 256, 257, 4095, 4096, 4097, 16_384, 65_536, 200_000, 1, 3]) {
      for (const [i, client] of clients.entries()) {
        const bytes = numbered(size, i * 7 + size)
        sent[i]!.push(bytes)
        client.write(bytes)
        const whole = sent[i]!.reduce((sum, piece) => sum + piece.length, 0)
        await waitFor('all of it', () => keepers[i]!.all.length === whole)
      }
    }
    for (const [i, keeper] of keepers.entries())
      expect(keeper.all.equals(Buffer.concat(sent[i]!))).toBe(true)
  })

  it('pause, resume, see the end of the other direction, and answer after it', async () => {
    const { server, port } = await listen()
    const keeper = new Keeper()
    let socket: Socket | undefined
    acceptSockets(server, (accepted) => {
      socket = accepted
      return keeper
    })
    const client = await open(port)
    await waitFor('the connection', () => socket !== undefined)
    expect(socket!.remotePort).toBe(client.localPort)
    socket!.pause()
    client.end('while it is paused')
    await new Promise((resolve) => setImmediate(resolve))
    expect(keeper.pieces).toEqual([])
    let ended = false
    socket!.on('end', () => {
      ended = true
    })
    socket!.resume()
    await waitFor('the end', () => ended)
    expect(keeper.all.toString()).toBe('while it is paused')
    let answer = ''
    client.on('data', (chunk) => {
      answer += chunk
    })
    socket!.end('an answer')
    await once(client, 'close')
    expect(answer).toBe('an answer')
  })

  it('may have nobody who reads them', async () => {
    const { server, port } = await listen()
    acceptSockets(server, (socket) => {
      socket.end('no')
      return null
    })
    const client = await open(port)
    client.write('something')
    let answer = ''
    client.on('data', (chunk) => {
      answer += chunk
    })
    await once(client, 'end')
    expect(answer).toBe('no')
  })

  it('leave it to the server to tell that accepting failed', async () => {
    const { server } = await listen()
    acceptSockets(server, () => null)
    const error = once(server, 'error')
    const handle = (server as unknown as { _handle: { onconnection(status: number): void } })
      ._handle
    handle.onconnection(-24)
    expect((await error)[0]).toMatchObject({ syscall: 'accept' })
  })

  it('are those of node where node has no such handle', () => {
    const server = new EventEmitter() as unknown as Server
    const keeper = new Keeper()
    acceptSockets(server, () => keeper)
    const socket = new EventEmitter()
    server.emit('connection', socket)
    socket.emit('data', Buffer.from('abc'))
    expect(keeper.all.toString()).toBe('abc')
  })
})

describe('a socket that is read anew', () => {
  it('reads into the memory it is given, one piece after another', async () => {
    const script = 'process.stdin.pipe(require("net").Socket({ fd: 3 }))'
    const child: ChildProcess = spawn(process.execPath, ['-e', script], {
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const spaces: Buffer[] = []
    const seen: string[] = []
    const socket = rereadSocket(child.stdio[3] as Socket, {
      buffer: () => {
        // Another one every second time.
        if (spaces.length % 2 === 1) {
          spaces.push(spaces.at(-1)!)
          return null
        }
        spaces.push(Buffer.alloc(16))
        return spaces.at(-1)!
      },
      read: (length) => seen.push(spaces.at(-1)!.toString('latin1', 0, length)),
    })
    expect(socket).not.toBeNull()
    child.stdin!.write('a'.repeat(40))
    await waitFor('all of it', () => seen.join('').length === 40)
    expect(seen.join('')).toBe('a'.repeat(40))
    expect(Math.max(...seen.map((piece) => piece.length))).toBeLessThanOrEqual(16)
    child.stdin!.end()
    await once(socket!, 'close')
  })

  it('stays what it was where node has no such handle', () => {
    const plain = new EventEmitter() as unknown as Socket
    expect(rereadSocket(plain, { buffer: Buffer.alloc(1), read: () => {} })).toBeNull()
  })
})
