import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { gunicornDifferences } from './gunicorn-differences.ts'
import { gunicornFacts } from './gunicorn-facts.ts'
import { guideRows, ourSetting, withGunicornSettings } from './gunicorn-guide.ts'
import { gunicornSettings } from './gunicorn-settings.ts'

test("the guide's tables are generated from the settings (npm run docs)", () => {
  const url = new URL('../../docs/guides/from-gunicorn.md', import.meta.url)
  const page = readFileSync(url, 'utf8')
  expect(page).toBe(withGunicornSettings(page))
})

test('every setting of Gunicorn is in one table, with all of its flags', () => {
  expect(guideRows()).toHaveLength(gunicornFacts.length)
  for (const fact of gunicornFacts) {
    const ours = ourSetting(fact)
    const foreign = gunicornSettings.find(({ name }) => name === fact.name)
    expect([fact.name, ours === undefined, foreign === undefined]).toContain(true)
    const known = [ours?.offFlag, ...(ours?.flags ?? []), ...(foreign?.flags ?? [])]
    expect(known).toEqual(expect.arrayContaining([...fact.flags]))
  }
})

test('only settings of Gunicorn are in the lists about Gunicorn', () => {
  const names = gunicornFacts.map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(Object.keys(gunicornDifferences)))
  expect(names).toEqual(expect.arrayContaining(gunicornSettings.map(({ name }) => name)))
})

test('a difference is described for a setting that is here', () => {
  const foreign = gunicornSettings.map(({ name }) => name)
  expect(Object.keys(gunicornDifferences).filter((name) => foreign.includes(name))).toEqual([])
})
