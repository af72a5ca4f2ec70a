/** Numbers as people read them. */

/** What a number is of. */
export type Unit = 'rate' | 'count' | 'seconds' | 'bytes' | 'bytes-rate' | 'processors'

/** @param value null if it is not known */
export function formatValue(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  switch (unit) {
    case 'rate':
      return `${formatNumber(value)}/s`
    case 'count':
      return formatNumber(value)
    case 'seconds':
      return formatSeconds(value)
    case 'bytes':
      return formatBytes(value)
    case 'bytes-rate':
      return `${formatBytes(value)}/s`
    case 'processors':
      return `${formatNumber(value * 100)} %`
  }
}

/** Three digits: `12.3`, `1,230`. */
export function formatNumber(value: number): string {
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en-US')
  return String(Number(value.toPrecision(size >= 100 ? 3 : 2 + Number(size >= 10))))
}

/** A duration: `340 µs`, `12 ms`, `1.5 s`, `2 min`. */
export function formatSeconds(value: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0 ms'
  if (size < 0.001) return `${formatNumber(value * 1e6)} µs`
  if (size < 1) return `${formatNumber(value * 1000)} ms`
  if (size < 120) return `${formatNumber(value)} s`
  if (size < 7200) return `${Math.round(value / 60)} min`
  return size < 172_800 ? `${formatNumber(value / 3600)} h` : `${formatNumber(value / 86_400)} d`
}

/** Powers of 1024: `12 KiB`. */
export function formatBytes(value: number): string {
  let size = value
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (Math.abs(size) < 1000 || unit === 'GiB') return `${formatNumber(size)} ${unit}`
    size /= 1024
  }
  return ''
}

/** The time of day: `14:03:09`. @param at in milliseconds since 1970 */
export function formatTime(at: number): string {
  const date = new Date(at)
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

/** @param at in milliseconds since 1970 */
export function formatDay(at: number): string {
  return new Date(at).toISOString().replace('T', ' ').slice(0, 19)
}
