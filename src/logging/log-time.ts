/**
 * Times in logs: local time with its offset from UTC, except in JSON (UTC). The text of the last
 * second is kept, because formatting costs more than the entry.
 */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** @returns a function from milliseconds since 1970 to `[2026-11-23 00:08:11 +0000]` */
export function errorLogClock(): (milliseconds: number) => string {
  return cached((date) => {
    const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
    return `[${day} ${timeOfDay(date)} ${offset(date)}]`
  })
}

/** @returns a function from milliseconds since 1970 to Apache's `[23/Nov/2026:00:08:11 +0000]` */
export function accessLogClock(): (milliseconds: number) => string {
  return cached((date) => {
    const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
    return `[${day}:${timeOfDay(date)} ${offset(date)}]`
  })
}

/** @returns a function from milliseconds since 1970 to `2026-11-23T00:08:11.900Z` (RFC 3339) */
export function jsonClock(): (milliseconds: number) => string {
  const seconds = cached((date) => date.toISOString().slice(0, 20))
  return (milliseconds) => {
    const fraction = Math.floor(milliseconds) % 1000
    return `${seconds(milliseconds)}${String(fraction).padStart(3, '0')}Z`
  }
}

function cached(format: (date: Date) => string): (milliseconds: number) => string {
  let second = Number.NaN
  let text = ''
  return (milliseconds) => {
    const now = Math.floor(milliseconds / 1000)
    if (now !== second) {
      text = format(new Date(milliseconds))
      second = now
    }
    return text
  }
}

function timeOfDay(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}
