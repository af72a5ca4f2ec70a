const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'
const IMF_FIXDATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/
const RFC850_DATE =
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/
const ASCTIME_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/
/** A year of two digits is at most this far in the future (RFC 9110 §5.6.7). */
const FUTURE_YEARS = 50

/**
 * Reads an HTTP date in one of its three forms (RFC 9110 §5.6.7).
 *
 * It is as strict as the grammar, unlike `Date.parse`, which takes `0` and `1 Jan` for dates.
 *
 * @returns milliseconds since 1970, or NaN if it is no HTTP date
 * @example parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT') // 784111777000
 */
export function parseHttpDate(text: string): number {
  let parts = IMF_FIXDATE.exec(text)
  if (parts !== null) {
    const [, day, month, year, hour, minute, second] = parts
    return time(Number(year), month!, day!, [hour!, minute!, second!])
  }
  parts = RFC850_DATE.exec(text)
  if (parts !== null) {
    const [, day, month, year, hour, minute, second] = parts
    const now = new Date().getUTCFullYear()
    let full = now - (now % 100) + Number(year)
    if (full > now + FUTURE_YEARS) full -= 100
    return time(full, month!, day!, [hour!, minute!, second!])
  }
  parts = ASCTIME_DATE.exec(text)
  if (parts === null) return Number.NaN
  const [, month, day, hour, minute, second, year] = parts
  return time(Number(year), month!, day!, [hour!, minute!, second!])
}

function time(
  year: number,
  monthName: string,
  dayText: string,
  clock: readonly [hour: string, minute: string, second: string],
): number {
  const month = MONTHS.indexOf(monthName) / 3
  const [hour, minute, second] = clock.map(Number) as [number, number, number]
  const day = Number(dayText)
  if (!Number.isInteger(month) || hour > 23 || minute > 59 || second > 60) return Number.NaN
  const date = new Date(Date.UTC(year, month, day, hour, minute, second))
  // 31 February would be a day in March.
  return date.getUTCDate() === day || second === 60 ? date.getTime() : Number.NaN
}
