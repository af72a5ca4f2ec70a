import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { repository } from './build.ts'
import { findChromium, findFirefox } from './chromium.ts'

const work = temporaryDirectory()
afterAll(() => work.remove())

let folders = 0

/** A folder of PATH with these programs. */
function folderWith(...names: string[]): string {
  const folder = join(work.path, String(folders++))
  mkdirSync(folder)
  for (const name of names) {
    writeFileSync(join(folder, name), '')
    chmodSync(join(folder, name), 0o755)
  }
  return folder
}

describe('finding the browser', () => {
  let warned = ''

  beforeEach(() => {
    warned = ''
    const warn = vi.spyOn(console, 'warn').mockImplementation((text) => {
      warned += text
    })
    onTestFinished(() => warn.mockRestore())
  })

  test.each(['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'])(
    '%s is found on PATH',
    (name) => {
      const folder = folderWith(name)
      expect(findChromium({ PATH: [folderWith(), folder].join(delimiter), CI: 'true' })).toBe(
        join(folder, name),
      )
      expect(warned).toBe('')
    },
  )

  test.each(['firefox-esr', 'firefox'])('Firefox is found as %s', (name) => {
    const folder = folderWith(name, 'chromium')
    expect(findFirefox({ PATH: folder, CI: 'true' })).toBe(join(folder, name))
    expect(() => findFirefox({ PATH: folderWith('chromium'), CI: 'true' })).toThrow('.ci/run')
    expect(findFirefox({ PATH: folderWith() })).toBe(null)
    expect(warned).toMatch(/There is no Firefox: .*MONOCEROS_FIREFOX.*apt-get install firefox-esr/s)
  })

  test('the name goes before the place', () => {
    const chrome = folderWith('google-chrome')
    const chromium = folderWith('chromium')
    expect(findChromium({ PATH: [chrome, chromium].join(delimiter) })).toBe(
      join(chromium, 'chromium'),
    )
  })

  test('what cannot be run is none', () => {
    const folder = folderWith('chromium')
    chmodSync(join(folder, 'chromium'), 0o644)
    mkdirSync(join(folder, 'google-chrome'))
    expect(findChromium({ PATH: folder })).toBe(null)
  })

  test('MONOCEROS_CHROMIUM goes before PATH, and must be a program', () => {
    const folder = folderWith('chromium', 'other')
    const env = { PATH: folder, MONOCEROS_CHROMIUM: join(folder, 'other') }
    expect(findChromium(env)).toBe(join(folder, 'other'))
    expect(() => findChromium({ ...env, MONOCEROS_CHROMIUM: '/no/browser' })).toThrow(
      'MONOCEROS_CHROMIUM is "/no/browser", which is no program',
    )
  })

  test('without one a run says so', () => {
    expect(findChromium({ PATH: folderWith() })).toBe(null)
    expect(warned).toContain('Every test that needs a browser is SKIPPED')
  })

  test('without one a run on CI fails', () => {
    expect(() => findChromium({ PATH: folderWith(), CI: 'true' })).toThrow(
      'On CI that is a failure',
    )
  })

  test('.ci/run looks for the same ones before it installs one', () => {
    const script = readFileSync(join(repository, '.ci', 'run'), 'utf8')
    expect(script).toContain(
      'for name in chromium chromium-browser google-chrome google-chrome-stable; do',
    )
  })
})
