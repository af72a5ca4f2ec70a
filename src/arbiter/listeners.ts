/** The addresses to listen on: resolves and binds them, and explains failures. */
import { lookup } from 'node:dns/promises'
import { chownSync, fstatSync, lstatSync, readFileSync, unlinkSync } from 'node:fs'
import { connect, isIP } from 'node:net'
import { dirname } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import type { BoundAddress } from '../acceptor/messages.ts'
import { CodedError, coded } from '../messages/coded.ts'
import {
  type BindAddress,
  formatSocketAddress,
  isAbstract,
  type SocketAddress,
} from '../settings/bind-address.ts'
import {
  adoptSocket,
  type BoundSocket,
  bindTcp,
  bindUnix,
  SocketError,
} from '../transport/bound-socket.ts'
import { bindAbstract, bindReusingPort } from './python-bound.ts'

/** Thrown if an address cannot be listened on; `message` has the address, the reason and advice. */
export class ListenError extends CodedError {
  readonly code = 'listen'
}

/** A listening socket that the arbiter holds for its acceptors. */
export interface ListeningSocket {
  /** The address of the settings, without `tls:`; equal settings give an equal text. */
  readonly requested: string
  /** The bound address: an IP address instead of a name, the actual port instead of 0. */
  readonly address: BoundAddress
  /** Its connections use TLS. */
  readonly tls: boolean
  /** Its requests are redirected to HTTPS. */
  readonly redirects: boolean
  readonly fd: number
  /**
   * Closes the socket and removes its file. Connections that were not accepted are refused.
   *
   * @param shared another server accepts from the same socket, so its file stays, and connections
   * that were not accepted wait for that server
   */
  close(shared?: boolean): void
}

/**
 * An address in the form that the log shows.
 *
 * @example
 * const address = { kind: 'tcp', host: '::1', port: 8000 }
 * addressUrl({ address, tls: false }) // http://[::1]:8000
 */
export function addressUrl({ address, tls }: Pick<ListeningSocket, 'address' | 'tls'>): string {
  const text = formatSocketAddress(address)
  if (address.kind === 'tcp') return `${tls ? 'https' : 'http'}://${text}`
  return tls ? `tls:${text}` : text
}

/** A socket that listens, whatever its connections use. */
type OpenSocket = Omit<ListeningSocket, 'tls' | 'redirects'>

/** How sockets listen. */
export interface ListenOptions {
  /** How many connections the kernel queues, for each address. */
  readonly backlog: number
  /** Several servers may listen on the same port. */
  readonly reusePort?: boolean
  /** Where a Python may be that binds what this Node.js cannot. */
  readonly pythons?: readonly string[]
  /** For the files of unix sockets; without it, they have mode 0777 less the process's umask. */
  readonly files?: SocketFiles
}

/** The mode and the owner of the files of unix sockets. */
export interface SocketFiles {
  readonly mode: number
  /** -1 leaves the user, or the group, as it is. */
  readonly uid: number
  readonly gid: number
}

/**
 * Listens on all of these addresses, or on none.
 *
 * @throws ListenError
 */
export async function listenAt(
  addresses: readonly BindAddress[],
  options: ListenOptions,
): Promise<ListeningSocket[]> {
  const listeners: ListeningSocket[] = []
  const have = new Set<string>()
  try {
    for (const address of addresses) {
      const requested = formatSocketAddress(address)
      // A repeated address counts once; with port 0, each is another port.
      if (have.has(requested) && !(address.kind === 'tcp' && address.port === 0)) continue
      have.add(requested)
      const kind = { tls: address.tls === true, redirects: address.redirects === true }
      if (address.kind === 'fd')
        listeners.push({ ...adopt(address.fd, requested, options), ...kind })
      else if (address.kind === 'unix')
        listeners.push({ ...(await listenUnix(address, requested, options)), ...kind })
      else {
        const ipv6Only = hasIpv4At(address.port, addresses)
        listeners.push({ ...(await listenTcp(address, requested, options, ipv6Only)), ...kind })
      }
    }
    return listeners
  } catch (error) {
    for (const listener of listeners) listener.close()
    throw error
  }
}

/** `[::]:80` serves IPv4 too, unless `0.0.0.0:80` is also an address to listen on. */
function hasIpv4At(port: number, addresses: readonly BindAddress[]): boolean {
  return (
    port !== 0 &&
    addresses.some((it) => it.kind === 'tcp' && it.port === port && isIP(it.host) === 4)
  )
}

async function listenTcp(
  address: SocketAddress & { kind: 'tcp' },
  requested: string,
  { backlog, reusePort = false, pythons = [] }: ListenOptions,
  ipv6Only: boolean,
): Promise<OpenSocket> {
  const { host, family } = await resolveHost(address.host, requested)
  const { port } = address
  const socket = reusePort
    ? await bindReusingPort({ host, family, port, backlog, ipv6Only }, pythons).catch(
        (error: Error) =>
          refused(error, requested, address, '--reuse-port needs Node.js 22.12 or newer'),
      )
    : attempt(requested, address, () => bindTcp(host, family, port, { backlog, ipv6Only }))
  return {
    requested,
    address: { kind: 'tcp', host, port: socket.port },
    fd: socket.fd,
    close: () => socket.close(),
  }
}

