import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from './support/applications.ts'
import { repository } from './support/build.ts'

interface Violation {
  rule: { name: string }
  from: string
  to: string
}

/** Runs the import-arrow check and returns what it objects to, as `rule: from → to`. */
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

/** A source tree of its own with the repository's rules, thrown away after the test. */
function tree(files: Record<string, string>): string {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  for (const name of ['.dependency-cruiser.mjs', 'tsconfig.json']) {
    copyFileSync(join(repository, name), join(directory.path, name))
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory.path, name)), { recursive: true })
    writeFileSync(join(directory.path, name), text)
  }
  return directory.path
}

test('the imports of the server keep to the arrows of the design', () => {
  expect(violations(repository)).toEqual([])
})

describe('the check itself', () => {
  test('lets the arrows pass that are there to be used', () => {
    const directory = tree({
      'src/wsgi/environ.ts': 'export interface Environ { x: 1 }',
      'src/http/head.ts': 'export const head = 1',
      'src/logging/log.ts': 'export type Level = 1',
      'src/settings/table.ts':
        "import type { Level } from '../logging/log.ts'\nexport type Settings = Level",
      'src/runtimes/runtime.ts':
        "import type { Environ } from '../wsgi/environ.ts'\nexport const run = (e: Environ) => e",
      'src/gateway/gateway.ts':
        "import { head } from '../http/head.ts'\nimport { run } from '../runtimes/runtime.ts'\nexport const gateway = [head, run]",
      'src/acceptor/acceptor.ts':
        "import { gateway } from '../gateway/gateway.ts'\nexport const acceptor = gateway",
      'src/arbiter/arbiter.ts':
        "import { acceptor } from '../acceptor/acceptor.ts'\nexport const arbiter = acceptor",
      'src/cli/main.ts': "export const main = () => import('../arbiter/arbiter.ts')",
    })
    expect(violations(directory)).toEqual([])
  })

  test('catches every arrow that points the wrong way, as a value, as a type and dynamically', () => {
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
    const files: Record<string, string> = {}
    const expected: string[] = []
    for (const [from, to] of wrong) {
      const target = `../${to}/target.ts`
      files[`src/${to}/target.ts`] = 'export const value = 1\nexport type Shape = number'
      files[`src/${from}/${to}-by-value.ts`] =
        `import { value } from '${target}'\nexport const copy = value`
      files[`src/${from}/${to}-by-type.ts`] =
        `import type { Shape } from '${target}'\nexport type Copy = Shape`
      files[`src/${from}/${to}-by-call.ts`] = `export const load = () => import('${target}')`
      for (const how of ['value', 'type', 'call']) {
        const rule = from === 'novelty' ? 'unknown-room' : `arrow-${from}`
        expected.push(`${rule}: src/${from}/${to}-by-${how}.ts → src/${to}/target.ts`)
      }
    }
    expect(violations(tree(files)).sort()).toEqual(expected.sort())
  })

  test('catches a cycle, even one of types only', () => {
    const directory = tree({
      'src/http/a.ts': "import type { B } from './b.ts'\nexport type A = B | 1",
      'src/http/b.ts': "import type { A } from './a.ts'\nexport type B = A | 2",
    })
    expect(violations(directory)).toContainEqual(expect.stringMatching(/^no-cycles: /))
  })

  test('catches an import that leads nowhere, and test code in the server', () => {
    const directory = tree({
      'src/http/a.ts': "import { b } from './gone.ts'\nexport const a = b",
      'src/http/c.ts': "import { d } from './d.test.ts'\nexport const c = d",
      'src/http/d.test.ts': 'export const d = 1',
    })
    expect(violations(directory).sort()).toEqual([
      'no-test-code-in-the-server: src/http/c.ts → src/http/d.test.ts',
      'no-unresolved: src/http/a.ts → ./gone.ts',
    ])
  })
})
