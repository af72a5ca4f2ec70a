import { readFileSync } from 'node:fs'

/**
 * Local time for an interpreter. Emscripten asks JavaScript's `Date`, which knows one time zone per
 * process and calls it `UTC+0100`; here each interpreter has its own, as `TZ` in its environment
 * says, with the names that other systems use.
 */
export class LocalTime {
  #zone: Zone = new Zone(undefined)
  #memory: WebAssembly.Memory | null = null
  #emscripten: TimeVariables | null = null

  /**
   * Puts itself in the place of the imports that ask for local time. Before the module is
   * instantiated.
   */
  wrapImports(imports: WebAssembly.Imports): void {
    const calls = imports.env as Record<string, unknown>
    calls._localtime_js = (seconds: bigint, at: number) =>
      this.#localtime(Number(seconds), at >>> 0)
    calls._mktime_js = (at: number) => BigInt(this.#mktime(at >>> 0))
  }

  /** Before Python runs. */
  use(memory: WebAssembly.Memory): void {
    this.#memory = memory
  }

  /**
   * What tzset(3) does. Once before the first use, after `loadPyodide`, and whenever TZ has
   * changed.
   *
   * @param name what `TZ` says: `Europe/Berlin`, `UTC`, `CET-1CEST`; absent or empty for the zone
   * of this process
   */
  set(name: string | undefined, emscripten: TimeVariables | null = this.#emscripten): ZoneSummary {
    this.#emscripten = emscripten
    if (this.#zone.asked !== (name || undefined)) this.#zone = new Zone(name || undefined)
    const { summary } = this.#zone
    if (emscripten !== null) {
      const { HEAP32, HEAPU32, HEAPU8 } = emscripten
      HEAP32[emscripten._timezone >>> 2] = summary.timezone
      HEAP32[emscripten._daylight >>> 2] = summary.daylight
      for (const [index, text] of summary.names.entries()) {
        const at = HEAPU32[(emscripten._tzname >>> 2) + index]
        // The array that is pointed to has 17 bytes; unset, it may point to nothing.
        if (at !== 0 && at !== undefined)
          HEAPU8.set(Buffer.from(`${text.slice(0, 15)}\0`, 'latin1'), at)
      }
    }
    return summary
  }

  // struct tm: seconds, minutes, hours, day, month, year, weekday, day of the year, summer time,
  // offset; 32 bits each.

  #localtime(seconds: number, at: number): void {
    const offset = this.#zone.offsetAt(seconds)
    const date = new Date((seconds + offset) * 1000)
    const year = date.getUTCFullYear()
    const fields = new Int32Array(this.#bytes(), at, 10)
    fields[0] = date.getUTCSeconds()
    fields[1] = date.getUTCMinutes()
    fields[2] = date.getUTCHours()
    fields[3] = date.getUTCDate()
    fields[4] = date.getUTCMonth()
    fields[5] = year - 1900
    fields[6] = date.getUTCDay()
    fields[7] = Math.floor((date.getTime() - utc(year, 0, 1)) / DAY_MS)
    fields[8] = this.#zone.isSummer(seconds) ? 1 : 0
    fields[9] = offset
  }

  /**
   * POSIX mktime: a time that comes twice is the first one unless tm_isdst says otherwise; one that
   * never comes is moved on.
   */
  #mktime(at: number): number {
    const fields = new Int32Array(this.#bytes(), at, 10)
    const [second = 0, minute = 0, hour = 0, day = 0, month = 0, year = 0, , , summer = -1] = fields
    const local = utc(year + 1900, month, day, hour, minute, second) / 1000
    if (!Number.isFinite(local)) return -1
    const zone = this.#zone
    const before = zone.offsetAt(local - DAY_S - zone.offsetAt(local - DAY_S))
    const after = zone.offsetAt(local + DAY_S - zone.offsetAt(local + DAY_S))
    const candidates = [local - before, local - after].filter(
      (time) => zone.offsetAt(time) + time === local,
    )
    let found = candidates[0] ?? local - before
    if (summer >= 0) {
      const wanted = candidates.find((time) => zone.isSummer(time) === summer > 0)
      if (wanted !== undefined) found = wanted
      else if (zone.isSummer(found) !== summer > 0) {
        // As if the other time had been in force: one hour off in most of the world.
        const { standard, daylight } = zone.offsetsAround(found)
        found += summer > 0 ? standard - daylight : daylight - standard
      }
    }
    this.#localtime(found, at)
    return found
  }

  #bytes(): ArrayBuffer {
    if (this.#memory === null) throw new Error('The interpreter has no memory yet')
    return this.#memory.buffer as ArrayBuffer
  }
}

/** The parts of Emscripten's module that hold C's `timezone`, `daylight` and `tzname`. */
export interface TimeVariables {
  readonly HEAP32: Int32Array
  readonly HEAPU32: Uint32Array
  readonly HEAPU8: Uint8Array
  readonly _timezone: number
  readonly _daylight: number
  readonly _tzname: number
}

/**
 * As in Python's `time`: seconds west of Greenwich without and with summer time, whether there is
 * any, and the names of both.
 */
export interface ZoneSummary {
  readonly timezone: number
  readonly altzone: number
  readonly daylight: number
  readonly names: readonly [string, string]
}

const DAY_S = 86_400
const DAY_MS = 86_400_000
/** Offsets change at multiples of a quarter of an hour, in every zone since 1972. */
const SLOT_S = 900
const MOST_SLOTS = 4096
const ZONEINFO = '/usr/share/zoneinfo'

/** Like Date.UTC, also for the first century. */
function utc(year: number, month: number, day: number, hour = 0, minute = 0, second = 0): number {
  const date = new Date(0)
  date.setUTCFullYear(year, month, day)
  return date.setUTCHours(hour, minute, second)
}

class Zone {
  readonly asked: string | undefined
  readonly summary: ZoneSummary
  readonly #format: Intl.DateTimeFormat | null
  /** Seconds east of Greenwich, always; null where the calendar decides. */
  readonly #fixed: number | null
  readonly #offsets = new Map<number, number>()

  constructor(asked: string | undefined) {
    this.asked = asked
    const wanted = asked?.replace(/^:/, '')
    const name = wanted ?? Intl.DateTimeFormat().resolvedOptions().timeZone
    // `UTC0`, `EST5`, `<+0530>-5:30`: POSIX's way without summer time. The sign is the opposite of
    // ISO 8601's.
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

  /** Seconds east of Greenwich at that time (seconds since 1970). */
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

  isSummer(seconds: number): boolean {
    const { standard, daylight } = this.offsetsAround(seconds)
    return daylight !== standard && this.offsetAt(seconds) === daylight
  }

  /** Those of that year: summer is where clocks are ahead, on either half of the earth. */
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

/** Null for a name that is none: C takes that for UTC. */
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

/** Locales that know abbreviations of their part of the world; others say `GMT+1`. */
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
