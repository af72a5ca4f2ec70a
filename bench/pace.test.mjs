// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from './pace.mjs'

/** Runs steps that take `slowness` times what was planned; returns their rounds and the end. */
function run({ steps, seconds, slowness }) {
  let time = 100
  const pace = new Pace({
    seconds,
    estimates: steps.map(({ estimate }) => estimate),
    now: () => time,
  })
  const rounds = steps.map(({ estimate, wanted }) => {
    const allowed = pace.rounds(wanted)
    time += ((estimate * allowed) / wanted) * slowness
    return allowed
  })
  return { rounds, took: time - 100 }
}

const STEPS = Array.from({ length: 30 }, () => ({ estimate: 20, wanted: 3 }))

test('every round is run while there is time', () => {
  assert.deepEqual(new Set(run({ steps: STEPS, seconds: 600, slowness: 1 }).rounds), new Set([3]))
})

test('a machine that is half as fast has fewer rounds, and ends in time', () => {
  const { rounds, took } = run({ steps: STEPS, seconds: 600, slowness: 2 })
  assert.ok(took <= 620, `${took} s`)
  assert.ok(rounds.every((count) => count >= 1))
  assert.ok(rounds.reduce((sum, count) => sum + count, 0) >= 40)
})

test('a case has one round at least, however late it is', () => {
  const { rounds } = run({ steps: STEPS, seconds: 10, slowness: 1 })
  assert.deepEqual(new Set(rounds), new Set([1]))
})

test('without a limit nothing is left out', () => {
  const { rounds } = run({ steps: STEPS, seconds: Number.POSITIVE_INFINITY, slowness: 50 })
  assert.deepEqual(new Set(rounds), new Set([3]))
})
