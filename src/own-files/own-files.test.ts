import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { version } from '../settings/version.ts'
import { findPackage, OwnFilesError, ownCode, ownEntry, ownFile, ownFolder } from './own-files.ts'

const work = mkdtempSync(join(tmpdir(), 'own-files-'))
afterAll(() => rmSync(work, { recursive: true }))

/** A folder that looks like an installed package. */
function install(folder: string, { name = 'monoceros', traced = false } = {}): string {
  const place = join(work, folder)
  mkdirSync(join(place, 'python'), { recursive: true })
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name }))
  if (!traced) writeFileSync(join(place, 'python/monoceros-worker'), '')
  return place
}

describe('this repository', () => {
  test('is found, from the sources as from what they are compiled to', () => {
    const { name } = JSON.parse(readFileSync(join(ownFolder(), 'package.json'), 'utf8'))
    expect(name).toBe('monoceros')
    expect(readFileSync(ownFile('python/monoceros-worker'), 'utf8')).toContain('python')
    expect(ownEntry('acceptor/process').href).toBe(`file://${ownFolder()}/dist/acceptor/process.js`)
    expect(ownCode).toBe(`file://${ownFolder()}/src/`)
  })

  test('has the version of its package.json', () => {
    expect(version).toBe(JSON.parse(readFileSync(ownFile('package.json'), 'utf8')).version)
  })

  test('looks at import.meta.url in this folder only, so that bundlers leave paths alone', () => {
    const sources = readdirSync(ownFile('src'), { recursive: true, encoding: 'utf8' })
    const looking = sources.filter(
      (name) =>
        /\.ts$/.test(name) &&
        !/\.test\.ts$/.test(name) &&
        /import\.meta\.(url|dirname|filename|resolve)/.test(
          readFileSync(ownFile(join('src', name)), 'utf8'),
        ),
    )
    expect(looking).toEqual(['own-files/own-files.ts'])
  })
})

describe('the package', () => {
  test('is where its module is, if that is not bundled', () => {
    const own = install('plain/node_modules/monoceros')
    install('other/node_modules/monoceros')
    expect(findPackage({ own, folders: [join(work, 'other')] })).toBe(own)
  })

  test('is found above a bundle', () => {
    const place = install('bundled/node_modules/monoceros')
    const own = join(work, 'bundled')
    writeFileSync(join(own, 'package.json'), '{"name":"site"}')
    expect(findPackage({ own, folders: [join(own, '.next/server/chunks')] })).toBe(place)
  })

  test('is found above the working directory, if the bundle is elsewhere', () => {
    const place = install('cwd/node_modules/monoceros')
    expect(findPackage({ own: null, folders: [work, join(work, 'cwd/a/b')] })).toBe(place)
  })

  test('is not a copy of some of its modules, which a build has traced', () => {
    const place = install('nitro/node_modules/monoceros')
    const traced = install('nitro/.output/server/node_modules/monoceros', { traced: true })
    expect(findPackage({ own: traced, folders: [join(traced, 'dist/own-files')] })).toBe(place)
  })

  test('is not another package with such a file', () => {
    const own = install('fork', { name: 'fork' })
    expect(() => findPackage({ own, folders: [own] })).toThrow(OwnFilesError)
  })

  test('that is not installed gives one line with where it was looked for, and what to do', () => {
    const folder = join(work, 'nowhere')
    const find = () => findPackage({ own: null, folders: [folder, folder] })
    expect(find).toThrow(
      expect.objectContaining({
        code: 'own-files',
        message:
          'Monoceros cannot find its Python files. Its code is bundled into another program, so ' +
          `it looks for node_modules/monoceros in and above ${folder}. Install monoceros there, ` +
          'or copy the whole folder node_modules/monoceros there. [MONO2042]',
      }),
    )
  })
})
