import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { collapsed } from './collapsed.ts'
import { stacksOf } from './cpu-profile.ts'
import { ProfileSum, readStackFindings, type StackFindings } from './findings.ts'
import { flameGraph } from './flame-graph.ts'
import { readMemoryFindings } from './memory.ts'
import { pprof } from './pprof.ts'
import { speedscope } from './speedscope.ts'

const findings: StackFindings = {
  routes: ['GET /burn', 'GET /<lock>&"'],
  functions: [
    ['app', '/srv/shop/app.py', 10],
    ['burn', '/srv/shop/views/__init__.py', 3],
    ['Lock.wait', '/usr/lib/python3/lock;1.py', 0],
  ],
  stacks: [
    [0, 1_500_000, 0, 150, 0, 12, 1, 5],
    [1, 0, 500_000, 50, 0, 14, 2, 7],
    [1, 10_000, 0, 1, 0, 14, 2, 7],
  ],
  seconds: 2,
  samples: 200,
  cost: 0.01,
  processes: 1,
}

describe('adding profiles up', () => {
  test('the same stacks of several workers become one', () => {
    const sum = new ProfileSum()
    sum.add(findings)
    // Another worker has met the functions in another order.
    sum.add({
      ...findings,
      routes: [...findings.routes].reverse(),
      functions: [...findings.functions].reverse(),
      stacks: findings.stacks.map(([route, runs, waits, count, ...frames]) => [
        ...[1 - route, runs, waits, count],
        ...frames.map((number, at) => (at % 2 === 0 ? 2 - number : number)),
      ]),
    })
    const both = sum.findings
    expect(both.functions).toEqual(findings.functions)
    expect(both.stacks).toEqual([
      [0, 3_000_000, 0, 300, 0, 12, 1, 5],
      [1, 20_000, 1_000_000, 102, 0, 14, 2, 7],
    ])
    expect(both).toMatchObject({ seconds: 2, samples: 400, cost: 0.02, processes: 2 })
  })

  test('what is kept is bounded, and no time is lost', () => {
    const sum = new ProfileSum({ stacks: 200, routes: 50 })
    for (let part = 0; part < 10; part++) {
      const routes = Array.from({ length: 100 }, (_, at) => `GET /${part}/${at}`)
      const stacks = Array.from({ length: 100 }, (_, at) => [at % 100, 1, 1, 1, 0, part * 100 + at])
      sum.add({ ...findings, routes, stacks })
    }
    const { routes, stacks } = sum.findings
    expect(routes.length).toBeLessThanOrEqual(51)
    expect(stacks.length).toBeLessThanOrEqual(251)
    expect(stacks.reduce((all, [, runs, waits]) => all + runs + waits, 0)).toBe(2000)
  })

  test('what is not a profile is refused, whatever it is', () => {
    expect(readStackFindings(findings)).toEqual(findings)
    for (const wrong of [
      { stacks: [[2, 1, 1, 1]] },
      { stacks: [[0, 1, 1, 1, 3, 1]] },
      { stacks: [[0, 1, 1, 1, 0]] },
      { stacks: [[0, -1, 1, 1]] },
      { functions: [['a', 'b']] },
      { routes: [1] },
      { seconds: '1' },
    ])
      expect(readStackFindings({ ...findings, ...wrong })).toBeNull()
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const read = readStackFindings(value)
        if (read !== null) new ProfileSum().add(read)
        readMemoryFindings(value)
      }),
    )
  })
})

