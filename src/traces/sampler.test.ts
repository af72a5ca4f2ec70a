import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { makeSampler } from './sampler.ts'

const SOME = '4bf92f3577b34da6a3ce929d0e0e4736'

function part(env: NodeJS.ProcessEnv, ratio: string | null, parent: boolean | null): number {
  const sample = makeSampler(ratio, env)
  const ids = Array.from({ length: 4000 }, () => randomBytes(16).toString('hex'))
  return ids.filter((id) => sample(id, parent)).length / ids.length
}

describe('the setting', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['.25', 0.25],
  ])('records the ratio %s of what begins here', (ratio, expected) => {
    expect(Math.abs(part({}, ratio, null) - expected)).toBeLessThan(
      expected % 1 === 0 ? 1e-9 : 0.06,
    )
  })

  it('follows the sender, and replaces the environment', () => {
    expect(part({ OTEL_TRACES_SAMPLER: 'always_off' }, '0', true)).toBe(1)
    expect(part({ OTEL_TRACES_SAMPLER: 'always_off' }, '1', false)).toBe(0)
    expect(part({ OTEL_TRACES_SAMPLER: 'always_off' }, '1', null)).toBe(1)
  })

  it('chooses the same traces for the same ratio, and those of a lower one with them', () => {
    const low = makeSampler('0.2', {})
    const high = makeSampler('0.5', {})
    for (let i = 0; i < 500; i++) {
      const id = randomBytes(16).toString('hex')
      if (low(id, null)) expect(high(id, null)).toBe(true)
      expect(low(id, null)).toBe(makeSampler('0.20', {})(id, null))
    }
  })
})

describe('the environment', () => {
  it.each([
    [{}, 1, 1, 0],
    [{ OTEL_TRACES_SAMPLER: 'always_on' }, 1, 1, 1],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, 0, 0, 0],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, 0, 1, 0],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, 0, 0, 0],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, 0, 1, 0],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' }, 1, 1, 0],
  ])('%j records %s of its own, %s and %s of others', (env, root, recorded, unrecorded) => {
    const sample = makeSampler(null, env)
    expect([sample(SOME, null), sample(SOME, true), sample(SOME, false)].map(Number)).toEqual([
      root,
      recorded,
      unrecorded,
    ])
  })

  it.each([
    [{ OTEL_TRACES_SAMPLER: 'xray' }, /OTEL_TRACES_SAMPLER=xray is not supported/],
    [
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '2' },
      /OTEL_TRACES_SAMPLER_ARG=2 is no ratio/,
    ],
  ])('%j is refused', (env, message) => {
    expect(() => makeSampler(null, env)).toThrow(message)
  })
})
