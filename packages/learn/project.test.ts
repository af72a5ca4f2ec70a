import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LIMITS, readProject, SaveError, saveAsNew, saveInto } from './project.js'

let outside: string
let folder: string

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), 'monoceros-learn-'))
  folder = join(outside, 'projects')
  mkdirSync(folder)
})
afterEach(() => rmSync(outside, { recursive: true, force: true }))

const project = (files: Record<string, string>, more: object = {}) =>
  readProject({ name: 'step', files, ...more })

function refusal(value: unknown): string {
  try {
    readProject(value)
  } catch (error) {
    expect(error).toBeInstanceOf(SaveError)
    expect((error as SaveError).code).toBe('invalid')
    return (error as SaveError).message
  }
  return 'taken'
}

describe('what the page sends', () => {
  test.each([
    '../x.py',
    '/etc/x',
    'a/../x',
    'a//x',
    '.env',
    'a/.git/config',
    'x.',
    'C:x',
    'a\\x',
    'x\0.py',
    'con.py',
    'NUL',
    'a/b/c/d/e',
    'ü.py',
    ' x',
    '-rf',
    '',
    'x'.repeat(65),
  ])('the path %j is refused', (path) => {
    expect(refusal({ name: 'step', files: { [path]: '' } })).toMatch(/This is no path/)
  })

  test.each(['..', '.', '', 'a/b', '.ssh', 'aux'])('the folder %j is refused', (name) => {
    expect(refusal({ name, files: { a: '' } })).toMatch(/This cannot be the name of a folder/)
  })

  test.each([
    [null, 'name of a folder'],
    ['text', 'name of a folder'],
    [{ name: 'a' }, 'A project is an object'],
    [{ name: 'a', files: [] }, 'A project is an object'],
    [{ name: 'a', files: {} }, 'no files'],
    [{ name: 'a', files: { x: 1 } }, 'x is no text'],
    [{ name: 'a', files: { x: '', X: '' } }, 'X is there twice'],
    [{ name: 'a', files: { x: '' }, overwrite: 'yes' }, 'overwrite is true or false'],
  ])('%j is refused', (value, message) => expect(refusal(value)).toContain(message))

  test('has a limit of files and of bytes', () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}`, '']))
    expect(refusal({ name: 'a', files: many })).toMatch(/at most 64 files/)
    const text = 'ü'.repeat(LIMITS.bytes / 2 + 1)
    expect(refusal({ name: 'a', files: { x: text } })).toMatch(/at most 524288 bytes/)
  })

  test('never writes outside of the folder, whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.oneof(
            fc.string(),
            fc
              .array(fc.constantFrom('..', '.', '/', '\\', 'a', 'b.py', '\0', '~'))
              .map((parts) => parts.join('')),
          ),
          fc.string(),
          { maxKeys: 3 },
        ),
        async (files) => {
          const before = readdirSync(outside)
          try {
            await saveAsNew(folder, readProject({ name: 'p', files }))
          } catch (error) {
            if (!(error instanceof SaveError)) throw error
          }
          expect(readdirSync(outside)).toEqual(before)
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe('a new folder', () => {
  test('gets a number if its name is taken', async () => {
    mkdirSync(join(folder, 'step'))
    writeFileSync(join(folder, 'step-2'), 'mine')
    const made = await saveAsNew(folder, project({ 'app.py': 'one', 'lib/x.py': 'two' }))
    expect(made).toBe(join(folder, 'step-3'))
    expect(readFileSync(join(made, 'lib', 'x.py'), 'utf8')).toBe('two')
    expect(readFileSync(join(folder, 'step-2'), 'utf8')).toBe('mine')
  })

  test('is not made through a link', async () => {
    symlinkSync(outside, join(folder, 'step'))
    expect(await saveAsNew(folder, project({ 'app.py': '' }))).toBe(join(folder, 'step-2'))
    expect(existsSync(join(outside, 'app.py'))).toBe(false)
  })
})

describe('a folder that the user named', () => {
  test('keeps files that exist, and says which, before anything is written', async () => {
    writeFileSync(join(folder, 'b.py'), 'mine')
    const error = await saveInto(folder, project({ 'a.py': '', 'b.py': 'theirs' })).catch((e) => e)
    expect(error).toMatchObject({ code: 'exists', files: ['b.py'] })
    expect(readdirSync(folder)).toEqual(['b.py'])
    expect(readFileSync(join(folder, 'b.py'), 'utf8')).toBe('mine')
  })

  test('has its files replaced after the reader was asked', async () => {
    writeFileSync(join(folder, 'b.py'), 'mine')
    await saveInto(folder, project({ 'b.py': 'theirs' }, { overwrite: true }))
    expect(readFileSync(join(folder, 'b.py'), 'utf8')).toBe('theirs')
    expect(readdirSync(folder)).toEqual(['b.py'])
  })

  test.each([false, true])('is not left through a link (overwrite: %s)', async (overwrite) => {
    const target = join(outside, 'target')
    mkdirSync(target)
    writeFileSync(join(target, 'x.py'), 'mine')
    symlinkSync(target, join(folder, 'lib'))
    const files = { 'lib/y.py': 'theirs' }
    await expect(saveInto(folder, project(files, { overwrite }))).rejects.toThrow(
      /lib is no folder/,
    )
    symlinkSync(join(target, 'x.py'), join(folder, 'x.py'))
    const link = project({ 'x.py': 'theirs' }, { overwrite })
    await expect(saveInto(folder, link)).rejects.toThrow(/exist already|is no file/)
    expect(readFileSync(join(target, 'x.py'), 'utf8')).toBe('mine')
    expect(readdirSync(target)).toEqual(['x.py'])
  })

  test('is made if the folder around it exists', async () => {
    await saveInto(join(folder, 'new'), project({ 'a.py': 'x' }))
    expect(readFileSync(join(folder, 'new', 'a.py'), 'utf8')).toBe('x')
    const deep = saveInto(join(folder, 'not', 'there'), project({ 'a.py': 'x' }))
    await expect(deep).rejects.toThrow(/ENOENT/)
  })
})
