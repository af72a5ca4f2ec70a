import { closeSync, unlinkSync } from 'node:fs'
import { fileIdentity, type ListeningSocket } from '../listeners.ts'
import type { InheritedSocket } from './inheritance.ts'

/** A listening socket that another process has made and handed over. */
export function adoptListener(inherited: InheritedSocket): ListeningSocket {
  const { fd, requested, address, tls = false, redirects = false } = inherited
  const path = address.kind === 'unix' ? address.path : null
  const identity = path === null ? undefined : fileIdentity(path)
  let open = true
  return {
    requested,
    address,
    // As it was there: the settings of this server have the last word.
    tls,
    redirects,
    fd,
    close: (shared = false) => {
      if (open) closeSync(fd)
      open = false
      if (path === null || shared || identity === undefined) return
      // The file may be another server's by now.
      if (fileIdentity(path) === identity) unlinkSync(path)
    },
  }
}
