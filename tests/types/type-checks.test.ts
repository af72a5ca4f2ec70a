import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { beforeAll, describe, expect, test } from 'vitest'
import { repository } from '../support/build.ts'

const directory = join(repository, 'tests', 'types')
const names = readdirSync(directory).filter((name) => !name.endsWith('.test.ts'))
const directive = /^\s*\/\/ @ts-expect-error/
const UNUSED_DIRECTIVE = 2578

/** A file that has something wrong in it for the checks to find, or to miss. */
const probe = `
import type { WSGIApplication } from '../../src/wsgi/types.ts'
// @ts-expect-error
export const right: WSGIApplication = () => []
// @ts-expect-error
export const wrong: WSGIApplication = () => 'text'
export const unannounced: WSGIApplication = () => 'text'
`

/** Compiles the type tests, each of them also without its directives, and the probe; all in one program, which takes seconds. */
function compile(): Map<string, { line: number; code: number }[]> {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(repository, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
  )!
  expect(config.fileNames).toEqual(expect.arrayContaining(names.map((name) => join(directory, name))))

  const texts = new Map<string, string>([[join(directory, 'probe.ts'), probe]])
  for (const name of names) {
    const lines = readFileSync(join(directory, name), 'utf8').split('\n')
    const bare = lines.map((line) => (directive.test(line) ? '//' : line)).join('\n')
    texts.set(join(directory, `bare-${name}`), bare)
  }
  const host = ts.createCompilerHost(config.options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => texts.has(name) || fileExists(name)
  host.readFile = (name) => texts.get(name) ?? readFile(name)
  host.getSourceFile = (name, options) => {
    const text = texts.get(name)
    return text === undefined ? getSourceFile(name, options) : ts.createSourceFile(name, text, options)
  }
  const roots = [...names.map((name) => join(directory, name)), ...texts.keys()]
  const program = ts.createProgram(roots, config.options, host)
  return new Map(
    roots.map((root) => {
      const file = program.getSourceFile(root)!
      const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
      const told = found.map(({ start, code }) => ({
        line: file.getLineAndCharacterOfPosition(start ?? 0).line + 1,
        code,
      }))
      return [root.slice(dirname(root).length + 1), told]
    }),
  )
}

describe('type tests', () => {
  let found: ReturnType<typeof compile>
  beforeAll(() => {
    found = compile()
  })

  test('an error that is expected and does not come is reported, and so is one that is not expected', () => {
    const told = found.get('probe.ts')!
    expect(told.map(({ line }) => line)).toEqual(expect.arrayContaining([3, 7]))
    expect(told.find(({ line }) => line === 3)?.code).toBe(UNUSED_DIRECTIVE)
    expect(told.filter(({ line }) => line === 5 || line === 6)).toEqual([])
  })

  test.each(names)('%s: what must not compile does not, all else does', (name) => {
    expect(found.get(name)).toEqual([])
    const lines = readFileSync(join(directory, name), 'utf8').split('\n')
    const expected = lines.flatMap((line, index) => (directive.test(line) ? [index + 2] : []))
    expect(expected.length).toBeGreaterThan(20)
    const wrong = new Set(found.get(`bare-${name}`)!.map(({ line }) => line))
    expect([...wrong].toSorted((a, b) => a - b)).toEqual(expected)
  })
})
