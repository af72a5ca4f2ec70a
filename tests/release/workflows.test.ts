import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { findActionlint } from '../support/actionlint.ts'
import { repository } from '../support/build.ts'
import { hasPython, testPython } from '../support/python.ts'
import { ensureVirtualEnvironment, findBasePython } from '../support/virtual-environment.ts'

// The workflows of .github/workflows, as far as they can be checked without running them there.

const folder = join(repository, '.github', 'workflows')
const workflows = readdirSync(folder)
const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8')
}

/** What a workflow runs, without its comments. */
function code(name: string): string {
  return read(name).replace(/^\s*#.*$/gm, '')
}

describe('actionlint', () => {
  const actionlint = findActionlint()

  test.skipIf(actionlint === null)('has nothing to say', () => {
    const paths = workflows.map((name) => join(folder, name))
    const { status, stdout, stderr } = spawnSync(actionlint!, ['-no-color', ...paths], {
      cwd: repository,
      encoding: 'utf8',
    })
    expect(stdout + stderr).toBe('')
    expect(status).toBe(0)
  })

  test.skipIf(actionlint === null)('would say something', () => {
    const wrong = mkdtempSync(join(tmpdir(), 'monoceros-workflow-'))
    onTestFinished(() => rmSync(wrong, { recursive: true, force: true }))
    const path = join(wrong, 'wrong.yml')
    writeFileSync(path, read('ci.yml').replaceAll('matrix.node', 'matrix.nodes'))
    const { status, stdout } = spawnSync(actionlint!, ['-no-color', path], { encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stdout).toContain('property "nodes" is not defined')
  })
})

test.skipIf(!hasPython())(
  'zizmor finds no weakness',
  () => {
    const { executable } = ensureVirtualEnvironment(
      findBasePython(),
      join(repository, 'tests', '.cache', 'workflows-venv'),
      join(repository, 'tests', 'requirements-workflows.txt'),
    )
    const { status, stdout, stderr } = spawnSync(
      join(executable, '..', 'zizmor'),
      ['--offline', '--no-progress', '--min-severity', 'medium', folder],
      { encoding: 'utf8' },
    )
    expect({ status, said: stdout + stderr }).toMatchObject({ status: 0 })
  },
  300_000,
)

describe('the smoke test of systems where the suite does not run', () => {
  const smoke = (...args: string[]) =>
    spawnSync(process.execPath, [join(repository, 'scripts', 'smoke.mjs'), ...args], {
      encoding: 'utf8',
      // The server looks for Python on PATH.
      env: { ...process.env, PATH: `${join(testPython().prefix, 'bin')}:${process.env.PATH}` },
    })

  test.skipIf(!hasPython())(
    'passes with this build',
    () => {
      const { status, stdout, stderr } = smoke()
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout.match(/^ok: /gm)).toHaveLength(5)
    },
    300_000,
  )

  test.skipIf(!hasPython())('fails with a server that ends', () => {
    const { status, stderr } = smoke('/bin/false')
    expect(status).toBe(1)
    expect(stderr).toContain('it ended with status 1')
  })
})

describe.each(workflows)('%s', (name) => {
  test('runs scripts that exist', () => {
    const named = [...code(name).matchAll(/npm run (?:-s )?([\w:-]+)/g)].map(
      ([, script]) => script!,
    )
    expect(named.filter((script) => scripts[script] === undefined)).toEqual([])
    const paths = [...code(name).matchAll(/(?:node |run: )((?:\.ci|scripts)\/[\w./-]+)/g)]
    expect(paths.filter(([, path]) => !existsSync(join(repository, path!)))).toEqual([])
    expect(named.length + paths.length).toBeGreaterThan(0)
  })

  test('names every action of others by its commit, with the version beside it', () => {
    const uses = [...code(name).matchAll(/uses: (\S+)(.*)/g)].filter(
      ([, what]) => !what!.startsWith('./'),
    )
    expect(uses.length).toBeGreaterThan(0)
    for (const [line] of uses) expect(line).toMatch(/@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  test('has no secrets, and says which rights it has', () => {
    expect(code(name)).not.toMatch(/secrets\./)
    expect(code(name)).toMatch(/^permissions:/m)
  })
})

describe('the versions that are tested', () => {
  const versions = (list: string) =>
    [...list.matchAll(/'([\d.]+)'/g)].map(([, version]) => version!)
  const [, nodes = '', pythons = ''] =
    /system: \[.*\n\s*node: (\[.*\])\n\s*python: (\[.*\])/.exec(read('ci.yml')) ?? []

  test('begin with the oldest Node.js of package.json', () => {
    const { engines } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
      engines: { node: string }
    }
    expect(versions(nodes)[0]).toBe(/\d+/.exec(engines.node)![0])
    expect(versions(nodes)).toEqual(['20', '22', '24', '26'])
  })

  test('are the Pythons of the Python package', () => {
    const metadata = readFileSync(join(repository, 'packages', 'wheel', 'pyproject.toml'), 'utf8')
    const named = [...metadata.matchAll(/"Programming Language :: Python :: (3\.\d+)"/g)]
    expect(versions(pythons)).toEqual(named.map(([, version]) => version))
  })

  test('are all in the jobs of every change', () => {
    const [everyChange = ''] = read('ci.yml').split('  every-pair:')
    for (const version of [...versions(nodes), ...versions(pythons)])
      expect(everyChange).toContain(`'${version}'`)
  })
})
