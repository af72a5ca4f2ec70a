import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { withoutBlocks } from '../../tests/support/page-blocks.ts'
import type { SettingDefinition } from './definition.ts'
import { renderHelp, summary } from './help.ts'
import { renderReference } from './reference.ts'
import { settingsTable } from './table.ts'

const table: readonly SettingDefinition[] = settingsTable

test('docs/reference/settings.md is generated from the table (npm run docs)', () => {
  const page = readFileSync(new URL('../../docs/reference/settings.md', import.meta.url), 'utf8')
  expect(page).toBe(renderReference())
})

test('help names every flag but the misspelt ones, within the width of the terminal', () => {
  for (const width of [60, 80, 120]) {
    const help = renderHelp(width)
    for (const line of help.split('\n'))
      expect(line.length).toBeLessThanOrEqual(Math.max(width, 72))
    for (const setting of table) {
      if (setting.default === true) continue
      for (const flag of setting.flags.filter((name) => !name.includes('_')))
        expect(help).toContain(flag)
      if (setting.offFlag !== undefined) expect(help).toContain(setting.offFlag)
    }
  }
})

test('every doc begins with one paragraph that ends in a full stop', () => {
  for (const setting of table) expect(summary(setting)).toMatch(/\.$/)
})

test('the page has one sentence per line', () => {
  const prose = withoutBlocks(renderReference())
    .split('\n')
    .filter((line) => !/^(\||#|<!--|\d\.)/.test(line))
  for (const line of prose) {
    expect(line).not.toMatch(/[.!?] [A-Z]/)
    if (line !== '') expect(line).toMatch(/[.:)]$/)
  }
})
