import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'

interface Violation {
  rule: { name: string }
  from: string
  to: string
}

/** Checks the imports below a directory. Each violation is returned as `rule: from → to`. */
function violations(directory: string): string[] {
  const cruiser = join(
    repository,
    'node_modules',
    'dependency-cruiser',
    'bin',
    'dependency-cruise.mjs',
  )
  const result = spawnSync(
    process.execPath,
    [cruiser, '--config', '.dependency-cruiser.mjs', '--output-type', 'json', 'src'],
    { cwd: directory, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  )
  if (!result.stdout.startsWith('{')) throw new Error(result.stderr || result.stdout)
  const report = JSON.parse(result.stdout) as { summary: { violations: Violation[] } }
  return report.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)
}

/** A source tree with the repository's import rules. */
function tree(files: Record<string, string>): { path: string; remove: () => void } {
  const directory = temporaryDirectory()
  for (const name of ['.dependency-cruiser.mjs', 'scripts/import-rules.mjs', 'tsconfig.json']) {
    mkdirSync(dirname(join(directory.path, name)), { recursive: true })
    copyFileSync(join(repository, name), join(directory.path, name))
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory.path, name)), { recursive: true })
    writeFileSync(join(directory.path, name), text)
  }
  return directory
}

test('the imports of the server follow the import rules', () => {
  expect(violations(repository)).toEqual([])
})

describe('the picture of the import rules', () => {
  type Table = Record<string, string[]>
  const rules = () =>
    import(pathToFileURL(join(repository, 'scripts', 'import-rules.mjs')).href) as Promise<{
      drawImports(table: Table): string
      withImportsDrawn(page: string): string
    }>

  test('docs/design.md shows the rules that are in force', async () => {
    const { withImportsDrawn } = await rules()
    const page = readFileSync(join(repository, 'docs', 'design.md'), 'utf8')
    expect(page, 'run `npm run docs`').toBe(withImportsDrawn(page))
  })

  test('a folder stands above all that it imports from', async () => {
    const { drawImports } = await rules()
    expect(drawImports({ leaf: [], top: ['middle', 'leaf'], middle: ['leaf'] })).toBe(
      ['  top    → middle, leaf', '──────────', '  middle → leaf', '──────────', '  leaf', ''].join(
        '\n',
      ),
    )
  })

  test('a cycle in the rules, or a folder that they do not list, is an error', async () => {
    const { drawImports } = await rules()
    expect(() => drawImports({ a: ['b'], b: ['a'] })).toThrow(/cycle: a → b → a/)
    expect(() => drawImports({ a: ['b'] })).toThrow(/do not list the folder b/)
  })
})

describe('the check itself', () => {
  test('accepts imports that the rules allow', () => {
    const directory = tree({
      'src/wsgi/environ.ts': 'export interface Environ { x: 1 }',
      'src/http/head.ts': 'export const head = 1',
      'src/logging/log.ts': 'export type Level = 1',
      'src/settings/table.ts':
        "import type { Level } from '../logging/log.ts'\nexport type Settings = Level",
      'src/runtimes/runtime.ts':
        "import type { Environ } from '../wsgi/environ.ts'\nexport const run = (e: Environ) => e",
      'src/gateway/gateway.ts':
        "import { head } from '../http/head.ts'\nimport { run } from " +
        "'../runtimes/runtime.ts'\nexport const gateway = [head, run]",
      'src/acceptor/acceptor.ts':
        "import { gateway } from '../gateway/gateway.ts'\nexport const acceptor = gateway",
      'src/arbiter/arbiter.ts':
        "import { acceptor } from '../acceptor/acceptor.ts'\nexport const arbiter = acceptor",
      'src/cli/main.ts': "export const main = () => import('../arbiter/arbiter.ts')",
    })
    onTestFinished(directory.remove)
    expect(violations(directory.path)).toEqual([])
  })

  describe('in a tree with every mistake', () => {
    const wrong = [
      ['http', 'gateway'],
      ['http', 'runtimes'],
      ['http', 'wsgi'],
      ['http', 'settings'],
      ['runtimes', 'http'],
      ['runtimes', 'gateway'],
      ['wsgi', 'http'],
      ['wsgi', 'settings'],
      ['settings', 'cli'],
      ['logging', 'http'],
      ['logging', 'settings'],
      ['gateway', 'acceptor'],
      ['acceptor', 'arbiter'],
      ['arbiter', 'cli'],
      ['arbiter', 'http'],
      ['cli', 'acceptor'],
      ['novelty', 'wsgi'],
    ]
    const files: Record<string, string> = {
      'src/http/cycle/a.ts': "import type { B } from './b.ts'\nexport type A = B | 1",
      'src/http/cycle/b.ts': "import type { A } from './a.ts'\nexport type B = A | 2",
      'src/http/a.ts': "import { b } from './gone.ts'\nexport const a = b",
      'src/http/c.ts': "import { d } from './d.test.ts'\nexport const c = d",
      'src/http/d.test.ts': 'export const d = 1',
    }
    const forbidden: string[] = []
    for (const [from, to] of wrong) {
      const target = `../${to}/target.ts`
      files[`src/${to}/target.ts`] = 'export const value = 1\nexport type Shape = number'
      files[`src/${from}/${to}-by-value.ts`] =
        `import { value } from '${target}'\nexport const copy = value`
      files[`src/${from}/${to}-by-type.ts`] =
        `import type { Shape } from '${target}'\nexport type Copy = Shape`
      files[`src/${from}/${to}-by-call.ts`] = `export const load = () => import('${target}')`
      for (const how of ['value', 'type', 'call']) {
        const rule = from === 'novelty' ? 'unknown-folder' : `imports-of-${from}`
        forbidden.push(`${rule}: src/${from}/${to}-by-${how}.ts → src/${to}/target.ts`)
      }
    }
    let found: string[]
    beforeAll(() => {
      const { path, remove } = tree(files)
      try {
        found = violations(path)
      } finally {
        remove()
      }
    })
    const about = (pattern: RegExp) => found.filter((line) => pattern.test(line)).sort()

    test('catches imports that the rules forbid, of values, of types and dynamic ones', () => {
      expect(about(/^(imports-of-|unknown-folder: src\/novelty)/)).toEqual(forbidden.sort())
    })

    test('catches a cycle, even if it imports types only', () => {
      expect(about(/^no-cycles: /)).toContainEqual(expect.stringContaining('src/http/cycle/'))
    })

    test('catches imports of missing files, and of test code in the server', () => {
      expect(about(/^no-(test-code|unresolved)/)).toEqual([
        'no-test-code-in-the-server: src/http/c.ts → src/http/d.test.ts',
        'no-unresolved: src/http/a.ts → ./gone.ts',
      ])
    })
  })
})
