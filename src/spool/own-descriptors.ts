import { readlinkSync } from 'node:fs'

let found: string | null | undefined

/**
 * The folder of this process's file descriptors as its workers see it, `/proc/PID/fd`; null if
 * there is none, as on systems other than Linux.
 *
 * `PID` is not always `process.pid`: if `/proc` belongs to an outer PID namespace, it contains the
 * numbers of that namespace. The target of `/proc/self` is always the right one.
 */
export function ownDescriptors(): string | null {
  if (found === undefined) found = look()
  return found
}

function look(): string | null {
  if (process.platform !== 'linux') return null
  try {
    const self = readlinkSync('/proc/self')
    return /^[1-9][0-9]*$/.test(self) ? `/proc/${self}/fd` : null
  } catch {
    return null // there is no /proc, or it belongs to a namespace without this process
  }
}
