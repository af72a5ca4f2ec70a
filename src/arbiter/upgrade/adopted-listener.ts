import { closeSync, unlinkSync } from 'node:fs'
import { fileIdentity, type ListeningSocket } from '../listeners.ts'
import type { InheritedSocket } from './inheritance.ts'

/** A listening socket that another process has made and handed over. */
export function adoptListener({ fd, requested, address }: InheritedSocket): ListeningSocket {
  const path = address.kind === 'unix' ? address.path : null
  const identity = path === null ? undefined : fileIdentity(path)
  let open = true
  return {
    requested,
    address,
    // The settings of this server say whether it is any of these.
    tls: false,
    redirects: false,
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
