import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FILE_LIMIT } from './saved-code.ts'
import { LINK_LIMIT, readShareFragment, type SharedCode, shareFragment } from './share-link.ts'

const name = fc.stringMatching(/^[a-z]{1,10}\.(py|ts)$/)
const code: fc.Arbitrary<SharedCode> = fc.record({
  step: fc.integer({ min: 1, max: 8 }),
  language: fc.constantFrom('python' as const, 'typescript' as const),
  files: fc.dictionary(name, fc.string({ unit: 'grapheme', maxLength: 300 }), { maxKeys: 3 }),
})

/** A fragment as our own, of anything. */
async function fragmentOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream('deflate-raw'))
  const packed = Buffer.from(await new Response(stream).arrayBuffer())
  return `#play=${packed.toString('base64url')}`
}

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

describe('a shared link', () => {
  test('gives back what was shared', async () => {
    await fc.assert(
      fc.asyncProperty(code, async (shared) => {
        const fragment = await shareFragment(shared)
        expect(fragment).toMatch(/^#play=[\w-]+$/)
        expect(await readShareFragment(fragment!)).toEqual({
          ...shared,
          files: { ...shared.files },
        })
      }),
      { numRuns: 50 },
    )
  })

  test('whatever a fragment is, reading it does not fail', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), async (rest) => {
        const read = await readShareFragment(`#play=${rest}`)
        expect(read === null || typeof read.files === 'object').toBe(true)
      }),
      { numRuns: 100 },
    )
    await fc.assert(
      fc.asyncProperty(fc.json(), async (json) => {
        const fragment = await fragmentOf(new TextEncoder().encode(json))
        expect(await readShareFragment(fragment)).toBeNull()
      }),
      { numRuns: 100 },
    )
  })

  test.each([
    ['another fragment', '#1-a-first-application'],
    ['no base64url', '#play=%3Cscript%3E'],
    ['no deflate', '#play=AAAA'],
    ['nothing', '#play='],
  ])('%s is no link', async (_, fragment) => {
    expect(await readShareFragment(fragment)).toBeNull()
  })

  const good = { v: 1, step: 1, language: 'python', files: { 'hello.py': 'x' } }

  test.each([
    ['another version', { ...good, v: 2 }],
    ['a step that does not exist', { ...good, step: 9 }],
    ['half a step', { ...good, step: 1.5 }],
    ['another language', { ...good, language: 'cobol' }],
    ['a path for a file', { ...good, files: { '../hello.py': 'x' } }],
    ['a file that is no text', { ...good, files: { 'hello.py': 1 } }],
    ['files in a list', { ...good, files: ['x'] }],
    ['a file that is too long', { ...good, files: { 'hello.py': 'x'.repeat(FILE_LIMIT + 1) } }],
    ['null', null],
  ])('%s is refused', async (_, value) => {
    expect(await readShareFragment(await fragmentOf(text(value)))).toBeNull()
    expect(await readShareFragment(await fragmentOf(text(good)))).not.toBeNull()
  })

  test('a small fragment that becomes gigabytes is given up early', async () => {
    const bomb = await fragmentOf(new Uint8Array(8 * 1024 * 1024))
    expect(bomb.length).toBeLessThan(LINK_LIMIT)
    expect(await readShareFragment(bomb)).toBeNull()
  })

  test('what is too long for a link gives none', async () => {
    let state = 1
    const noise = Array.from({ length: 30_000 }, () => {
      state = (state * 48271) % 2147483647
      return String.fromCharCode(33 + (state % 90))
    }).join('')
    const files = { 'hello.py': noise }
    expect(await shareFragment({ step: 1, language: 'python', files })).toBeNull()
  })
})