/**
 * One address of a name, an IPv4 one if possible: that is what most clients and other servers take
 * `localhost` for.
 */
async function resolveHost(
  host: string,
  requested: string,
): Promise<{ host: string; family: 4 | 6 }> {
  const family = isIP(host)
  if (family === 4 || family === 6) return { host, family }
  try {
    const found = await lookup(host, { all: true })
    const first = found.find((it) => it.family === 4) ?? found[0]
    if (first) return { host: first.address, family: first.family === 4 ? 4 : 6 }
  } catch {
    // Reported like an empty answer.
  }
  throw new ListenError(
    coded(
      'MONO3002',
      `Cannot listen at ${requested}: the name ${host} cannot be resolved. ` +
        'Use an IP address with --bind, such as 127.0.0.1 or 0.0.0.0.',
    ),
  )
}

/** Listens on a socket that this process was started with, by systemd for example. */
function adopt(fd: number, requested: string, { backlog }: ListenOptions): OpenSocket {
  try {
    const socket = adoptSocket(fd, { backlog })
    const address: BoundAddress =
      socket.host === null
        ? { kind: 'unix', path: unixNameOf(fd) }
        : { kind: 'tcp', host: socket.host, port: socket.port }
    return { requested, address, fd, close: () => socket.close() }
  } catch (error) {
    if (!(error instanceof SocketError)) throw error
    throw new ListenError(
      coded(
        'MONO3003',
        `Cannot listen at ${requested}: descriptor ${fd} is not a socket that listens, or can ` +
          'listen, for connections. The program that starts this one must open it and pass it on.',
      ),
    )
  }
}

/** The path or abstract name of a unix socket; empty if the system does not tell. */
function unixNameOf(fd: number): string {
  try {
    const inode = String(fstatSync(fd).ino)
    for (const line of readFileSync('/proc/net/unix', 'latin1').split('\n')) {
      // `address: references protocol flags type state inode path` (proc_net_unix(5))
      const [, , , , , , number, ...path] = line.trim().split(/\s+/)
      if (number === inode)
        return Buffer.from(path.join(' '), 'latin1').toString().replace(/^@/, '\0')
    }
  } catch {
    // There is no /proc.
  }
  return ''
}

async function listenUnix(
  address: SocketAddress & { kind: 'unix' },
  requested: string,
  { backlog, files, pythons = [] }: ListenOptions,
): Promise<OpenSocket> {
  const { path } = address
  // sockaddr_un has 108 bytes on Linux and 104 elsewhere, with a NUL at the end. libuv truncates
  // longer paths.
  const longest = process.platform === 'linux' ? 107 : 103
  const length = Buffer.byteLength(path)
  if (length > longest) {
    throw new ListenError(
      coded(
        'MONO3004',
        `Cannot listen at ${requested}: the path of a unix socket has at most ${longest} bytes, ` +
          `this one has ${length}. Choose a shorter path.`,
      ),
    )
  }
  if (isAbstract(path)) {
    if (process.platform !== 'linux') {
      throw new ListenError(
        coded(
          'MONO3004',
          `Cannot listen at ${requested}: only Linux has abstract sockets. Use unix:PATH.`,
        ),
      )
    }
    const socket = await bindAbstract(path, backlog, pythons).catch((error: Error) =>
      refused(error, requested, address, 'an abstract socket needs Node.js 22 or newer'),
    )
    return { requested, address, fd: socket.fd, close: () => socket.close() }
  }
  await removeStaleSocket(path, requested)
  const bind = (): BoundSocket =>
    bindUnix(path, { backlog, beforeListen: () => files && giveAway(path, requested, files) })
  const socket = attempt(requested, address, () => withMode(files?.mode, bind))
  const identity = fileIdentity(path)
  // Closing a unix socket removes its file. A shared one stays open until this process ends.
  const close = (shared = false) => {
    if (!shared) closeUnix(socket, path, identity)
  }
  return { requested, address, fd: socket.fd, close }
}

/** Has the file that `bind` makes this mode from the beginning, so that there is no gap. */
export function withMode<T>(mode: number | undefined, bind: () => T): T {
  if (mode === undefined) return bind()
  const before = process.umask(0o777 & ~mode)
  try {
    return bind()
  } finally {
    process.umask(before)
  }
}

/** Gives the file of a socket to its owner, before anybody can connect. */
function giveAway(path: string, requested: string, { uid, gid }: SocketFiles): void {
  if (uid === -1 && gid === -1) return
  try {
    chownSync(path, uid, gid)
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new ListenError(
      coded(
        'MONO3005',
        `Cannot listen at ${requested}: the socket cannot be given to user ${uid}, group ${gid} ` +
          `(${code}). Only root may do that; a user may choose a group that it is a member of.`,
      ),
    )
  }
}

