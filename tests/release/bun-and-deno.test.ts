import { execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, patternedBytes, temporaryDirectory } from '../support/applications.ts'
import { commandPath, repository } from '../support/build.ts'
import { freePort } from '../support/free-port.ts'
import { NodeProject } from '../support/node-project.ts'
import { blocksOf, filesOnPage } from '../support/page-blocks.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runServer } from '../support/running-server.ts'

// What docs/guides/bun-deno-workers.md says: the tests of the parts that need no server of
// Monoceros run on Bun and Deno themselves, and what needs Node.js says so.

const run = promisify(execFile)

interface Runtime {
  readonly name: string
  /** The program of the npm package; the package itself only chooses it after an installation. */
  readonly program: () => string
  /** What makes it run a file as its own program would. */
  readonly args: readonly string[]
  /** How it names itself: `Bun 1.4.5`. */
  readonly called: RegExp
  /** Tests that do not hold there, with the reason. The guide lists what matters to users. */
  readonly differences: Readonly<Record<string, string>>
}

/** Tests that say nothing of these runtimes, or take long and say little. */
const leftOut = [
  // Servers for Node.js, of which others stand for the same: node:http, Express, Fastify.
  'Connect ',
  'Vite 8',
  'Express 5, in routers',
  '@hono/node-server',
  "Hono's mount\\(\\)",
  // It compares with makeServer, which needs Node.js.
  'a request makes the environ that a server makes',
  // Many generated cases, and the same pool of workers under many conditions.
  'leads one step down at a time',
  'gives nothing from outside',
  'any ranges of a large file',
  'any description is one quoted string',
  'its life',
  'a script',
  'frameworks',
]

const platform = `${process.platform}-${process.arch}`

const runtimes: readonly Runtime[] = [
  {
    name: 'Bun',
    program: () => firstOf(`@oven/bun-${platform}/bin/bun`, 'bun/bin/bun.exe'),
    args: ['--bun'],
    called: /Bun \d+\.\d+\.\d+/,
    differences: {
      'a target of \\* has an empty path': 'Bun does not pass on OPTIONS *',
      'a body that fails resets its stream': 'its node:http2 ends the stream as if it were whole',
      'toFetchHandler takes it too': 'a Request that code makes of text has no Content-Type',
      'multipart form with files': 'formData() gives a file without a type the type ""',
    },
  },
  {
    name: 'Deno',
    program: () => firstOf(`@deno/${platform}-glibc/deno`, `@deno/${platform}/deno`),
    args: ['run', '-A'],
    called: /Deno \d+\.\d+\.\d+/,
    differences: {
      'whose body was not read leaves the connection usable': 'Deno closes the connection',
      '(body|response) of 100 MB': 'its heap grows by some 15 MB more than the test allows',
    },
  },
]

let project: NodeProject

beforeAll(async () => {
  project = await NodeProject.open('runtimes')
}, 300_000)

