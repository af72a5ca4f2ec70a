import { describe, expect, test } from 'vitest'
import { isAllowed, licenceProblems, packagesOfNotices } from './licences.mjs'

test.each([
  ['MIT', true],
  ['(MIT OR GPL-3.0-only)', true],
  ['MIT AND PSF-2.0 AND MPL-2.0', true],
  ['GPL-3.0-only', false],
  ['MIT AND GPL-3.0-only', false],
  ['SEE LICENSE IN LICENSE', false],
  ['', false],
])('the licence %j: %s', (expression, allowed) => expect(isAllowed(expression)).toBe(allowed))

test('an SBOM with a licence that is not allowed, or with none, is a problem', () => {
  const component = (name, licenses) => ({ purl: `pkg:npm/${name}@1.0.0`, licenses })
  const sbom = {
    metadata: { component: component('monoceros', [{ expression: 'MIT' }]) },
    components: [
      component('good', [{ license: { id: 'ISC' } }]),
      component('bad', [{ license: { id: 'AGPL-3.0-only' } }]),
      component('mute', undefined),
    ],
  }
  expect(licenceProblems(JSON.stringify(sbom))).toEqual([
    'pkg:npm/bad@1.0.0: the licence AGPL-3.0-only is not in scripts/release/licences.mjs',
    'pkg:npm/mute@1.0.0 names no licence',
  ])
})

describe('notices', () => {
  const part = (name) => `${name} 1.2.3 (MIT)\n\nThe MIT License (MIT)\n\nCopyright`
  const rule = `\n\n${'-'.repeat(80)}\n\n`

  test('name the packages', () => {
    expect(packagesOfNotices(`${part('@a/b')}${rule}${part('c')}\n`)).toEqual([
      { name: '@a/b', version: '1.2.3', license: 'MIT' },
      { name: 'c', version: '1.2.3', license: 'MIT' },
    ])
  })

  test('without the text of a licence are refused', () => {
    expect(() => packagesOfNotices('c 1.2.3 (MIT)')).toThrow('no name, licence and text')
  })
})
