import { DAY_S, TimeZone, utc, type ZoneSummary } from './time-zone.ts'

const DAY_MS = 86_400_000

/**
 * Local time for an interpreter. Emscripten uses JavaScript's `Date`, which has one time zone per
 * process and calls it `UTC+0100`. Here each interpreter has the zone of its own `TZ` variable,
 * with the names that other systems use.
 */
export class LocalTime {
  #zone: TimeZone = new TimeZone(undefined)
  #memory: WebAssembly.Memory | null = null
  #emscripten: TimeVariables | null = null

  /** Replaces the imports for local time. Call it before the module is instantiated. */
  wrapImports(imports: WebAssembly.Imports): void {
    const calls = imports.env as Record<string, unknown>
    calls._localtime_js = (seconds: bigint, at: number) =>
      this.#localtime(Number(seconds), at >>> 0)
    calls._mktime_js = (at: number) => BigInt(this.#mktime(at >>> 0))
  }

  /** Provides the interpreter's memory. Call it before Python runs. */
  use(memory: WebAssembly.Memory): void {
    this.#memory = memory
  }

  /**
   * tzset(3). Call it after `loadPyodide`, before the first use, and whenever TZ has changed.
   *
   * @param name the value of `TZ`: `Europe/Berlin`, `UTC`, `CET-1CEST`; undefined or empty for the
   * zone of this process
   */
  set(name: string | undefined, emscripten: TimeVariables | null = this.#emscripten): ZoneSummary {
    this.#emscripten = emscripten
    if (this.#zone.asked !== (name || undefined)) this.#zone = new TimeZone(name || undefined)
    const { summary } = this.#zone
    if (emscripten !== null) {
      const { HEAP32, HEAPU32, HEAPU8 } = emscripten
      HEAP32[emscripten._timezone >>> 2] = summary.timezone
      HEAP32[emscripten._daylight >>> 2] = summary.daylight
      for (const [index, text] of summary.names.entries()) {
        const at = HEAPU32[(emscripten._tzname >>> 2) + index]
        // Each name has space for 17 bytes. The pointer may be null before the first call.
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
   * POSIX mktime. For a local time that occurs twice, tm_isdst selects one; by default it is the
   * first. A local time that does not occur is moved forward.
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
        // As if the other offset applied, which differs by one hour in most zones.
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
