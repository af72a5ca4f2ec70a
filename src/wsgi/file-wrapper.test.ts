import { describe, expect, test } from 'vitest'
import { callForAnswer } from '../../tests/support/call-application.ts'
import { FileWrapper } from './file-wrapper.ts'
import type { FileLike } from './types.ts'

/** A file of some text, which notes the sizes it is asked for. */
function fileOf(content: string, kind: 'sync' | 'async' = 'sync') {
  let at = 0
  const file = {
    sizes: [] as number[],
    closings: 0,
    read(size: number): Uint8Array | Promise<Uint8Array> {
      file.sizes.push(size)
      const block = new TextEncoder().encode(content.slice(at, at + size))
      at += block.length
      return kind === 'sync' ? block : Promise.resolve(block)
    },
    close() {
      file.closings++
    },
  }
  return file
}

test.each(['sync', 'async'] as const)(
  'a file is sent in blocks and closed once (%s)',
  async (kind) => {
    const file = fileOf('abcdefg', kind)
    const answer = await callForAnswer((_, start) => {
      start('200 OK', [])
      return new FileWrapper(file, 3)
    })
    expect(answer.pieces).toEqual(['abc', 'def', 'g'])
    expect(answer.complete).toBe(true)
    expect(file.sizes).toEqual([3, 3, 3, 3])
    expect(file.closings).toBe(1)
  },
)

test('the block is that of wsgiref, unless it says otherwise', async () => {
  const file = fileOf('')
  for await (const block of new FileWrapper(file)) expect.unreachable(`a block: ${block}`)
  expect(file.sizes).toEqual([8192])
})

test("a request's body can be sent back", async () => {
  const answer = await callForAnswer(
    (environ, start) => {
      start('200 OK', [])
      return new FileWrapper(environ['wsgi.input'], 2)
    },
    { body: 'echo!' },
  )
  expect(answer.body).toBe('echo!')
})

test('a file without close() needs none', () => {
  expect(new FileWrapper({ read: () => new Uint8Array(0) }).close()).toBeUndefined()
})

test('an error of the file is one of the body, and the file is closed', async () => {
  const file = fileOf('')
  file.read = () => Promise.reject(new Error('EIO'))
  const answer = await callForAnswer((_, start) => {
    start('200 OK', [])
    return new FileWrapper(file)
  })
  expect(answer.error).toMatchObject({ message: 'EIO' })
  expect(file.closings).toBe(1)
})

describe('what is no file is refused', () => {
  test.each([undefined, null, {}, 'path', { read: 'x' }])('%j', (file) => {
    expect(() => new FileWrapper(file as unknown as FileLike)).toThrow(
      /file must have a method read\(size\), not be/,
    )
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5'])(
    'a block of %j bytes',
    (size) => {
      expect(() => new FileWrapper(fileOf(''), size as number)).toThrow(
        expect.objectContaining({ name: 'RangeError', code: 'bad-block-size' }),
      )
    },
  )

  test('a read that gives something else', async () => {
    const file = {
      read: () => ({ bytesRead: 0, buffer: new Uint8Array(1) }),
    } as unknown as FileLike
    const answer = await callForAnswer((_, start) => {
      start('200 OK', [])
      return new FileWrapper(file)
    })
    expect(String(answer.error)).toMatch(/read\(size\) must return a Uint8Array, not an object/)
  })
})
