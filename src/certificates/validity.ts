import type { LoadedPair } from './load-pairs.ts'

const DAY_MS = 24 * 3600 * 1000

/** How long before its end a certificate is warned of, in days. */
const WARN_DAYS = [30, 7, 1] as const

type Validity = Pick<LoadedPair, 'file' | 'validFrom' | 'validTo'>

/**
 * What to say of a certificate when it comes into use, or null if it is valid for long enough.
 *
 * @param now milliseconds since 1970
 */
export function validityWarning(
  { file, validFrom, validTo }: Validity,
  now: number,
): string | null {
  if (now < validFrom)
    return (
      `The certificate in ${file} is not valid before ${day(validFrom)}: clients will refuse it. ` +
      "Check this machine's clock"
    )
  if (now >= validTo)
    return `The certificate in ${file} expired on ${day(validTo)}: clients will refuse it. Renew it`
  const days = WARN_DAYS.findLast((one) => validTo - now <= one * DAY_MS)
  if (days === undefined) return null
  const when = `in ${left(validTo - now)}, on ${day(validTo)}`
  return `The certificate in ${file} expires ${when}. Renew it`
}

/**
 * When there is more to say of a certificate, in milliseconds since 1970: at the next of the times
 * before its end, or when it expires. Null if it has expired.
 */
export function nextWarning({ validTo }: Validity, now: number): number | null {
  const times = [...WARN_DAYS.map((days) => validTo - days * DAY_MS), validTo]
  return times.find((time) => time > now) ?? null
}

function day(time: number): string {
  return Number.isNaN(time) ? 'an unknown day' : new Date(time).toISOString().slice(0, 10)
}

function left(ms: number): string {
  if (ms <= 2 * DAY_MS) return `${Math.max(1, Math.round(ms / 3600_000))} hours`
  return `${Math.round(ms / DAY_MS)} days`
}
