import { describe, expect, test } from 'vitest'
import { releaseSection, sectionOf } from './changelog.mjs'
import {
  compareVersions,
  levelBetween,
  levelFor,
  nextVersion,
  parseVersion,
  pythonVersion,
  suffices,
} from './version.mjs'

describe('versions', () => {
  test.each(['1.2', '01.2.3', 'v1.2.3', '1.2.3-', '1.2.3-a..b', ' 1.2.3', '1.2.3+build', ''])(
    '%j is none',
    (text) => expect(parseVersion(text)).toBeNull(),
  )

  test('are in the order of the specification', () => {
    // SemVer §11.4, with two more.
    const order =
      '0.9.10 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 ' +
      '1.0.0-rc.1 1.0.0 1.0.1 1.1.0 2.0.0 10.0.0'
    const versions = order.split(' ')
    for (const [i, a] of versions.entries())
      for (const [j, b] of versions.entries())
        expect(Math.sign(compareVersions(a, b)), `${a} and ${b}`).toBe(Math.sign(i - j))
  })

  test.each([
    ['patch', '0.1.0', '0.1.1'],
    ['minor', '0.1.3', '0.2.0'],
    ['major', '0.1.3', '1.0.0'],
    ['0.1.4', '0.1.3', '0.1.4'],
    ['0.1.0', null, '0.1.0'],
    ['1.0.0-rc.1', '0.9.0', '1.0.0-rc.1'],
    ['1.0.0', '1.0.0-rc.1', '1.0.0'],
  ])('%s after %s is %s', (wanted, last, next) => expect(nextVersion(wanted, last)).toBe(next))

  test.each([
    ['0.1.3', '0.1.3', '0.1.3 is not larger than 0.1.3'],
    ['0.1.2', '0.1.3', '0.1.2 is not larger than 0.1.3'],
    ['1.0', '0.1.3', '1.0 is no version'],
    ['0.2.0-next.1', '0.1.3', '0.2.0-next.1: write alpha.1, beta.1 or rc.1'],
    ['patch', null, 'There is no release yet'],
  ])('%s after %s is refused', (wanted, last, message) => {
    expect(() => nextVersion(wanted, last)).toThrow(message)
  })
})

test.each([
  ['1.2.0', '1.2.0'],
  ['1.2.0-rc.1', '1.2.0rc1'],
  ['1.2.0-alpha.10', '1.2.0a10'],
])('%s is %s in Python', (version, python) => expect(pythonVersion(version)).toBe(python))

describe('what a change of what is public needs', () => {
  const removed = [{ breaking: true }, { breaking: false }]
  const added = [{ breaking: false }]

  test.each([
    ['1.2.3', removed, 'major'],
    ['1.2.3', added, 'minor'],
    ['1.2.3', [], 'patch'],
    ['0.2.3', removed, 'minor'],
    ['0.2.3', added, 'patch'],
  ])('after %s, with %j: %s', (last, changes, level) => expect(levelFor(last, changes)).toBe(level))

  test('a larger step suffices, a smaller one does not', () => {
    expect(suffices(levelBetween('0.1.3', '0.1.4'), 'minor')).toBe(false)
    expect(suffices(levelBetween('0.1.3', '0.2.0'), 'minor')).toBe(true)
    expect(suffices(levelBetween('0.1.3', '1.0.0'), 'minor')).toBe(true)
    expect(suffices(levelBetween('1.1.3', '1.2.0'), 'major')).toBe(false)
  })
})

describe('the changelog', () => {
  const text =
    '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A.\n\n## [0.1.0] - 2026-01-02\n\n- B.\n'

  test('what is not released gets the version and the date', () => {
    const released = releaseSection(text, '0.2.0', '2026-11-29')
    expect(sectionOf(released, 'Unreleased')).toBe('')
    expect(sectionOf(released, '0.2.0')).toBe('### Added\n\n- A.')
    expect(sectionOf(released, '0.1.0')).toBe('- B.')
    expect(released).toContain('## [Unreleased]\n\n## [0.2.0] - 2026-11-29\n\n### Added')
  })

  test.each([
    ['an empty section', text.replace('- A.\n', ''), 'is empty'],
    ['no section', text.replace('[Unreleased]', 'Soon'), 'has no line "## [Unreleased]"'],
    ['a section of the same version', text.replace('0.1.0', '0.2.0'), 'for 0.2.0 already'],
  ])('%s is refused', (_, changed, message) => {
    expect(() => releaseSection(changed, '0.2.0', '2026-11-29')).toThrow(message)
  })
})
