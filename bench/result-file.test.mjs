// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromJson, toJson } from './result-file.mjs'

test('a result is read as it was written, also where there was no figure', () => {
  const result = {
    kind: 'full',
    facts: ['a "fact"'],
    cases: [
      { workload: 'hello', load: null, samples: [{ server: 'a', p99: Number.NaN, cpu: 12.5 }] },
      { workload: 'flask', load: { part: 0.6 }, samples: [] },
    ],
  }
  assert.deepEqual(fromJson(toJson(result)), result)
  assert.equal(toJson({ cases: [{ samples: [{ cpu: 1 / 3 }] }] }).includes('0.33333}'), true)
})
