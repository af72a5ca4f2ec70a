import { readFileSync } from 'node:fs'

/**
 * The variables of Python's `time`: seconds west of Greenwich without and with daylight saving
 * time, whether there is any (0 or 1), and the names of both.
 */
export interface ZoneSummary {
  readonly timezone: number
  readonly altzone: number
  readonly daylight: number
  readonly names: readonly [string, string]
}

export const DAY_S = 86_400
/** Offsets change at multiples of a quarter of an hour, in every zone since 1972. */
const SLOT_S = 900
const MOST_SLOTS = 4096
const ZONEINFO = '/usr/share/zoneinfo'

/** `Date.UTC` that is correct for the years 0 to 99 too. */
export function utc(
  year: number,
  month: number,
  day: number,
  hour = 0,
  minute = 0,
  second = 0,
): number {
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  return date.setUTCHours(hour, minute, second)
}

/** A time zone: its offset at any time, and its names. */
export class TimeZone {
  readonly asked: string | undefined
  readonly summary: ZoneSummary
  readonly #format: Intl.DateTimeFormat | null
  /** Seconds east of Greenwich if the offset never changes, else null. */
  readonly #fixed: number | null
  readonly #offsets = new Map<number, number>()

  constructor(asked: string | undefined) {
    this.asked = asked
    const wanted = asked?.replace(/^:/, '')
    const name = wanted ?? Intl.DateTimeFormat().resolvedOptions().timeZone
    // `UTC0`, `EST5`, `<+0530>-5:30`: POSIX's notation, here without daylight saving time. The sign
    // is the opposite of ISO 8601's.
    const posix = /^(?:<([\w+-]{3,})>|([A-Za-z]{3,}))([+-]?)(\d{1,2})(?::(\d\d))?$/.exec(name)
    const format = posix === null ? formatOf(name) : null
    this.#format = format
    if (format === null) {
      const [, quoted, plain, sign, hours = '0', minutes = '0'] = posix ?? []
      const west = (Number(hours) * 3600 + Number(minutes) * 60) * (sign === '-' ? -1 : 1)
      this.#fixed = 0 - west
      const text = quoted ?? plain ?? 'UTC'
      this.summary = { timezone: west, altzone: west, daylight: 0, names: [text, text] }
      return
    }
    this.#fixed = null
    const { standard, daylight } = this.offsetsAround(Date.now() / 1000)
    const southern = this.offsetAt(utc(new Date().getUTCFullYear(), 0, 1) / 1000) > standard
    const names = namesFromDatabase(name) ?? namesFromIntl(name, southern)
    this.summary = {
      timezone: 0 - standard,
      altzone: 0 - daylight,
      daylight: standard === daylight ? 0 : 1,
      names: [
        names[0] ?? isoOffset(standard),
        standard === daylight
          ? (names[0] ?? isoOffset(standard))
          : (names[1] ?? isoOffset(daylight)),
      ],
    }
  }

  /** The offset at a time (seconds since 1970), in seconds east of Greenwich. */
  offsetAt(seconds: number): number {
    if (this.#fixed !== null) return this.#fixed
    const slot = Math.floor(seconds / SLOT_S)
    const known = this.#offsets.get(slot)
    if (known !== undefined) return known
    const offset = this.#lookUp(slot * SLOT_S)
    if (this.#offsets.size >= MOST_SLOTS) this.#offsets.clear()
    this.#offsets.set(slot, offset)
    return offset
  }

  /** Whether daylight saving time applies at a time. */
  isSummer(seconds: number): boolean {
    const { standard, daylight } = this.offsetsAround(seconds)
    return daylight !== standard && this.offsetAt(seconds) === daylight
  }

  /** The offsets of that year. Daylight saving time is the later one, on either hemisphere. */
  offsetsAround(seconds: number): { standard: number; daylight: number } {
    if (this.#fixed !== null) return { standard: this.#fixed, daylight: this.#fixed }
    const year = new Date(seconds * 1000).getUTCFullYear()
    const january = this.offsetAt(utc(year, 0, 1) / 1000)
    const july = this.offsetAt(utc(year, 6, 1) / 1000)
    return { standard: Math.min(january, july), daylight: Math.max(january, july) }
  }

  #lookUp(seconds: number): number {
    const date = new Date(seconds * 1000)
    if (Number.isNaN(date.getTime())) return 0
    const part: Record<string, number> = {}
    let bc = false
    for (const { type, value } of (this.#format as Intl.DateTimeFormat).formatToParts(date)) {
      if (type === 'era') bc = value.startsWith('B')
      else part[type] = Number(value)
    }
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part
    const local = utc(bc ? 1 - year : year, month - 1, day, hour, minute, second)
    return Math.round(local / 1000 - seconds)
  }
}

/** Null for a name that is not a time zone, which C treats as UTC. */
function formatOf(timeZone: string): Intl.DateTimeFormat | null {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch {
    return null
  }
}

/** From the last line of the zone's file, RFC 8536 §3.3: `CET-1CEST,M3.5.0,M10.5.0/3`. */
function namesFromDatabase(zone: string): readonly [string | undefined, string | undefined] | null {
  if (!/^\w[\w+-]*(\/\w[\w+-]*)*$/.test(zone)) return null
  try {
    const rule = readFileSync(`${ZONEINFO}/${zone}`, 'latin1').split('\n').at(-2) ?? ''
    const found = /^(?:<([^>]+)>|([A-Za-z]+))[-+\d:]+(?:<([^>]+)>|([A-Za-z]+))?/.exec(rule)
    return found === null ? null : [found[1] ?? found[2], found[3] ?? found[4]]
  } catch {
    return null
  }
}

/** Locales with abbreviations for zones of their region. Others have `GMT+1`. */
const LOCALES = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-NZ', 'en-ZA', 'ja-JP']

function namesFromIntl(
  timeZone: string,
  southern: boolean,
): readonly [string | undefined, string | undefined] {
  const year = new Date().getUTCFullYear()
  const [january, july] = [0, 6].map((month) => {
    for (const locale of LOCALES) {
      const name = new Intl.DateTimeFormat(locale, { timeZone, timeZoneName: 'short' })
        .formatToParts(utc(year, month, 1))
        .find(({ type }) => type === 'timeZoneName')?.value
      if (name !== undefined && /^[A-Z]{3,5}$/.test(name)) return name
    }
    return undefined
  })
  return southern ? [july, january] : [january, july]
}

/** `+01`, `+0530` */
function isoOffset(seconds: number): string {
  const minutes = Math.abs(Math.round(seconds / 60))
  const two = (value: number) => String(value).padStart(2, '0')
  const rest = minutes % 60
  return `${seconds < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${rest === 0 ? '' : two(rest)}`
}