/** Removes a socket that no process accepts from; any other file at `path` is an error. */
async function removeStaleSocket(path: string, requested: string): Promise<void> {
  const stats = attempt(requested, { kind: 'unix', path }, () =>
    lstatSync(path, { throwIfNoEntry: false }),
  )
  if (stats === undefined) return
  if (!stats.isSocket()) {
    throw new ListenError(
      coded(
        'MONO3006',
        `Cannot listen at ${requested}: the path is a ` +
          `${stats.isDirectory() ? 'directory' : 'file'}, not a socket. ` +
          'Remove it or choose another path.',
      ),
    )
  }
  const answer = await knock(path)
  if (answer === 'ENOENT') return
  if (answer === 'EACCES' || answer === 'EPERM') {
    throw new ListenError(
      coded(
        'MONO3006',
        `Cannot listen at ${requested}: the path is another user's socket. ` +
          'Remove it or choose another path.',
      ),
    )
  }
  if (answer !== 'ECONNREFUSED') throw inUse(requested)
  attempt(requested, { kind: 'unix', path }, () => unlinkSync(path))
}

/** Tries to connect to a unix socket; resolves with `connected` or the error's code. */
export function knock(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve('connected')
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown'))
  })
}

/**
 * Device and inode of a file, which identify our own socket file; undefined if there is no file.
 */
export function fileIdentity(path: string): string | undefined {
  try {
    const stats = lstatSync(path, { bigint: true })
    return `${stats.dev}:${stats.ino}`
  } catch {
    return undefined
  }
}

function closeUnix(socket: BoundSocket, path: string, identity: string | undefined): void {
  // Closing the socket also removes the path, whatever is there now. If that is another file, the
  // socket stays open: the process is about to end anyway, or holds one descriptor too many.
  if (fileIdentity(path) === identity) socket.close()
}

/** @param need what would be needed if neither Node.js nor a Python can bind the socket */
function refused(error: Error, requested: string, address: SocketAddress, need: string): never {
  if (error instanceof SocketError) throw explain(error.errno, requested, address)
  throw new ListenError(
    coded(
      'MONO3007',
      `Cannot listen at ${requested}: ${need}, or a Python 3 that binds the socket for ` +
        `${process.version}. ${error.message}`,
    ),
  )
}

function attempt<T>(requested: string, address: SocketAddress, action: () => T): T {
  try {
    return action()
  } catch (error) {
    const errno =
      error instanceof SocketError ? error.errno : (error as NodeJS.ErrnoException).errno
    if (errno === undefined) throw error
    throw explain(errno, requested, address)
  }
}

function explain(errno: number, requested: string, address: SocketAddress): ListenError {
  const [code, message] = getSystemErrorMap().get(errno) ?? [`errno ${errno}`, 'the system refused']
  switch (code) {
    case 'EADDRINUSE':
      return inUse(requested)
    case 'EADDRNOTAVAIL':
      return new ListenError(
        coded(
          'MONO3008',
          `Cannot listen at ${requested}: this machine does not have that address. ` +
            'Use one that it has with --bind, or 0.0.0.0 for all of them.',
        ),
      )
    case 'EAFNOSUPPORT':
      return new ListenError(
        coded(
          'MONO3009',
          `Cannot listen at ${requested}: this machine does not support IPv6. ` +
            'Use an IPv4 address with --bind.',
        ),
      )
    case 'EACCES':
    case 'EPERM':
      return address.kind === 'tcp'
        ? new ListenError(
            coded(
              'MONO3010',
              `Permission denied: ${requested}. Ports below 1024 need a privilege ` +
                '(root, or CAP_NET_BIND_SERVICE); choose a higher one with --bind.',
            ),
          )
        : new ListenError(coded('MONO3011', explainDirectory(requested, pathOf(address))))
    default:
      return new ListenError(
        coded('MONO3012', `Cannot listen at ${requested}: ${message} (${code}).`),
      )
  }
}

function pathOf(address: SocketAddress): string {
  return address.kind === 'unix' ? address.path : ''
}

/** For the path of a unix socket: libuv reports EACCES also if the directory is missing. */
function explainDirectory(requested: string, path: string): string {
  const directory = dirname(path)
  const exists = lstatSync(directory, { throwIfNoEntry: false }) !== undefined
  return exists
    ? `Permission denied: ${requested}. ` +
        `The user of this command needs write access to ${directory}.`
    : `Cannot listen at ${requested}: the directory ${directory} does not exist. ` +
        'Create it or choose another path.'
}

function inUse(requested: string): ListenError {
  return new ListenError(
    coded(
      'MONO3001',
      `Address already in use: ${requested}. ` +
        'Stop the process that listens there or choose another address with --bind.',
    ),
  )
}