describe.skipIf(!hasPython()).each(runtimes)('on $name', (runtime) => {
  const { called, differences } = runtime

  test('the adapters, every middleware, the test client and pythonApp do what they do on Node.js', async () => {
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const output = join(directory.path, 'results.json')
    const excluded = [...leftOut, ...Object.keys(differences)].join('|')
    const vitest = join(repository, 'node_modules/vitest/vitest.mjs')
    const names = `^(?!.*(${excluded}))`
    const given = ['run', '--config', 'vitest.runtimes.config.ts', '-t', names]
    const reports = ['--reporter=json', `--outputFile=${output}`]
    const outcome = await runOn(runtime, [vitest, ...given, ...reports], repository)
    if (!existsSync(output)) throw new Error(`Vitest has not run:\n${outcome.output}`)
    const { failed, passed, skipped } = resultsIn(output)
    const [elsewhere, different] = [leftOut, Object.keys(differences)].map(
      (names) => new RegExp(names.join('|')),
    )
    const differ = skipped.filter((test) => !elsewhere!.test(test) && different!.test(test)).length
    // Decision 103 has these figures.
    console.log(`On ${runtime.name}: ${passed} tests pass, ${differ} are left out as they differ`)
    expect(failed).toEqual([])
    // Adapters, middleware and pythonApp: not only some files of them.
    expect(passed).toBeGreaterThan(1000)
    expect(outcome.status).toBe(0)
  }, 240_000)

  test('the server of the page runs Flask, and takes its workers with it', async () => {
    const name = `server-${runtime.name.toLowerCase()}.js`
    const files = filesOnPage(blocksOf('docs/guides/bun-deno-workers.md'))
    project.write(name, files.get(name)!)
    cpSync(join(appsDirectory, 'flask_app.py'), join(project.path, 'flaskapp.py'))
    const server = await runServer({
      command: runtime.program(),
      args: [...runtime.args, name],
      env: { ...environment(), PORT: String(await freePort()) },
      cwd: project.path,
      findAddresses: (log) => [
        ...new Set(Array.from(log.matchAll(/(?:at|on) (http:\S+[^/\s])/g), ([, url]) => url!)),
      ],
      isReady: (log) => /(at|on) http:\S+.*\n/.test(log),
      isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
    })
    const at = (path: string) => `http://127.0.0.1:${new URL(server.url).port}${path}`
    const hello = await fetch(at('/json?name=Ann'))
    expect(await hello.json()).toEqual({ framework: 'Flask', name: 'Ann' })
    expect(hello.headers.get('X-Request-ID')).toMatch(/^[0-9a-f-]{36}$/)
    const form = new FormData()
    form.set('file', new Blob([patternedBytes(2_000_000)]), 'large.bin')
    const upload = await fetch(at('/upload'), { method: 'POST', body: form })
    expect(await upload.json()).toMatchObject({ filename: 'large.bin', size: 2_000_000 })
    const lines = (await (await fetch(at('/stream?a'))).text()).split('\n')
    expect(lines).toHaveLength(101)
    expect(server.workers()).toHaveLength(1)
    server.signal('SIGTERM')
    await server.exited
    // runServer fails a test that leaves a process behind.
  })

  test('the command, serve and makeServer end with one line that says what to do', async () => {
    const line = (what: string, instead: string) =>
      new RegExp(
        `^${what} needs Node\\.js, because .* ${called.source} .* ${instead} \\[MONO\\d{4}\\]\\n$`,
      )
    for (const given of [['-b', '127.0.0.1:0', 'plain:app'], ['install'], ['python', '-V']]) {
      const command = await runOn(runtime, [commandPath, ...given])
      expect(command.output).toMatch(
        line('monoceros: The command monoceros', 'Install Node\\.js .* npx monoceros.*'),
      )
      expect(command.status).toBe(1)
    }
    const version = await runOn(runtime, [commandPath, '--version'])
    expect([version.status, version.output]).toEqual([
      0,
      expect.stringMatching(/^monoceros \d+\.\d+\.\d+\n$/),
    ])

    project.write(
      'calls.mjs',
      `import { demoApp, loadSettings, makeServer, serve } from 'monoceros'
for (const call of [() => makeServer('127.0.0.1', 0, demoApp), async () => serve(await loadSettings({ args: ['a:app'] }))])
  try { await call() } catch ({ code, message }) { console.log(code + ' ' + message) }
`,
    )
    const calls = await runOn(runtime, ['calls.mjs'], project.path)
    const [first, second, ...rest] = calls.output.trimEnd().split('\n')
    expect(`${first}\n`).toMatch(
      line('needs-node makeServer', 'Use toFetchHandler\\(app\\) .* node:http\\.'),
    )
    expect(`${second}\n`).toMatch(line('needs-node serve', 'Run this program with node\\.'))
    expect([rest, calls.status]).toEqual([[], 0])
  })
})

/** The environment of the programs, which are not to know that Vitest starts them. */
function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    MONOCEROS_RUNTIMES_PYTHON: JSON.stringify(testPython()),
    NO_COLOR: '1',
    DENO_NO_UPDATE_CHECK: '1',
  }
  for (const name of Object.keys(env))
    if (/^(NODE_OPTIONS|VITEST.*|MONOCEROS_TEST_TIER|VIRTUAL_ENV)$/.test(name)) delete env[name]
  return env
}

/** The first of these files in the project's node_modules. */
function firstOf(...names: string[]): string {
  const paths = names.map((name) => join(project.path, 'node_modules', name))
  const found = paths.find((path) => existsSync(path))
  if (found === undefined) throw new Error(`npm has installed none of ${paths.join(', ')}`)
  return found
}

/** Runs a program to its end, its file first. */
async function runOn(runtime: Runtime, args: readonly string[], cwd = appsDirectory) {
  try {
    const { stdout, stderr } = await run(runtime.program(), [...runtime.args, ...args], {
      cwd,
      env: environment(),
      timeout: 200_000,
      maxBuffer: 64 * 1024 * 1024,
    })
    return { status: 0, output: stdout + stderr }
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as Partial<Record<string, string>>
    return { status: code, output: `${stdout}${stderr}` }
  }
}

interface Results {
  readonly numPassedTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** What failed, each with its reason, how many tests passed, and the names of those left out. */
function resultsIn(path: string): { failed: string[]; passed: number; skipped: string[] } {
  const { numPassedTests, testResults } = JSON.parse(readFileSync(path, 'utf8')) as Results
  const failed = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const broken = assertionResults.filter((result) => result.status === 'failed')
    if (status === 'failed' && broken.length === 0) return [`${name}: ${message}`]
    return broken.map(({ fullName, failureMessages }) => `${fullName}: ${failureMessages[0]}`)
  })
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed')
  return { failed, passed: numPassedTests, skipped: skipped.map(({ fullName }) => fullName) }
}
