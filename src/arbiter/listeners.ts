/** The addresses to listen at: resolved, bound, and explained when that fails. */
import { lookup } from 'node:dns/promises'
import { lstatSync, unlinkSync } from 'node:fs'
import { connect, isIP } from 'node:net'
import { dirname } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import type { BoundAddress } from '../acceptor/messages.ts'
import { type BindAddress, formatBindAddress } from '../settings/bind-address.ts'
import { type BoundSocket, bindTcp, bindUnix, SocketError } from './bound-socket.ts'

/** Thrown when an address cannot be listened at; `message` says which one, why, and what to do. */
export class ListenError extends Error {
  readonly code = 'listen'
}

/** A listening socket that the arbiter holds for its acceptors. */
export interface Listener {
  /** As it was asked for; the same settings give an equal text. */
  readonly requested: string
  /** As it is: an IP address for a name, the real port for 0. */
  readonly address: BoundAddress
  readonly fd: number
  /**
   * Closes the socket and removes its file; connections that nobody accepted are refused from now
   * on.
   */
  close(): void
}

/**
 * How an address is shown to people.
 *
 * @example addressUrl({ kind: 'tcp', host: '::1', port: 8000 }) // 'http://[::1]:8000'
 */
export function addressUrl(address: BoundAddress): string {
  const text = formatBindAddress(address)
  return address.kind === 'tcp' ? `http://${text}` : text
}

/**
 * Listens at all of these addresses, or at none.
 *
 * @param backlog how many connections the kernel keeps waiting, for each address
 * @throws ListenError
 */
export async function listenAt(
  addresses: readonly BindAddress[],
  backlog: number,
): Promise<Listener[]> {
  const listeners: Listener[] = []
  const have = new Set<string>()
  try {
    for (const address of addresses) {
      const requested = formatBindAddress(address)
      // Twice the same is once; with port 0 it is two ports.
      if (have.has(requested) && !(address.kind === 'tcp' && address.port === 0)) continue
      have.add(requested)
      listeners.push(
        address.kind === 'unix'
          ? await listenUnix(address, requested, backlog)
          : await listenTcp(address, requested, backlog, hasIpv4At(address.port, addresses)),
      )
    }
    return listeners
  } catch (error) {
    for (const listener of listeners) listener.close()
    throw error
  }
}

/** With `0.0.0.0:80` beside it, `[::]:80` has to leave IPv4 alone; by itself it serves both. */
function hasIpv4At(port: number, addresses: readonly BindAddress[]): boolean {
  return (
    port !== 0 &&
    addresses.some((it) => it.kind === 'tcp' && it.port === port && isIP(it.host) === 4)
  )
}

async function listenTcp(
  address: BindAddress & { kind: 'tcp' },
  requested: string,
  backlog: number,
  ipv6Only: boolean,
): Promise<Listener> {
  const { host, family } = await resolveHost(address.host, requested)
  const socket = attempt(requested, address, () =>
    bindTcp(host, family, address.port, { backlog, ipv6Only }),
  )
  return {
    requested,
    address: { kind: 'tcp', host, port: socket.port },
    fd: socket.fd,
    close: () => socket.close(),
  }
}

/**
 * A name gives one address, an IPv4 one if there is any: what `localhost` means to most clients and
 * to other servers.
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
    // The same as an empty answer to the user.
  }
  throw new ListenError(
    `Cannot listen at ${requested}: this machine knows no address of the name ${host}. Give an IP address to --bind, such as 127.0.0.1 or 0.0.0.0.`,
  )
}

async function listenUnix(
  address: BindAddress & { kind: 'unix' },
  requested: string,
  backlog: number,
): Promise<Listener> {
  const { path } = address
  // sockaddr_un: 108 bytes on Linux, 104 elsewhere, with a NUL at the end. libuv would cut a longer
  // path off.
  const longest = process.platform === 'linux' ? 107 : 103
  const length = Buffer.byteLength(path)
  if (length > longest) {
    throw new ListenError(
      `Cannot listen at ${requested}: the path has ${length} bytes, and a unix socket's has at most ${longest}. Choose a shorter one.`,
    )
  }
  await removeStaleSocket(path, requested)
  const socket = attempt(requested, address, () => bindUnix(path, { backlog }))
  const identity = fileIdentity(path)
  return { requested, address, fd: socket.fd, close: () => closeUnix(socket, path, identity) }
}

/**
 * Makes way at `path`: removes a socket that nobody accepts from, refuses to touch anything else.
 */
