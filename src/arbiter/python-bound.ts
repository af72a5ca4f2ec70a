/**
 * Sockets that not every Node.js can bind: TCP with SO_REUSEPORT, so that several servers listen on
 * the same port, and abstract names. Where Node.js cannot, a Python binds them and hands them over:
 * Node.js has no other way to set an option before bind(2).
 */
import { spawn } from 'node:child_process'
import { helperArguments } from '../process/helper-python.ts'
import {
  type BoundSocket,
  bindTcp,
  bindUnix,
  canBindAbstract,
  canReusePort,
  SocketError,
} from '../transport/bound-socket.ts'
import { receivedSocket } from '../transport/node-internals.ts'

export interface ReusePortAddress {
  /** An IP address. */
  readonly host: string
  readonly family: 4 | 6
  readonly port: number
  readonly backlog: number
  readonly ipv6Only: boolean
}

/** What Python answers: the socket comes beside the port. */
type Answer = { readonly port: number } | { readonly errno: number }

/**
 * Binds with SO_REUSEPORT, and listens.
 *
 * @param pythons candidates for an older Node.js
 * @throws SocketError; Error if Node.js cannot do it and no Python does
 */
export async function bindReusingPort(
  address: ReusePortAddress,
  pythons: readonly string[],
): Promise<BoundSocket> {
  const { host, family, port, backlog, ipv6Only } = address
  if (canReusePort()) return bindTcp(host, family, port, { backlog, ipv6Only, reusePort: true })
  return await bindByPython({ host, family, port, backlog, ipv6_only: ipv6Only }, pythons)
}

/**
 * Binds a unix socket to an abstract name, and listens.
 *
 * @param path begins with NUL
 * @param pythons candidates for an older Node.js
 * @throws SocketError; Error if Node.js cannot do it and no Python does
 */
export async function bindAbstract(
  path: string,
  backlog: number,
  pythons: readonly string[],
): Promise<BoundSocket> {
  if (canBindAbstract()) return bindUnix(path, { backlog })
  return await bindByPython({ name: path.slice(1), backlog }, pythons)
}

/**
 * Binds with the first of these Pythons that runs.
 *
 * @param request the argument of `python/monoceros-bind`
 * @throws SocketError; Error if none of them answers
 */
export async function bindByPython(
  request: object,
  pythons: readonly string[],
): Promise<BoundSocket> {
  let failure = 'No Python 3 was found.'
  for (const python of pythons) {
    try {
      return await receiveBound(request, python)
    } catch (error) {
      if (error instanceof SocketError) throw error
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') failure = (error as Error).message
    }
  }
  throw new Error(failure)
}

function receiveBound(request: object, python: string): Promise<BoundSocket> {
  const wanted = JSON.stringify(request)
  const child = spawn(python, helperArguments('monoceros-bind', wanted), {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'json',
  })
  let trouble = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    trouble += text
  })
  return new Promise((resolve, reject) => {
    child.on('message', (answer: Answer, handle) => {
      if ('errno' in answer) return reject(new SocketError(-answer.errno))
      const socket = receivedSocket(handle)
      if (socket === null) return reject(new Error(`${process.version} did not take the socket`))
      resolve({ fd: socket.fd, port: answer.port, close: () => socket.close() })
      child.disconnect()
    })
    child.on('error', reject)
    child.on('close', () => reject(new Error(`${python} could not bind a socket. ${trouble}`)))
  })
}