describe('the formats of profiles', () => {
  test('collapsed has a line for each stack; waiting is a frame of its own', () => {
    expect(collapsed(findings, 'wall')).toBe(
      'GET /burn;app (app.py);burn (views/__init__.py) 1500000\n' +
        'GET /<lock>&";app (app.py);Lock.wait (lock 1.py);(waiting) 500000\n' +
        'GET /<lock>&";app (app.py);Lock.wait (lock 1.py) 10000\n',
    )
    expect(collapsed(findings, 'cpu')).not.toContain('waiting')
  })

  test('speedscope has a profile for each route, whose weights are its time', () => {
    const { profiles, shared } = JSON.parse(speedscope(findings, 'wall', 'shop'))
    expect(
      profiles.map(({ name, endValue }: { name: string; endValue: number }) => [name, endValue]),
    ).toEqual([
      ['GET /burn', 1_500_000],
      ['GET /<lock>&"', 510_000],
    ])
    const names = profiles[1].samples[0].map((number: number) => shared.frames[number].name)
    expect(names).toEqual(['app', 'Lock.wait', '(waiting)'])
  })

  test('pprof is a gzipped message with the names, and values in nanoseconds', () => {
    const message = gunzipSync(pprof(findings, 1_700_000_000_000))
    const fields = fieldsOf(message)
    const strings = fields.filter(([field]) => field === 6).map(([, bytes]) => `${bytes}`)
    expect(strings[0]).toBe('')
    expect(strings).toContain('/srv/shop/views/__init__.py')
    const samples = fields.filter(([field]) => field === 2).map(([, bytes]) => bytes as Buffer)
    const [first] = samples
    const parts = fieldsOf(first)
    expect(numbersOf(parts.find(([field]) => field === 2)![1] as Buffer)).toEqual([
      150, 1_500_000_000, 1_500_000_000,
    ])
    expect(samples).toHaveLength(3)
  })

  test('the flame graph is XML that loads nothing, whatever names there are', () => {
    const svg = flameGraph(
      { ...findings, routes: ['GET /\u0000<script>', 'GET /]]>&"'] },
      { title: '<b>&', subtitle: '"', weight: 'wall' },
    )
    expect(svg).toContain('<title>&lt;b&gt;&amp;</title>')
    expect(svg).toContain('GET /\ufffd&lt;script&gt;')
    expect(svg).toContain('burn (views/__init__.py)')
    expect(svg).toContain('74.6 %')
    expect(svg).not.toContain('\u0000')
    // Only the namespaces of XML.
    const addresses = svg.match(/(https?:)?\/\/[a-z0-9.]+/g) ?? []
    expect(new Set(addresses)).toEqual(new Set(['http://www.w3.org']))
    expect(svg.match(/<script>/g)).toHaveLength(1)
  })

  test('nothing seen is a graph too', () => {
    const nothing = { ...findings, stacks: [], routes: [], functions: [] }
    const svg = flameGraph(nothing, { title: 'shop', subtitle: '', weight: 'cpu' })
    expect(svg).toContain('Nothing was seen.')
    expect(collapsed(nothing, 'wall')).toBe('')
    expect(JSON.parse(speedscope(nothing, 'wall', 'shop')).profiles).toEqual([])
    expect(gunzipSync(pprof(nothing, 0)).length).toBeGreaterThan(0)
  })

  test("V8's profile becomes stacks; its idle time is left out", () => {
    const frame = (functionName: string, url = '', lineNumber = -1) => ({
      functionName,
      url,
      lineNumber,
    })
    const found = stacksOf({
      nodes: [
        { id: 1, callFrame: frame('(root)'), children: [2, 3] },
        { id: 2, callFrame: frame('(idle)') },
        { id: 3, callFrame: frame('app', 'file:///srv/a%20b/app.ts', 4), children: [4] },
        { id: 4, callFrame: frame('', 'file:///srv/a%20b/app.ts', 9) },
      ],
      startTime: 0,
      endTime: 5000,
      samples: [2, 3, 4, 4, 2],
      timeDeltas: [0, 1000, 1000, 1000, 1000],
    })
    expect(readStackFindings(found)).not.toBeNull()
    expect(collapsed(found, 'wall')).toBe(
      '(process);app (app.ts) 1000\n(process);app (app.ts);(anonymous) (app.ts) 2000\n',
    )
  })
})

/** The fields of a message of Protocol Buffers: varints as numbers, and bytes. */
function fieldsOf(bytes: Buffer): [field: number, value: number | Buffer][] {
  const fields: [number, number | Buffer][] = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++]
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const key = varint()
    const value = varint()
    if (key % 8 === 0) fields.push([key >> 3, value])
    else {
      fields.push([key >> 3, bytes.subarray(at, at + value)])
      at += value
    }
  }
  return fields
}

function numbersOf(bytes: Buffer): number[] {
  const numbers: number[] = []
  let value = 0
  let factor = 1
  for (const byte of bytes) {
    value += (byte & 127) * factor
    factor *= 128
    if (byte < 128) {
      numbers.push(value)
      value = 0
      factor = 1
    }
  }
  return numbers
}
