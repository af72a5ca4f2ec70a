import { closeSync, openSync, readlinkSync, readSync } from 'node:fs'

/** The state LISTEN in `/proc/net/tcp`. */
const LISTENING = '0A'
const CHUNK = 64 * 1024

/**
 * How many connections the kernel has accepted for these listening TCP sockets and nobody has taken
 * yet; null if that cannot be known.
 *
 * Linux lists them in `/proc/net/tcp`, the listening sockets first, so that the rest need not be
 * read. For these, the length of the receive queue is the number of waiting connections.
 *
 * @param fds descriptors of this process
 */
export function socketBacklog(fds: readonly number[]): number | null {
  const inodes = new Set(fds.map(inodeOf).filter((inode) => inode !== null))
  if (inodes.size === 0) return null
  let sum = 0
  let known = false
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const row of listeningRows(table)) {
      if (!inodes.has(row.inode)) continue
      sum += row.waiting
      known = true
    }
  }
  return known ? sum : null
}

function inodeOf(fd: number): string | null {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? null
  } catch {
    return null
  }
}

interface Row {
  readonly inode: string
  readonly waiting: number
}

function* listeningRows(table: string): Generator<Row> {
  let fd: number
  try {
    fd = openSync(table, 'r')
  } catch {
    return
  }
  try {
    const buffer = Buffer.alloc(CHUNK)
    let rest = ''
    for (;;) {
      const size = readSync(fd, buffer)
      if (size === 0) return
      const lines = (rest + buffer.toString('latin1', 0, size)).split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        // number: local remote state tx:rx timer retransmits user timeout inode …
        const columns = line.trim().split(/\s+/)
        if (columns[0] === 'sl') continue
        if (columns[3] !== LISTENING) return
        const waiting = Number.parseInt(columns[4]!.split(':')[1]!, 16)
        yield { inode: columns[9]!, waiting }
      }
    }
  } finally {
    closeSync(fd)
  }
}
