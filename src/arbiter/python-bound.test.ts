import { connect, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { findSystemPython } from '../runtimes/cpython/interpreter.ts'
import {
  type BoundSocket,
  bindTcp,
  canBindAbstract,
  canReusePort,
  SocketError,
} from '../transport/bound-socket.ts'
import { bindByPython } from './python-bound.ts'

const open: { close(): void }[] = []

afterEach(() => {
  for (const socket of open.splice(0)) socket.close()
})

function closing<T extends { close(): void }>(socket: T): T {
  open.push(socket)
  return socket
}

function accepting({ fd }: BoundSocket): Promise<Server> {
  return new Promise((resolve) => {
    const server = closing(createServer((socket) => socket.end('here')))
    server.listen({ fd }, () => resolve(server))
  })
}

function answerAt(port: number, host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host)
    socket.once('error', reject)
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString())
    })
  })
}

describe('a socket that Python binds', async () => {
  const python = [(await findSystemPython(null, import.meta.dirname)).command]
  const address = { host: '127.0.0.1', family: 4, port: 0, backlog: 10, ipv6_only: false }

  test('accepts, and shares its port with another one', async () => {
    const first = closing(await bindByPython(address, ['/nonexistent/python', ...python]))
    expect(first.port).toBeGreaterThan(0)
    const second = closing(await bindByPython({ ...address, port: first.port }, python))
    expect(second.port).toBe(first.port)
    await accepting(first)
    await accepting(second)
    expect(await answerAt(first.port, '127.0.0.1')).toBe('here')
  })

  test('is refused a port that another server has for itself', async () => {
    const other = closing(bindTcp('127.0.0.1', 4, 0, { backlog: 10 }))
    const refused = await bindByPython({ ...address, port: other.port }, python).catch((e) => e)
    expect(refused).toBeInstanceOf(SocketError)
    expect(refused.errno).toBeLessThan(0)
  })

  test('a Python that does not run is an error', async () => {
    await expect(bindByPython(address, ['/nonexistent/python'])).rejects.toThrow(
      'No Python 3 was found',
    )
    await expect(bindByPython(address, ['/bin/false'])).rejects.toThrow('could not bind a socket')
  })
})

test('Node.js can since libuv 1.49, and binds abstract names since 1.47', () => {
  const versions = ['', '1.46.0', '1.47.0', '1.48.9', '1.49.0', '1.51.0', '2.0.0']
  const can = (bind: (libuv: string) => boolean) => versions.filter((libuv) => bind(libuv))
  expect(can(canReusePort)).toEqual(['1.49.0', '1.51.0', '2.0.0'])
  expect(can(canBindAbstract)).toEqual(['1.47.0', '1.48.9', '1.49.0', '1.51.0', '2.0.0'])
})
