import { describe, expect, it } from 'vitest'
import { ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { RequestEvents, type RequestRefused } from '../../observe/request-events.ts'
import { MemoryBudget } from '../../spool/memory-budget.ts'
import { type AdmissionOptions, admission } from './admission.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const CONNECT = 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
const CHUNKED = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
const post = (length: number) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`

const MB = 1024 * 1024

function admitting(options: Partial<AdmissionOptions> & { held?: number } = {}) {
  const events = new RequestEvents(() => {})
  const refused: RequestRefused[] = []
  events.requestRefused.subscribe((event) => refused.push(event))
  const memory = new MemoryBudget(10 * MB)
  memory.add(options.held ?? 0)
  const edge = admission(
    { limitRequestBody: 0, memory, spoolsBodies: true, queuesRequests: true, ...options },
    events,
  )
  const passed = { begin: () => {}, bodyData: () => {}, bodyEnd: () => {}, clientEnded: () => {} }
  const handler = edge(() => ({ ...passed, written: () => {}, closed: () => {} }))
  return {
    refused,
    /** What it answers; `[]` if it passes the request on. */
    answer: (text: string) => {
      const engine = new ScriptedEngine()
      engine.begin(handler, text)
      return engine.said
    },
  }
}

describe('admission', () => {
  it('passes on what is in order', () => {
    const { answer, refused } = admitting({ limitRequestBody: 10 })
    for (const text of [GET, CHUNKED, post(10)]) expect(answer(text)).toEqual([])
    expect(refused).toEqual([])
  })

  it('refuses CONNECT and says what is allowed', () => {
    const { answer, refused } = admitting()
    expect(answer(CONNECT)).toEqual(['refuse 405 close'])
    expect(refused).toMatchObject([
      { status: 405, requestLine: 'CONNECT a:1 HTTP/1.1', remoteAddress: '192.0.2.7', begun: true },
    ])
  })

  it('refuses a body that is declared to be over the limit', () => {
    const { answer, refused } = admitting({ limitRequestBody: 10 })
    expect(answer(post(11))).toEqual(['refuse 413 close'])
    expect(refused[0]!.reason).toBe(
      'a body of 11 bytes is longer than limit_request_body (10 bytes)',
    )
  })

  const SMALL = post(16 * 1024)
  const LARGE = post(16 * 1024 + 1)

  it.each([
    ['free', 0, true, true, []],
    ['full, and bodies go to the disk', 10 * MB, true, true, []],
    ['full, and they do not', 10 * MB, false, true, [LARGE, CHUNKED]],
    ['full, and requests do not wait', 10 * MB, false, false, [LARGE, CHUNKED]],
    ['over its limit', 15 * MB, true, true, [LARGE, CHUNKED]],
    [
      'over its limit, and requests do not wait',
      15 * MB,
      false,
      false,
      [GET, SMALL, LARGE, CHUNKED],
    ],
  ])(
    'refuses what memory lacks for while it is %s',
    (_, held, spoolsBodies, queuesRequests, those) => {
      const { answer } = admitting({ held, spoolsBodies, queuesRequests })
      for (const text of [GET, SMALL, LARGE, CHUNKED]) {
        expect(answer(text)).toEqual(those.includes(text) ? ['refuse 503 close'] : [])
      }
    },
  )
})
