/**
 * What a running Monoceros hands to the one that is to take over from it: its listening sockets, by
 * their descriptors, and a channel. The environment variable below says which descriptor is what.
 *
 * The two may be of different versions, so this is a format to keep: unknown members are ignored.
 */
import { fstatSync } from 'node:fs'
import type { BoundAddress } from '../../acceptor/messages.ts'

/** As JSON; see {@link Inheritance}. */
export const UPGRADE_VARIABLE = 'MONOCEROS_UPGRADE'

/** A listening socket that was inherited. */
export interface InheritedSocket {
  readonly fd: number
  /** The address of the settings that it was made for. */
  readonly requested: string
  readonly address: BoundAddress
  /** What its connections use; another version may not say. */
  readonly tls?: boolean
  readonly redirects?: boolean
}

export interface Inheritance {
  /** The process that serves now. */
  readonly pid: number
  /**
   * A socket whose other end that process holds: when it is gone, this one is at its end. A line
   * `serving` tells that process that this one serves.
   */
  readonly channel: number
  readonly listeners: readonly InheritedSocket[]
}

export function writeInheritance(inheritance: Inheritance): string {
  return JSON.stringify(inheritance)
}

/**
 * Takes the variable from the environment, so that no process of the application sees it.
 *
 * @returns null if this process was started by a user, or by a program that inherited the variable
 * by mistake
 */
export function takeInheritance(env: Record<string, string | undefined>): Inheritance | null {
  const text = env[UPGRADE_VARIABLE]
  if (text === undefined) return null
  delete env[UPGRADE_VARIABLE]
  try {
    const inheritance = JSON.parse(text) as Inheritance
    const { pid, channel, listeners } = inheritance
    if (pid !== process.ppid && isThere(pid)) return null
    const sockets = [channel, ...listeners.map(({ fd }) => fd)]
    return sockets.every(isSocket) ? inheritance : null
  } catch {
    return null
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function isSocket(fd: number): boolean {
  return fstatSync(fd).isSocket()
}
