import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonical, EXCEPTIONS } from './http-differential/canonical.ts'
import { compare, unsafeDisagreement } from './http-differential/comparison.ts'
import { type SeenRequest, seenByNode } from './http-differential/llhttp.ts'
import { connections } from './http-differential/messages.ts'
import { type ReadRequest, readAll } from './http-differential/reading.ts'

/**
 * How many connections are tried; more in the release tier (vitest.config.ts), and any number by
 * hand: `MONOCEROS_FUZZ_RUNS=200000 npx vitest run --project release http-differential`.
 */
const DEFAULT_RUNS = 1500
const RUNS = Number(process.env.MONOCEROS_FUZZ_RUNS ?? DEFAULT_RUNS)
/** Repeats a run: the seed that a failure prints. */
const SEED = process.env.MONOCEROS_FUZZ_SEED

/**
 * All bytes that mean something in a message, and one of each other kind; a long run tries all
 * there are.
 */
const TELLING = Buffer.from(
  '\0\x01\t\n\x0b\x0c\r !"#%+,-./0:;=?@AZ[\\]_a{\x7f\x80\x85\xa0\xff',
  'latin1',
)

describe('compared with llhttp in strict mode, our parser', () => {
  it(
    'accepts nothing that llhttp refuses, and reads what it accepts the same way',
    () => {
      fc.assert(
        fc.property(connections(), fc.array(fc.nat(65535), { maxLength: 6 }), (text, cuts) => {
          const bytes = Buffer.from(text, 'latin1')
          const disagreement = unsafeDisagreement(bytes, cut(bytes, cuts))
          if (disagreement !== null) throw new Error(`${disagreement}\n${JSON.stringify(text)}`)
        }),
        { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
      )
    },
    30_000 + RUNS * 20,
  )

  it('stays so with any byte in any place', () => {
    const messages = [
      'PUT /p?q HTTP/1.1\r\nHost: a:1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab',
      'PUT http://h/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '2;a=b;c="d"\r\nab\r\n0\r\nT: x\r\n\r\n',
      'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nCONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n',
      'PUT /\xe9 HTTP/1.2\r\nHost: h\r\nTransfer-Encoding:\tchunked\t\r\n\r\n2 ; a = b ' +
        ';c="d" ; e\r\nab\r\n0\t;f\r\nConnection: x\r\n\r\n',
    ]
    for (const message of messages) {
      const next = 'GET /next HTTP/1.1\r\nHost: h\r\n\r\n'
      for (let at = 0; at <= message.length; at++) {
        for (const byte of RUNS > 5000 ? Array(256).keys() : TELLING) {
          const put = String.fromCharCode(byte)
          const replaced = message.slice(0, at) + put + message.slice(at + 1) + next
          const inserted = message.slice(0, at) + put + message.slice(at) + next
          for (const text of [replaced, inserted]) {
            const disagreement = unsafeDisagreement(Buffer.from(text, 'latin1'))
            if (disagreement !== null) throw new Error(`${disagreement}\n${JSON.stringify(text)}`)
          }
        }
      }
    }
  }, 300_000)

  it('is tried on connections of every kind', () => {
    const tally = {
      accepted: 0,
      refused: 0,
      refusedByBoth: 0,
      pipelined: 0,
      chunked: 0,
      codes: new Set<string>(),
      exceptional: 0,
    }
    for (const text of fc.sample(connections(), { numRuns: 2000, seed: 1 })) {
      const bytes = Buffer.from(text, 'latin1')
      const { requests, refusal } = readAll([bytes])
      if (refusal === null) tally.accepted++
      else tally.refused++
      if (refusal !== null && seenByNode(bytes).error !== null) tally.refusedByBoth++
      if (requests.filter(({ complete }) => complete).length > 1) tally.pipelined++
      if (requests.some(({ chunked, body, complete }) => chunked && complete && body !== ''))
        tally.chunked++
      if (refusal !== null) tally.codes.add(refusal.code)
      else if (!(canonical(bytes, readAll([bytes])) as Buffer).equals(bytes)) tally.exceptional++
    }
    expect(tally.accepted).toBeGreaterThan(400)
    expect(tally.refused).toBeGreaterThan(400)
    expect(tally.refusedByBoth).toBeGreaterThan(300)
    expect(tally.pipelined).toBeGreaterThan(200)
    expect(tally.chunked).toBeGreaterThan(100)
    expect(tally.codes.size).toBeGreaterThan(22)
    expect(tally.exceptional).toBeGreaterThan(20)
  })

  describe.each(EXCEPTIONS)('accepts $what, because $why', ({ example }) => {
    const next = 'GET /next HTTP/1.1\r\nHost: a\r\n\r\n'

    it('and reads it as what llhttp reads in its plainer form', () => {
      const bytes = Buffer.from(example + next, 'latin1')
      const reading = readAll([bytes])
      expect(reading.refusal).toBeNull()
      expect(reading.requests.map(({ body }) => body)).toEqual(['z', ''])
      expect(reading.requests[0]!.end).toBe(example.length)
      expect(unsafeDisagreement(bytes)).toBeNull()

      const plain = canonical(bytes, reading) as Buffer
      expect(plain.equals(bytes)).toBe(false)
      const sight = seenByNode(plain)
      expect(sight.error).toBeNull()
      expect(sight.requests.map(({ body, complete }) => [body, complete])).toEqual([
        ['z', true],
        ['', true],
      ])
    })

    it('with nothing else changed, at any split', () => {
      const bytes = Buffer.from(example + next, 'latin1')
      for (let at = 0; at <= bytes.length; at++) {
        expect(unsafeDisagreement(bytes, [bytes.subarray(0, at), bytes.subarray(at)])).toBeNull()
        expect(unsafeDisagreement(bytes.subarray(0, at))).toBeNull()
      }
    })
  })

  it('is found out where it ends a message elsewhere than the rules of the exceptions do', () => {
    const bytes = Buffer.from(EXCEPTIONS[3]!.example, 'latin1')
    const reading = readAll([bytes])
    const [request] = reading.requests
    expect(
      canonical(bytes, { ...reading, requests: [{ ...request!, end: request!.end - 1 }] }),
    ).toMatch('ends at')
    expect(canonical(bytes, { ...reading, requests: [{ ...request!, complete: false }] })).toMatch(
      'ends at',
    )
  })
})

describe('the comparison', () => {
  const text =
    'POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\nHost: h\r\n\r\n'
  const reading = readAll([Buffer.from(text)])
  const sight = seenByNode(Buffer.from(text))
  const withOurs = (index: number, change: Partial<ReadRequest>): typeof reading => ({
    ...reading,
    requests: reading.requests.map((request, i) =>
      i === index ? { ...request, ...change } : request,
    ),
  })
  const withTheirs = (change: Partial<SeenRequest>): typeof sight => ({
    ...sight,
    requests: sight.requests.map((request, i) => (i === 0 ? { ...request, ...change } : request)),
  })

  it('finds nothing where both agree', () => {
    expect(compare(reading, sight)).toBeNull()
    expect(reading.requests).toHaveLength(2)
  })

  it('finds every kind of disagreement', () => {
    expect(compare(withOurs(0, { method: 'PUT' }), sight)).toMatch('method')
    expect(compare(withOurs(1, { target: '/c' }), sight)).toMatch('target')
    expect(compare(withOurs(0, { minorVersion: 0 }), sight)).toMatch('version')
    expect(compare(withOurs(0, { fields: [] }), sight)).toMatch('fields')
    expect(compare(withOurs(0, { body: 'abd' }), sight)).toMatch('body')
    expect(compare(withOurs(0, { body: 'ab' }), sight)).toMatch('shorter body')
    expect(compare(reading, withTheirs({ complete: false }))).toMatch('complete')
    expect(compare({ ...reading, requests: reading.requests.slice(0, 1) }, sight)).toMatch(
      'saw 2 requests',
    )
    expect(compare(reading, { ...sight, requests: sight.requests.slice(0, 1) })).toMatch(
      'was refused',
    )
    expect(compare(reading, { ...sight, error: 'HPE_STRICT' })).toMatch('refused what ours took')
  })

  it('lets ours refuse more', () => {
    const refusal = { status: 400, code: 'x', message: 'x' }
    expect(
      compare({ ...reading, requests: reading.requests.slice(0, 1), refusal }, sight),
    ).toBeNull()
  })

  it('goes on behind an Upgrade that nobody takes', () => {
    const upgrade = 'GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'
    expect(seenByNode(Buffer.from(upgrade + text)).requests).toHaveLength(1)
    expect(unsafeDisagreement(Buffer.from(upgrade + text))).toBeNull()
    expect(readAll([Buffer.from(upgrade + text)]).requests).toHaveLength(3)
  })

  it('lets extension methods pass, and compares all else', () => {
    const request = (fields: string): string => `BREW /pot HTTP/1.1\r\nHost: h\r\n${fields}\r\n`
    expect(seenByNode(Buffer.from(request(''))).error).toBe('HPE_INVALID_METHOD')
    expect(unsafeDisagreement(Buffer.from(request('')))).toBeNull()
    expect(
      unsafeDisagreement(
        Buffer.from(request('Content-Length: 1\r\n').concat('xBREW / HTTP/1.1\r\n')),
      ),
    ).toBeNull()
  })
})

/** `bytes` cut at `places`, which are taken modulo their length. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const at = [
    0,
    ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ]
  return at.slice(1).map((end, i) => bytes.subarray(at[i]!, end))
}
