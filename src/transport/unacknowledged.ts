import { readFileSync } from 'node:fs'

/**
 * How long a copy of the kernel's tables is used, in milliseconds. They have a line for each
 * connection of the machine.
 */
const FRESH_MS = 1000
const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6']
/** Two connections have the same ports. They are not told apart. */
const AMBIGUOUS = -1

let table = new Map<string, number>()
let readAt = Number.NEGATIVE_INFINITY

/**
 * Bytes that were given to the kernel for a TCP connection and that the other side has not
 * acknowledged (Linux: `tx_queue`, proc_net_tcp). A socket is writable again only when a third of
 * the kernel's buffer is free. For a slow reader that may take minutes, during which this number
 * falls.
 *
 * @returns null if it cannot be known: not Linux, not TCP, or other connections have the same pair
 * of ports
 */
export function unacknowledged(localPort: number, remotePort: number): number | null {
  if (process.platform !== 'linux' || remotePort === 0) return null
  const now = performance.now()
  if (now - readAt > FRESH_MS) {
    readAt = now
    table = readTables()
  }
  const bytes = table.get(`${localPort}:${remotePort}`) ?? AMBIGUOUS
  return bytes === AMBIGUOUS ? null : bytes
}

function readTables(): Map<string, number> {
  const found = new Map<string, number>()
  for (const path of TABLES) {
    let text: string
    try {
      text = readFileSync(path, 'latin1')
    } catch {
      continue // there is no IPv6, or no /proc
    }
    for (const [, local = '', remote = '', sending = ''] of text.matchAll(
      /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]+:([0-9A-F]{4}) [0-9A-F]{2} ([0-9A-F]{8}):/gm,
    )) {
      if (remote === '0000') continue // it listens
      const key = `${Number.parseInt(local, 16)}:${Number.parseInt(remote, 16)}`
      found.set(key, found.has(key) ? AMBIGUOUS : Number.parseInt(sending, 16))
    }
  }
  return found
}
