import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { changesBetween } from './changes.mjs'
import { pythonReport } from './python-report.mjs'
import { changesSinceRelease, unnamedIn } from './since-release.mjs'

function types(code) {
  return `# The public types\n\n\`\`\`ts\n${code}\n\`\`\`\n`
}

function changes(before, after) {
  return changesBetween(types(before), types(after)).map(
    ({ breaking, text }) => `${breaking ? 'breaking' : 'addition'}: ${text}`,
  )
}

const options = 'export interface Options {\n    readonly limit: number;\n    port?: number;\n}'

describe('changes of types', () => {
  test('none', () => expect(changes(options, options)).toEqual([]))

  test('the order does not count', () => {
    const other = 'export function serve(): void;'
    expect(changes(`${options}\n\n${other}`, `${other}\n\n${options}`)).toEqual([])
  })

  test('a name that is gone breaks', () => {
    expect(changes(`${options}\n\nexport function serve(): void;`, options)).toEqual([
      'breaking: serve is gone',
    ])
  })

  test('a new name is an addition, a new type that is not exported is nothing', () => {
    const more = 'export function serve(): void;\n\ninterface Hidden {\n    a: string;\n}'
    expect(changes(options, `${options}\n\n${more}`)).toEqual(['addition: serve is new'])
  })

  test('a member that is gone breaks', () => {
    expect(changes(options, options.replace('    port?: number;\n', ''))).toEqual([
      'breaking: Options: `port?: number;` is gone',
    ])
  })

  test('a member with another type breaks', () => {
    expect(changes(options, options.replace('limit: number', 'limit: string'))).toEqual([
      'breaking: Options: `readonly limit: number;` is now `readonly limit: string;`',
    ])
  })

  test('an option that one need not give is an addition, one that one must give breaks', () => {
    const end = '    port?: number;\n'
    expect(changes(options, options.replace(end, `${end}    host?: string;\n`))).toEqual([
      'addition: Options: `host?: string;` is new',
    ])
    expect(changes(options, options.replace(end, `${end}    host: string;\n`))).toEqual([
      'breaking: Options: `host: string;` is new, and not optional',
    ])
  })

  test('a new method of a class is an addition', () => {
    const before = 'export class Server {\n    close(): void;\n}'
    const after = 'export class Server {\n    close(): void;\n    open(): void;\n}'
    expect(changes(before, after)).toEqual(['addition: Server: `open(): void;` is new'])
  })

  test('another signature breaks, and so does another base class', () => {
    expect(changes('export function a(b: string): void;', 'export function a(): void;')).toEqual([
      'breaking: a was `export function a(b: string): void;`, and is `export function a(): void;`',
    ])
    expect(
      changes('export class A extends B {\n    c: 1;\n}', 'export class A {\n    c: 1;\n}'),
    ).toHaveLength(1)
  })

  test('an overload that is gone breaks', () => {
    const one = 'export function a(b: string): void;'
    expect(changes(`${one}\n\nexport function a(): void;`, one)).toHaveLength(1)
  })
})

describe('changes of settings', () => {
  const setting = (lines) =>
    [
      '# Settings\n\n```text\nsetting bind {',
      ...lines.map((line) => `    ${line}`),
      '}\n```\n',
    ].join('\n')
  const before = setting(['type: addresses', 'flag: -b', 'flag: --bind', 'default: []'])

  test('a further flag is an addition', () => {
    const after = setting([
      'type: addresses',
      'flag: -b',
      'flag: --bind',
      'flag: -B',
      'default: []',
    ])
    expect(changesBetween(before, after)).toEqual([
      { breaking: false, name: 'setting bind', text: 'setting bind: `flag: -B` is new' },
    ])
  })

  test('a flag that is gone breaks, and so does another default', () => {
    const after = setting(['type: addresses', 'flag: --bind', 'default: [1]'])
    expect(changesBetween(before, after)).toEqual([
      { breaking: true, name: 'setting bind', text: 'setting bind: `flag: -b` is gone' },
      {
        breaking: true,
        name: 'setting bind',
        text: 'setting bind: `default: []` is now `default: [1]`',
      },
    ])
  })

  test('a setting that is gone breaks', () => {
    expect(changesBetween(before, '# Settings\n\n```text\n```\n')).toEqual([
      { breaking: true, name: 'setting bind', text: 'setting bind is gone' },
    ])
  })
})

describe('changes since the last release', () => {
  function rootWith(files) {
    const root = mkdtempSync(join(tmpdir(), 'monoceros-api-'))
    onTestFinished(() => rmSync(root, { recursive: true, force: true }))
    for (const folder of ['api', 'api/released', 'python/monoceros'])
      mkdirSync(join(root, folder), { recursive: true })
    for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text)
    return root
  }

  test('are those of all reports, also of new ones and of those that are gone', () => {
    const one = types('export function one(): void;')
    const root = rootWith({ 'api/a.api.md': one, 'api/released/b.api.md': one })
    expect(changesSinceRelease(root)).toEqual([
      { report: 'a', breaking: false, name: 'one', text: 'one is new' },
      { report: 'b', breaking: true, name: 'one', text: 'one is gone' },
    ])
  })

  test('are none before the first release', () => {
    const root = rootWith({})
    rmSync(join(root, 'api/released'), { recursive: true })
    expect(changesSinceRelease(root)).toBeNull()
  })

  test('must be named in the changelog if they break', () => {
    const gone = [
      { breaking: true, name: 'setting bind' },
      { breaking: true, name: 'def run(app: str)' },
      { breaking: false, name: 'more' },
    ]
    expect(unnamedIn('- `bind` is gone.', gone)).toEqual([gone[1]])
    expect(unnamedIn('- `bind` is gone, `run` as well.', gone)).toEqual([])
  })

  test('of the Python package are those of its signatures', () => {
    const before = [
      '__all__ = ["__version__", "run"]\n__version__ = "1"\n\n',
      'def run(\n    app: str\n) -> None:\n    pass\n',
    ].join('')
    const reports = [before, before.replace('app: str', 'app: str, port: int')].map((source) =>
      pythonReport(rootWith({ 'python/monoceros/__init__.py': source })),
    )
    expect(changesBetween(...reports).map(({ text }) => text)).toEqual([
      'def run( app: str ) -> None is gone',
      'def run( app: str, port: int ) -> None is new',
    ])
    const wrong = rootWith({ 'python/monoceros/__init__.py': before.replace('def run', 'def go') })
    expect(() => pythonReport(wrong)).toThrow('does not define run')
  })
})
