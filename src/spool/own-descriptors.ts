import { readlinkSync } from 'node:fs'

let found: string | null | undefined

/**
 * The folder of this process's descriptors as its workers see it, `/proc/PID/fd`; null where there
 * is none, or another system than Linux.
 *
 * `PID` is not always our own number: in a PID namespace whose `/proc` is that of the one around
 * it, processes have the numbers there. What `/proc/self` leads to is right wherever it leads
 * anywhere.
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
    return null // no /proc, or that of a namespace which we are not in
  }
}
