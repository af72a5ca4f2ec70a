import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repository } from '../support/build.ts'
import { NodeProject } from '../support/node-project.ts'

// What a user's compiler makes of the packed package. The types of the package itself are checked
// too (`skipLibCheck: false`), so nothing in them may need what a user has not installed.

const run = promisify(execFile)

/** The oldest compiler that is supported, those before and after generic bytes, and the newest. */
const compilers = ['5.0', '5.6', '5.7', '5.9', '6', '7']

const strict = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
}

const node = { module: 'nodenext', lib: ['es2023'], types: ['node'] }
const dom = { ...node, lib: ['es2023', 'dom', 'dom.iterable'] }

let project: NodeProject
beforeAll(async () => {
  project = await NodeProject.open('types', { python: false })
}, 300_000)
afterAll(() => project?.remove())

let count = 0

/** What the compiler says of a file. */
async function complaints(compiler: string, file: string, options: object): Promise<string> {
  const name = `tsconfig.${++count}.json`
  const compilerOptions = { ...strict, ...options }
  project.write(name, JSON.stringify({ compilerOptions, files: [file] }))
  const tsc = join(project.path, 'node_modules', `typescript-${compiler}`, 'bin', 'tsc')
  try {
    // `timeout` ends the compiler even if this test's process was killed.
    const command = ['-k', '5', '280', process.execPath, tsc, '-p', name, '--pretty', 'false']
    await run('timeout', command, { cwd: project.path })
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout || String(error)
  }
}

// Compilers need seconds, and minutes on a machine that others use as well.
describe.concurrent('what a user writes compiles', { timeout: 300_000 }, () => {
  test.each(compilers)('with TypeScript %s and the DOM library', async (compiler) => {
    expect(await complaints(compiler, 'app.ts', dom)).toBe('')
  })

  test.each(['5.0', '7'])('with TypeScript %s and without it', async (compiler) => {
    expect(await complaints(compiler, 'app.ts', node)).toBe('')
  })

  test('for a bundler', async () => {
    const options = { ...dom, module: 'esnext', moduleResolution: 'bundler' }
    expect(await complaints('7', 'app.ts', options)).toBe('')
  })

  test.each(['5.9', '7'])(
    'with TypeScript %s, monoceros/fetch and no types of Node.js',
    async (compiler) => {
      const lib = ['es2023', 'webworker', 'webworker.iterable', 'webworker.asynciterable']
      const options = { module: 'esnext', moduleResolution: 'bundler', types: [], lib }
      expect(await complaints(compiler, 'worker.ts', options)).toBe('')
    },
  )
})

test('a mistake would be found', async () => {
  project.write('mistake.ts', "import { nothing } from 'monoceros'\nexport const bytes = nothing\n")
  const said = await complaints('7', 'mistake.ts', node)
  expect(said).toMatch(/^mistake\.ts\(1,10\): error TS2305: .*no exported member 'nothing'/)
})

test('the page says which compilers', () => {
  const page = readFileSync(join(repository, 'docs/guides/how-to/environ-types.md'), 'utf8')
  expect(page).toContain(`TypeScript ${compilers[0]} and newer, up to ${compilers.at(-1)},`)
})