async function removeStaleSocket(path: string, requested: string): Promise<void> {
  const stats = attempt(requested, { kind: 'unix', path }, () =>
    lstatSync(path, { throwIfNoEntry: false }),
  )
  if (stats === undefined) return
  if (!stats.isSocket()) {
    throw new ListenError(
      `Cannot listen at ${requested}: there is a ${stats.isDirectory() ? 'directory' : 'file'} at that path which is no socket. Remove it or choose another path.`,
    )
  }
  const answer = await knock(path)
  if (answer === 'ENOENT') return
  if (answer === 'EACCES' || answer === 'EPERM') {
    throw new ListenError(
      `Cannot listen at ${requested}: another user's socket is there. Remove it or choose another path.`,
    )
  }
  if (answer !== 'ECONNREFUSED') throw inUse(requested)
  attempt(requested, { kind: 'unix', path }, () => unlinkSync(path))
}

/** Connects to a unix socket and hangs up; resolves with `connected` or the error's code. */
function knock(path: string): Promise<string> {
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
 * Device and inode, to tell our socket file from one that somebody put in its place; undefined when
 * there is none.
 */
function fileIdentity(path: string): string | undefined {
  try {
    const stats = lstatSync(path, { bigint: true })
    return `${stats.dev}:${stats.ino}`
  } catch {
    return undefined
  }
}

function closeUnix(socket: BoundSocket, path: string, identity: string | undefined): void {
  // Closing removes the path, whatever is there by now. A file that somebody put in place of ours
  // stays only when our socket stays open; the process is about to end anyway, or holds one
  // descriptor too many.
  if (fileIdentity(path) === identity) socket.close()
}

function attempt<T>(requested: string, address: BindAddress, action: () => T): T {
  try {
    return action()
  } catch (error) {
    const errno =
      error instanceof SocketError ? error.errno : (error as NodeJS.ErrnoException).errno
    if (errno === undefined) throw error
    throw explain(errno, requested, address)
  }
}

function explain(errno: number, requested: string, address: BindAddress): ListenError {
  const [code, message] = getSystemErrorMap().get(errno) ?? [`errno ${errno}`, 'the system refused']
  switch (code) {
    case 'EADDRINUSE':
      return inUse(requested)
    case 'EADDRNOTAVAIL':
      return new ListenError(
        `Cannot listen at ${requested}: this machine has no such address. Give one of its own to --bind, or 0.0.0.0 for all of them.`,
      )
    case 'EAFNOSUPPORT':
      return new ListenError(
        `Cannot listen at ${requested}: this machine has no IPv6. Give an IPv4 address to --bind.`,
      )
    case 'EACCES':
    case 'EPERM':
      return address.kind === 'tcp'
        ? new ListenError(
            `Permission denied: ${requested}. Ports below 1024 need a privilege (root, or CAP_NET_BIND_SERVICE); choose a higher one with --bind.`,
          )
        : new ListenError(explainDirectory(requested, address.path))
    default:
      return new ListenError(`Cannot listen at ${requested}: ${message} (${code}).`)
  }
}

/** For a unix path that was refused. libuv says EACCES for a missing directory too. */
function explainDirectory(requested: string, path: string): string {
  const directory = dirname(path)
  const exists = lstatSync(directory, { throwIfNoEntry: false }) !== undefined
  return exists
    ? `Permission denied: ${requested}. The user that runs this command must be allowed to write to ${directory}.`
    : `Cannot listen at ${requested}: there is no directory ${directory}. Create it or choose another path.`
}

function inUse(requested: string): ListenError {
  return new ListenError(
    `Address already in use: ${requested}. Stop the process that listens there or choose another address with --bind.`,
  )
}
