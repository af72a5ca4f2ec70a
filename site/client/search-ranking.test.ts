import { expect, test } from 'vitest'
import { searchOptions, weightOf } from './search-ranking.ts'

test('guides and errors come before what was measured, decided or changed', () => {
  expect(weightOf('/base/errors/MONO2001.html')).toBeGreaterThan(
    weightOf('/base/reference/errors.html'),
  )
  expect(weightOf('/base/guides/deploy.html#limits')).toBeGreaterThan(
    weightOf('/base/CHANGELOG.html'),
  )
  expect(weightOf('/base/decisions/010-the-ledger.html')).toBeLessThan(weightOf('/base/other.html'))
})

test('the words of a question that say nothing are left out', () => {
  const words = 'How do I upload a file'.split(' ')
  expect(words.map(searchOptions.processTerm).filter((word) => word !== null)).toEqual([
    'upload',
    'file',
  ])
})

test('a code is not found by one that has another digit', () => {
  expect(searchOptions.fuzzy('502')).toBe(false)
  expect(searchOptions.fuzzy('uplaod')).toBe(0.2)
})
