import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameDecoder } from './frame-decoder.ts'
import * as frames from './frames.ts'
import { encodeFrame, readU32, writeU32 } from './frames.ts'

const repository = new URL('../../../', import.meta.url)
const reference = readFileSync(new URL('docs/reference/frames.md', repository), 'utf8')
const python = readFileSync(new URL('python/monoceros/frames.py', repository), 'utf8')

interface Row {
  readonly code: number
  readonly name: string
  readonly flags: Readonly<Record<string, number>>
}

/** The rows of the reference's two tables of types. */
const rows: Row[] = reference.split('\n').flatMap((line) => {
  const cells = line.split('|').map((cell) => cell.trim())
  if (!/^0x[0-9A-F]{2}$/.test(cells[1] ?? '')) return []
  const code = Number(cells[1])
  const flags = [...cells[code < 0x80 ? 4 : 3]!.matchAll(/(\d+) ([A-Z_]+)/g)]
  return [
    {
      code,
      name: cells[2]!,
      flags: Object.fromEntries(flags.map(([, value, name]) => [name, Number(value)])),
    },
  ]
})
const documented: Record<string, number> = {
  ...Object.fromEntries(rows.map(({ name, code }) => [name, code])),
  ...Object.assign({}, ...rows.map(({ flags }) => flags)),
}

/** The types and flags that a side has: all of its numbers except its limits and log levels. */
function without(others: readonly string[], constants: Iterable<readonly [string, unknown]>) {
  return Object.fromEntries(
    [...constants].filter(([name, value]) => typeof value === 'number' && !others.includes(name)),
  )
}

describe('the names of frames and flags', () => {
  it('are those of the reference here', () => {
    const others = ['PROTOCOL_VERSION', 'HEADER_SIZE', 'MAX_PAYLOAD']
    expect(rows.length).toBe(35)
    expect(without(others, Object.entries(frames))).toEqual(documented)
  })

  it('are those of the reference in Python', () => {
    const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']
    const others = ['PROTOCOL_VERSION', 'HEADER_SIZE', 'MAX_U32', 'HINTS_COST', ...levels]
    const constants = [...python.matchAll(/^([A-Z][A-Z0-9_]*) = (0x[0-9A-Fa-f]+|\d+)(?= *(#|$))/gm)]
    expect(
      without(
        others,
        constants.map(([, name, value]) => [name!, Number(value)]),
      ),
    ).toEqual(documented)
  })

  it('come with the same version and limits on both sides', () => {
    for (const [name, text] of [
      ['PROTOCOL_VERSION', '4'],
      ['HEADER_SIZE', '12'],
      ['MAX_PAYLOAD', '16 * 1024 * 1024'],
    ] as const) {
      expect(python).toMatch(new RegExp(`^${name} = ${text.replaceAll('*', '\\*')}$`, 'm'))
    }
    expect([frames.PROTOCOL_VERSION, frames.HEADER_SIZE, frames.MAX_PAYLOAD]).toEqual([
      4,
      12,
      16 << 20,
    ])
    expect(reference).toContain('"protocol": 4')
  })

  it('come with the flags that the reference gives each type', () => {
    for (const { name, code, flags } of rows) {
      const allowed = Object.values(flags).reduce((mask, flag) => mask | flag, 0)
      if (code < 0x80) {
        const mask = new RegExp(`^    ${name}: (.*),$`, 'm').exec(python)?.[1]?.split(' | ')
        expect(mask, name).toEqual(allowed === 0 ? ['0'] : Object.keys(flags))
        continue
      }
      for (let flag = 1; flag < 256; flag *= 2) {
        const decoding = () =>
          new FrameDecoder({ frame: () => false }).feed(encodeFrame(code, 1, null, flag))
        if ((flag & allowed) !== 0) expect(decoding, name).not.toThrow()
        else expect(decoding, name).toThrow(/unknown flags/)
      }
    }
  })
})

describe('u32', () => {
  it('is written and read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        const bytes = Buffer.alloc(6)
        writeU32(bytes, 1, value)
        expect(bytes.readUInt32LE(1)).toBe(value)
        expect(readU32(bytes, 1)).toBe(value)
        expect([bytes[0], bytes[5]]).toEqual([0, 0])
      }),
    )
  })
})
