import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { callForAnswer, type TestRequest } from '../../../tests/support/call-application.ts'
import { decodeText, encodeText } from '../text.ts'
import type { WSGIApplication, WSGIEnvironment } from '../types.ts'
import { validator } from '../validator.ts'

const encoder = new TextEncoder()

/** What the validator writes while it checks an application that gives this body. */
async function told(
  body: (environ: WSGIEnvironment) => string,
  request: TestRequest,
  headers: (environ: WSGIEnvironment) => [string, string][] = () => [],
  times = 1,
): Promise<string[]> {
  const app: WSGIApplication = (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain'], ...headers(environ)])
    return [encoder.encode(body(environ))]
  }
  const checked = validator(app)
  const written: string[] = []
  const errors = { write: (text: string) => written.push(text), writelines() {}, flush() {} }
  for (let n = 0; n < times; n++) {
    const answer = await callForAnswer(checked, { ...request, errors })
    expect(answer.error).toBeUndefined()
    expect(answer.complaints).toEqual([])
  }
  return written
}

describe('text of a request that was not decoded', () => {
  test.each([
    ['PATH_INFO', { target: '/p%C3%BC' }],
    ['HTTP_X_NAME', { headers: [['X-Name', encodeText('pü')]] as [string, string][] }],
    ['QUERY_STRING', { target: `/?q=${encodeText('pü')}` }],
  ])('%s in a body is told of once, and the response passes', async (variable, request) => {
    const written = await told((environ) => `Hello ${environ[variable]}`, request, undefined, 3)
    expect(written).toEqual([
      `validator: the body of a response has ${variable} undecoded, so "ü" became "Ã¼": ` +
        `use decodeText(environ.${variable}) (this is said once)\n`,
    ])
  })

  test('in a header it was encoded twice', async () => {
    const written = await told(
      () => '',
      { target: '/p%C3%BC' },
      (environ) => [['X-Name', encodeText(environ.PATH_INFO)]],
    )
    expect(written).toEqual([
      expect.stringMatching(/the header X-Name has PATH_INFO undecoded, so "ü" became "Ã¼"/),
    ])
  })

  test('characters that a terminal obeys are shown as escapes', async () => {
    const written = await told((environ) => environ.PATH_INFO, { target: '/%E2%80%AE%C2%9B' })
    expect(written.join()).toContain('so "\\u202e\\u009b" became "â\\u0080®Â\\u009b"')
    expect(written.join()).not.toMatch(/[\x80-\x9f\u202e]/)
  })

  test('it is no text: a picture may have any bytes', async () => {
    const app = validator((environ, startResponse) => {
      startResponse('200 OK', [['Content-Type', 'image/png']])
      return [encoder.encode(environ.PATH_INFO)]
    })
    const written: string[] = []
    const errors = { write: (text: string) => written.push(text), writelines() {}, flush() {} }
    await callForAnswer(app, { target: '/p%C3%BC', errors })
    expect(written).toEqual([])
  })

  test('whatever the text, it is told of if it was not decoded, and not if it was', async () => {
    const letters = fc.constantFrom(...'aüßé€日本語🦄')
    const texts = fc.array(letters, { minLength: 1, maxLength: 9 }).map((all) => all.join(''))
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const request = { target: `/${encodeURIComponent(text)}` }
        expect(await told((environ) => decodeText(environ.PATH_INFO), request)).toEqual([])
        const written = await told((environ) => environ.PATH_INFO, request)
        expect(written.length).toBe(/^a+$/.test(text) ? 0 : 1)
      }),
      { numRuns: 60 },
    )
  })

  test('bytes that are no text, and requests without end, are left alone', async () => {
    const request = {
      target: `/%FF%FE?${'%C3%BC'.repeat(3)}`,
      headers: Array.from({ length: 5000 }, (_, n) => [`X-${n}`, 'Ã¼'.repeat(50)] as const),
    }
    const written = await told((environ) => environ.PATH_INFO, request)
    expect(written).toEqual([])
  })
})

test.each([
  ['pü', 1],
  [encodeText('pü'), 0],
  ['p', 0],
])('the header %j: text that was not encoded is told of', async (value, times) => {
  const written = await told(
    () => '',
    {},
    () => [['X-Name', value]],
    2,
  )
  expect(written.length).toBe(times)
  if (times > 0) expect(written[0]).toMatch(/X-Name has characters beyond ASCII .* encodeText\(\)/)
})
