import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { checkTypes } from '../../support/compiler.ts'

const directory = import.meta.dirname
const names = readdirSync(directory).filter((name) => !name.endsWith('.test.ts'))
const directive = /^\s*\/\/ @ts-expect-error/
const UNUSED_DIRECTIVE = 2578

/** A file that has something wrong in it for the checks to find, or to miss. */
const probe = `
import type { WSGIApplication } from '../../../src/wsgi/types.ts'
// @ts-expect-error
export const right: WSGIApplication = () => []
// @ts-expect-error
export const wrong: WSGIApplication = () => 'text'
export const unannounced: WSGIApplication = () => 'text'
`

/** The type tests, each of them also without its directives, and the probe; all in one program. */
async function check(): Promise<Map<string, { line: number; code: number }[]>> {
  const texts = { 'probe.ts': probe } as Record<string, string>
  for (const name of names) {
    const text = readFileSync(join(directory, name), 'utf8')
    texts[name] = text
    texts[`bare-${name}`] = text.replace(/^[ \t]*\/\/ @ts-expect-error.*$/gm, '//')
  }
  // checkTypes compiles them in a folder that is as deep as this one, so `../../../src/` holds.
  const found = await checkTypes(texts)
  return new Map(
    Object.keys(texts).map((name) => [
      name,
      found.filter(({ file }) => file === name).map(({ line, code }) => ({ line, code })),
    ]),
  )
}

describe('type tests', () => {
  let found: Awaited<ReturnType<typeof check>>
  beforeAll(async () => {
    found = await check()
  })

  test('an error that is expected and does not come is reported, and so is one that is not expected', () => {
    const told = found.get('probe.ts')!
    expect(told.map(({ line }) => line)).toEqual(expect.arrayContaining([3, 7]))
    expect(told.find(({ line }) => line === 3)?.code).toBe(UNUSED_DIRECTIVE)
    expect(told.filter(({ line }) => line === 5 || line === 6)).toEqual([])
  })

  test.each(names)('%s: what must not compile does not, all else does', (name) => {
    expect(found.get(name)).toEqual([])
    const lines = readFileSync(join(directory, name), 'utf8').split('\n')
    const expected = lines.flatMap((line, index) => (directive.test(line) ? [index + 2] : []))
    expect(expected.length).toBeGreaterThan(20)
    const wrong = new Set(found.get(`bare-${name}`)!.map(({ line }) => line))
    expect([...wrong].toSorted((a, b) => a - b)).toEqual(expected)
  })
})
