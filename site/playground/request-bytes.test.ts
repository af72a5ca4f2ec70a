import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readRequest } from './engine/read-request.ts'
import { readResponse } from './engine/read-response.ts'
import { RequestTextError, requestBytes } from './request-bytes.ts'

const sent = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

describe('a request of the client', () => {
  test('has the headers that every client sends', () => {
    expect(sent(requestBytes({ method: 'POST', path: '/', body: 'ä' }))).toBe(
      'POST / HTTP/1.1\r\nHost: localhost:8000\r\nContent-Length: 2\r\n\r\nÃ¤',
    )
  })

  test('is sent as it was written, right or wrong', () => {
    const headers = 'Content-Length: 1\nContent-Length: 2\n'
    const bytes = requestBytes({ method: 'GET', path: '/', headers })
    expect(sent(bytes)).toContain('Content-Length: 1\r\nContent-Length: 2\r\n\r\n')
    expect(readRequest(bytes)).toMatchObject({ status: 400 })
  })

  test('text beyond ASCII in a path is percent-encoded, as in a browser', () => {
    expect(sent(requestBytes({ method: 'GET', path: '/Jürgen' }))).toMatch(/^GET \/J%C3%BCrgen /)
  })

  test.each([
    { method: '', path: '/' },
    { method: 'GET', path: '' },
    { method: 'GET', path: '/a b' },
    { method: 'POST', path: '/', body: 'x'.repeat(300_000) },
  ])('one that cannot be sent is refused', (request) => {
    expect(() => requestBytes(request)).toThrow(RequestTextError)
  })

  test('is read by the engine as it was meant', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('GET', 'POST', 'DELETE'),
        fc.webPath({ size: 'small' }),
        fc.string({ unit: 'grapheme', maxLength: 100 }),
        (method, path, body) => {
          const read = readRequest(requestBytes({ method, path: path || '/', body }))
          expect(read).toMatchObject({ method, target: path || '/' })
          if ('body' in read) expect(new TextDecoder().decode(read.body)).toBe(body)
        },
      ),
    )
  })

  test('whatever is sent, the engine answers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const read = readRequest(bytes)
        expect('reason' in read ? read.status : 0).toBeLessThan(600)
      }),
    )
  })
})

describe('a response of a server that somebody writes', () => {
  const read = (text: string) => readResponse(Uint8Array.from(Buffer.from(text, 'latin1')))

  test('is taken apart', () => {
    expect(read('HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 1\r\n\r\nxyz')).toEqual({
      status: '200 OK',
      headers: [
        ['A', 'b'],
        ['Content-Length', '1'],
      ],
      body: new Uint8Array([120]),
      complete: true,
    })
  })

  test('that is too short is not complete', () => {
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxyz')?.complete).toBe(false)
  })

  test('that is none is null', () => {
    fc.assert(fc.property(fc.string(), (text) => read(text) === null))
    expect(read('HTTP/1.1 200 OK\r\n')).toBeNull()
  })
})
