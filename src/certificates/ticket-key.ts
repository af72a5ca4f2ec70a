import { randomBytes } from 'node:crypto'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'

/** How long session tickets are encrypted with one key, in milliseconds. */
const LIFE_MS = 12 * 3600 * 1000

/** The key that the session tickets of all acceptors are encrypted with (RFC 5077 §5.5). */
export interface TicketKey {
  readonly bytes: Uint8Array
  /** When it was made, in milliseconds since 1970. */
  readonly since: number
  /** What a client had to comply with to get a ticket. */
  readonly rules: string
}

type Material = Omit<TlsMaterial, 'ticketKeys'>

/**
 * The key to use from now on: the one before, unless it is too old or from other rules. A client
 * that resumes its session is not checked again, so a ticket must not outlive the rules.
 */
export function ticketKey(before: TicketKey | null, material: Material, now: number): TicketKey {
  const { ca, clientCertificates, minVersion, maxVersion, ciphers } = material
  const rules = JSON.stringify([ca, clientCertificates, minVersion, maxVersion, ciphers])
  const age = before === null ? 0 : now - before.since
  // A clock that was set back does not make a key last longer.
  if (before !== null && before.rules === rules && age >= 0 && age < LIFE_MS) return before
  return { bytes: randomBytes(48), since: now, rules }
}
