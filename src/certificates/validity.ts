import { type Coded, coded } from '../messages/coded.ts'
import type { LoadedPair } from './load-pairs.ts'

const DAY_MS = 24 * 3600 * 1000

/**
 * How long before its end a certificate is warned of: so many days, and at most this part of its
 * whole life. ACME clients renew when a third is left, or 30 of 90 days; who is on time hears
 * nothing.
 */
const WARNINGS = [
  { days: 30, part: 1 / 4 },
  { days: 7, part: 1 / 8 },
  { days: 1, part: 1 / 16 },
] as const

type Validity = Pick<LoadedPair, 'file' | 'validFrom' | 'validTo'>

/**
 * What to say of a certificate when it comes into use, or null if it is valid for long enough.
 *
 * @param now milliseconds since 1970
 */
export function validityWarning({ file, validFrom, validTo }: Validity, now: number): Coded | null {
  if (now < validFrom)
    return coded(
      'MONO3212',
      `The certificate in ${file} is not valid before ${day(validFrom)}: clients will refuse it. ` +
        "Check this machine's clock",
    )
  if (now >= validTo)
    return coded(
      'MONO3212',
      `The certificate in ${file} expired on ${day(validTo)}: clients will refuse it. Renew it`,
    )
  if (!warningTimes({ validFrom, validTo }).some((time) => now >= time)) return null
  const when = `in ${left(validTo - now)}, on ${day(validTo)}`
  return coded('MONO3212', `The certificate in ${file} expires ${when}. Renew it`)
}

/**
 * When there is more to say of a certificate, in milliseconds since 1970: at the next of the times
 * before its end, or when it expires. Null if it has expired.
 */
export function nextWarning(validity: Validity, now: number): number | null {
  const times = [...warningTimes(validity), validity.validTo]
  return times.find((time) => time > now) ?? null
}

/** In their order, in milliseconds since 1970. */
function warningTimes({ validFrom, validTo }: Pick<Validity, 'validFrom' | 'validTo'>): number[] {
  return WARNINGS.map(
    ({ days, part }) => validTo - Math.min(days * DAY_MS, (validTo - validFrom) * part),
  )
}

function day(time: number): string {
  return Number.isNaN(time) ? 'an unknown day' : new Date(time).toISOString().slice(0, 10)
}

function left(ms: number): string {
  if (ms <= 2 * DAY_MS) return `${Math.max(1, Math.round(ms / 3600_000))} hours`
  return `${Math.round(ms / DAY_MS)} days`
}
