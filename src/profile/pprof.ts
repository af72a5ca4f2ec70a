import { gzipSync } from 'node:zlib'
import { FRAMES_AT, type StackFindings } from './findings.ts'

/**
 * The format of `go tool pprof` (profile.proto), gzipped. Its values are the samples, the time
 * that the application ran (`cpu`) and the time that passed (`wall`), in nanoseconds; each sample
 * has the label `route`.
 *
 * @param takenAt when it began, in milliseconds since 1970
 */
export function pprof(findings: StackFindings, takenAt: number): Buffer {
  const { routes, functions, stacks, seconds, samples } = findings
  const strings = new Strings()
  const message = new Message()
  const types = [
    ['samples', 'count'],
    ['cpu', 'nanoseconds'],
    ['wall', 'nanoseconds'],
  ] as const
  for (const [type, unit] of types) message.add(1, valueType(strings, type, unit))
  const locations = new Map<string, number>()
  const locationBytes: Message[] = []
  const locate = (number: number, line: number): number => {
    const key = `${number}:${line}`
    const known = locations.get(key)
    if (known !== undefined) return known
    const id = locations.size + 1
    locations.set(key, id)
    const at = new Message().number(1, number + 1).number(2, line)
    locationBytes.push(new Message().number(1, id).add(4, at))
    return id
  }
  for (const row of stacks) {
    const frames: number[] = []
    // The leaf comes first.
    for (let at = row.length - 2; at >= FRAMES_AT; at -= 2)
      frames.push(locate(row[at], row[at + 1]))
    const values = [row[3], Math.round(row[1] * 1000), Math.round((row[1] + row[2]) * 1000)]
    const label = new Message()
      .number(1, strings.number('route'))
      .number(2, strings.number(routes[row[0]]))
    message.add(2, new Message().packed(1, frames).packed(2, values).add(3, label))
  }
  for (const location of locationBytes) message.add(4, location)
  for (const [index, [name, file, line]] of functions.entries()) {
    const known = strings.number(name)
    message.add(
      5,
      new Message()
        .number(1, index + 1)
        .number(2, known)
        .number(3, known)
        .number(4, strings.number(file))
        .number(5, line),
    )
  }
  const period = samples === 0 ? 0 : Math.round((seconds * 1e9) / samples)
  const periodType = valueType(strings, 'wall', 'nanoseconds')
  const usual = strings.number('wall')
  for (const text of strings.all) message.text(6, text)
  message
    .number(9, Math.round(takenAt * 1e6))
    .number(10, Math.round(seconds * 1e9))
    .add(11, periodType)
    .number(12, period)
    .number(14, usual)
  return gzipSync(message.bytes)
}

function valueType(strings: Strings, type: string, unit: string): Message {
  return new Message().number(1, strings.number(type)).number(2, strings.number(unit))
}

/** The table of strings, which begins with the empty one. */
class Strings {
  readonly #numbers = new Map([['', 0]])

  number(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    this.#numbers.set(text, this.#numbers.size)
    return this.#numbers.size - 1
  }

  get all(): Iterable<string> {
    return this.#numbers.keys()
  }
}

/** A message of Protocol Buffers: fields by their numbers. */
class Message {
  readonly #parts: Uint8Array[] = []

  get bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }

  /** An integer that is not negative; 0 is left out. */
  number(field: number, value: number): this {
    if (value !== 0) this.#parts.push(varint(field * 8), varint(value))
    return this
  }

  add(field: number, message: Message): this {
    return this.#delimited(field, message.bytes)
  }

  text(field: number, text: string): this {
    return this.#delimited(field, Buffer.from(text))
  }

  packed(field: number, values: readonly number[]): this {
    return this.#delimited(field, Buffer.concat(values.map(varint)))
  }

  #delimited(field: number, bytes: Buffer): this {
    this.#parts.push(varint(field * 8 + 2), varint(bytes.length), bytes)
    return this
  }
}

/** Seven bits in each byte, the lowest first; up to 2^53. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
