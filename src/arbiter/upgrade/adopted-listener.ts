import { closeSync, lstatSync, unlinkSync } from 'node:fs'
import type { ListeningSocket } from '../listeners.ts'
import type { InheritedSocket } from './inheritance.ts'

/** A listening socket that another process has made and handed over. */
export function adoptListener({ fd, requested, address }: InheritedSocket): ListeningSocket {
  const path = address.kind === 'unix' ? address.path : null
  const identity = path === null ? undefined : identityOf(path)
  let open = true
  return {
    requested,
    address,
    fd,
    close: (shared = false) => {
      if (open) closeSync(fd)
      open = false
      if (path === null || shared || identity === undefined) return
      // The file may be another server's by now.
      if (identityOf(path) === identity) unlinkSync(path)
    },
  }
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = lstatSync(path, { bigint: true })
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}
