import { describe, expect, it } from 'vitest'
import { CLIENT, IGNORING, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { chain } from '../chain.ts'
import { type Sampler, tellTraces, traceRequests } from './tracing.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const PARENT = `traceparent: 00-${TRACE}-${SPAN}-01`
const TRUSTED = CLIENT.remoteAddress

function request(
  fields: readonly string[],
  {
    from = TRUSTED,
    recordsSpans = false,
    sampler = (_: string, parent: boolean | null) => parent ?? true,
    path = '/a',
  }: { from?: string; recordsSpans?: boolean; sampler?: Sampler; path?: string } = {},
): { told: RequestHead; seen: RequestHead } {
  const options = { continues: [TRUSTED], sampler, recordsSpans, library: null }
  let seen: RequestHead | null = null
  let told: RequestHead | null = null
  const handler = chain(
    [
      (next) => (head, reply) => {
        seen = head
        return next(head, reply)
      },
      traceRequests(options),
      tellTraces(),
    ],
    (head) => {
      told = head
      return IGNORING
    },
  )
  const text = [`GET ${path} HTTP/1.1`, 'Host: a', ...fields, '', ''].join('\r\n')
  new ScriptedEngine({ ...CLIENT, remoteAddress: from }).request(handler, text)
  return { told: told!, seen: seen! }
}

describe('a trusted peer', () => {
  it('has its trace continued, in a span of the server', () => {
    const { told, seen } = request([PARENT, 'tracestate: a=1', 'tracestate: b=2'])
    const trace = seen.trace!
    expect(trace).toMatchObject({ traceId: TRACE, parentId: SPAN, sampled: true, state: 'a=1,b=2' })
    expect(trace.spanId).toMatch(/^[0-9a-f]{16}$/)
    expect(trace.spanId).not.toBe(SPAN)
    expect(told.get('traceparent')).toBe(`00-${TRACE}-${trace.spanId}-01`)
    expect(told.get('tracestate')).toBe('a=1,b=2')
  })

  it('gives the application a span of its own if spans are recorded', () => {
    const { told, seen } = request([PARENT], { recordsSpans: true })
    const { spanId, applicationId } = seen.trace!
    expect(applicationId).not.toBe(spanId)
    expect(told.get('traceparent')).toBe(`00-${TRACE}-${applicationId}-01`)
    expect(told.get('tracestate')).toBeUndefined()
  })

  it('decides whether the trace is recorded', () => {
    const { told, seen } = request([PARENT.replace(/1$/, '0')])
    expect(seen.trace!.sampled).toBe(false)
    expect(told.get('traceparent')).toMatch(/-00$/)
  })

  it('begins a trace with a malformed or repeated traceparent, and its state is dropped', () => {
    for (const fields of [['traceparent: x'], [PARENT, PARENT], []]) {
      const { told, seen } = request([...fields, 'tracestate: a=1'])
      expect(seen.trace).toMatchObject({ parentId: '', state: '' })
      expect(seen.trace!.traceId).not.toBe(TRACE)
      expect(told.get('tracestate')).toBeUndefined()
      expect(told.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
    }
  })

  it('may be at the other end of a unix socket', () => {
    expect(request([PARENT], { from: '' }).seen.trace!.traceId).toBe(TRACE)
  })
})

describe('anybody else', () => {
  it('begins a trace, and what it says of one is gone', () => {
    const fields = [PARENT, 'Traceparent: y', 'TRACESTATE: a=1', 'X-Other: z']
    const { told, seen } = request(fields, { from: '198.51.100.9' })
    expect(seen.trace!.traceId).not.toBe(TRACE)
    expect(told.get('traceparent')).toBe(`00-${seen.trace!.traceId}-${seen.trace!.spanId}-01`)
    expect(told.get('tracestate')).toBeUndefined()
    expect(told.get('x-other')).toBe('z')
  })

  it('does not decide whether it is recorded', () => {
    const asked: (boolean | null)[] = []
    const sampler = (_: string, parent: boolean | null) => {
      asked.push(parent)
      return false
    }
    const { told } = request([PARENT], { from: '198.51.100.9', sampler })
    expect(asked).toEqual([null])
    expect(told.get('traceparent')).toMatch(/-00$/)
  })
})

it('leaves all else of the head as it is', () => {
  const { told, seen } = request(['X-A: 1', PARENT, 'X-B: \xe9', 'X-A: 2'], { path: '/p%20q?x=1' })
  expect(told.target).toBe('/p%20q?x=1')
  expect(told.requestLine()).toBe(seen.requestLine())
  expect(told.get('host')).toBe('a')
  expect(told.value(told.host)).toBe('a')
  expect(told.get('x-a')).toBe('1, 2')
  expect(told.get('x-b')).toBe('\xe9')
  expect(told.fieldCount).toBe(5)
})

it('makes other ids for each request', () => {
  const ids = Array.from({ length: 300 }, () => request([]).seen.trace!)
  expect(new Set(ids.map(({ traceId }) => traceId)).size).toBe(300)
  expect(new Set(ids.map(({ spanId }) => spanId)).size).toBe(300)
})
