/**
 * Sockets that not every Node.js can bind: TCP with SO_REUSEPORT, so that several servers listen on
 * the same port, and abstract names.
 *
 * Node.js sets the option since its libuv 1.49 (Node.js 22.12). An older one lets Python bind the
 * socket: Node.js has no other way to set an option before bind(2).
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { somePythons } from '../process/some-python.ts'
import {
  type BoundSocket,
  bindTcp,
  bindUnix,
  canReusePort,
  SocketError,
} from '../transport/bound-socket.ts'
import { receivedSocket } from '../transport/node-internals.ts'

const SCRIPT = fileURLToPath(new URL('../../python/monoceros/reuse_port.py', import.meta.url))

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
 * Binds, and listens.
 *
 * @param findPython called only if Node.js cannot do it alone; resolves with a command
 * @throws SocketError; what `findPython` throws
 */
export async function bindReusingPort(
  address: ReusePortAddress,
  findPython: () => Promise<string>,
): Promise<BoundSocket> {
  if (canReusePort()) {
    const { host, family, port, ...options } = address
    return bindTcp(host, family, port, { ...options, reusePort: true })
  }
  return await bindByPython(address, await findPython())
}

/** @throws SocketError, or Error if that Python does not answer */
export function bindByPython(
  { host, family, port, backlog, ipv6Only }: ReusePortAddress,
  python: string,
): Promise<BoundSocket> {
  return receiveBound({ host, family, port, backlog, ipv6_only: ipv6Only }, python)
}

/**
 * Binds a unix socket to an abstract name, and listens. libuv before 1.47 (Node.js 20) fills the
 * name with zero bytes up to 108, so no client would find it; then Python does it.
 *
 * @param path begins with NUL
 * @throws SocketError; Error if Node.js cannot do it and there is no Python
 */
export async function bindAbstract(
  path: string,
  backlog: number,
  pythons: readonly string[] = somePythons(process.env),
): Promise<BoundSocket> {
  if (!/^1\.([0-9]|[1-3][0-9]|4[0-6])\./.test(process.versions.uv))
    return bindUnix(path, { backlog })
  for (const python of pythons) {
    try {
      return await receiveBound({ name: path.slice(1), backlog }, python)
    } catch (error) {
      if (error instanceof SocketError) throw error
    }
  }
  throw new Error('there is no Python')
}

function receiveBound(request: object, python: string): Promise<BoundSocket> {
  const wanted = JSON.stringify(request)
  // -I and -S: nothing of the user's environment is imported.
  const child = spawn(python, ['-I', '-S', SCRIPT, wanted], {
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
