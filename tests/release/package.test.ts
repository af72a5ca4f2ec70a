import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { compilerPath } from '../support/compiler.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runServer, runToEnd } from '../support/running-server.ts'

// The package as somebody installs it: packed from a clean tree, installed from the tarball, run
// from there.

const run = promisify(execFile)

/**
 * What the package is made from; a tree of its own, so that packing, which builds anew, disturbs no
 * test beside this one.
 */
const sources = [
  'docs',
  'examples',
  'python',
  'scripts',
  'src',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'package.json',
  'tsconfig.build.json',
  'tsconfig.json',
]

const publicNames = `
  BodyTooLargeError ClientGoneError ConsumedBodyError FileWrapper Headers InputError PythonBrokenError PythonError
  PythonLoadError PythonOptionError PythonUnavailableError ResponseTimeoutError SettingsError
  TestClientError ViolationError WSGIError WSGIServer abortSignal applicationUri bodyLimit compose
  compress conditional consoleErrors cors decodeText defineConfig demoApp dispatcher encodeText errorHandler escapeLogText
  errorStream fromFetchHandler fromNodeHandler guessScheme isApplication isHopByHop loadSettings
  logger makeEnviron makeServer mapBody methods profiler proxyFix pythonApp readChunks requestId
  requestUri serve setupTestingDefaults shiftPathInfo staticFiles testClient timeout
  toFetchHandler toFunction toNodeHandler transformBody validator version
`
  .trim()
  .split(/\s+/)
const fetchNames = `
  ClientGoneError ConsumedBodyError Headers InputError ViolationError WSGIError abortSignal applicationUri
  decodeText demoApp encodeText errorStream fromFetchHandler isApplication readChunks requestUri
  shiftPathInfo toFetchHandler toFunction validator
`
  .trim()
  .split(/\s+/)

const work = temporaryDirectory()
const project = join(work.path, 'project')
const installed = join(project, 'node_modules', 'monoceros')
let packed: string[] = []

beforeAll(async () => {
  const tree = join(work.path, 'tree')
  mkdirSync(tree)
  for (const name of sources) {
    cpSync(join(repository, name), join(tree, name), {
      recursive: true,
      filter: (path) => !path.includes('__pycache__'),
    })
  }
  symlinkSync(join(repository, 'node_modules'), join(tree, 'node_modules'))
  // What an earlier build has left behind must not be published.
  mkdirSync(join(tree, 'dist'))
  writeFileSync(join(tree, 'dist', 'forgotten.js'), '')
  const { stdout } = await run('npm', ['pack', '--json', '--foreground-scripts=false'], {
    cwd: tree,
  })
  const [{ filename, files }] = JSON.parse(stdout) as [
    { filename: string; files: { path: string }[] },
  ]
  packed = files.map(({ path }) => path)

  mkdirSync(project)
  writeFileSync(
    join(project, 'package.json'),
    '{ "name": "site", "private": true, "type": "module" }\n',
  )
  writeFileSync(
    join(project, 'hello.py'),
    'def app(environ, start_response):\n' +
      '    start_response("200 OK", [("Content-Type", "text/plain")])\n' +
      '    return [environ["SERVER_SOFTWARE"].encode()]\n',
  )
  await run(
    'npm',
    [
      'install',
      '--prefer-offline',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      join(tree, filename),
    ],
    {
      cwd: project,
    },
  )
}, 120_000)

afterAll(() => work.remove())

describe('the tarball', () => {
  test('holds the compiled server, the Python side, documents, examples, and nothing else', () => {
    const folders = new Set(packed.map((path) => path.split('/').slice(0, 2).join('/')))
    expect([...folders].filter((folder) => !/^(dist|docs|examples)\//.test(folder)).sort()).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'package.json',
        'python/monoceros',
        'python/monoceros-bind',
        'python/monoceros-config',
        'python/monoceros-init',
        'python/monoceros-notify',
        'python/monoceros-relay',
        'python/monoceros-worker',
        'python/monoceros_pyodide',
      ],
    )
    expect(packed).toEqual(
      expect.arrayContaining([
        'dist/cli/main.js',
        'dist/acceptor/process.js',
        'dist/index.d.ts',
        'dist/python_stdlib.zip',
      ]),
    )
    expect(
      packed.filter(
        (path) =>
          /\.test\.|\/tests?\/|^(?!examples\/).*\.ts$/.test(path) && !path.endsWith('.d.ts'),
      ),
    ).toEqual([])
    expect(packed).not.toContain('dist/forgotten.js')
    for (const folder of ['python/monoceros', 'python/monoceros_pyodide']) {
      const modules = readdirSync(join(repository, folder)).filter((name) => name.endsWith('.py'))
      expect(packed).toEqual(expect.arrayContaining(modules.map((name) => `${folder}/${name}`)))
    }
  })

  test('the links of its documents lead somewhere: those of the README in the package itself', () => {
    const broken: string[] = []
    for (const page of packed.filter((path) => path.endsWith('.md'))) {
      const text = readFileSync(join(installed, page), 'utf8').replace(/```[\s\S]*?```/g, '')
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const path = target.replace(/#.*/, '')
        if (path === '' || /^[a-z]+:/.test(path)) continue
        const root = page === 'README.md' ? installed : repository
        if (!existsSync(join(root, page, '..', path))) broken.push(`${page} → ${target}`)
      }
    }
    expect(broken).toEqual([])
  })

  test('its programs are executable', () => {
    for (const path of [
      'node_modules/.bin/monoceros',
      'node_modules/monoceros/python/monoceros-worker',
    ]) {
      expect(statSync(join(project, path)).mode & 0o111, path).toBe(0o111)
    }
  })
})

describe('the installed package', () => {
  test('npx monoceros --version', async () => {
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
    const { stdout } = await run('npx', ['--no-install', 'monoceros', '--version'], {
      cwd: project,
    })
    expect(stdout).toBe(`monoceros ${version}\n`)
  })

  test.each([
    ['monoceros', publicNames],
    ['monoceros/fetch', fetchNames],
  ])('%s exports what is public, and no more', async (name, expected) => {
    const code = `import * as api from '${name}'; console.log(JSON.stringify(Object.keys(api)))`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], {
      cwd: project,
    })
    expect((JSON.parse(stdout) as string[]).sort()).toEqual([...expected].sort())
  })

  test('what is not exported cannot be imported', async () => {
    const inner = "await import('monoceros/dist/arbiter/arbiter.js')"
    await expect(
      run(process.execPath, ['--input-type=module', '-e', inner], { cwd: project }),
    ).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED')
  })

  test('its types stand by themselves in a strict program', async () => {
    writeFileSync(
      join(project, 'program.ts'),
      `import { compose, loadSettings, makeServer, pythonApp, requestId, SettingsError, serve, type Settings, testClient, toNodeHandler, version, type WSGIApplication } from 'monoceros'
       const app: WSGIApplication = (environ, startResponse) => {
         startResponse('200 OK', [['Content-Type', 'text/plain']])
         return [new TextEncoder().encode(environ.PATH_INFO)]
       }
       toNodeHandler(compose(requestId())(app))
       const text: string = await (await testClient(pythonApp('hello:app')).get('/')).text()
       await makeServer('', 0, app).shutdown()
       try {
         const { settings } = await loadSettings({ args: ['hello:app'] })
         const workers: number = settings.workers
         const status: number = await serve(settings, { readSettings: async (): Promise<Settings> => settings })
         // @ts-expect-error a setting's name with a slip of the pen
         settings.wrokers
         if (version === text || workers === status) throw version
       } catch (error) {
         if (error instanceof SettingsError && error.code === 'bad-value') throw error.message
       }`,
    )
    // Its adapters have Node's types in their declarations, as those of every framework for Node
    // have.
    const types = join(repository, 'node_modules', '@types')
    expect(await compile('program.ts', '--types', 'node', '--typeRoots', types)).toBe('')
  }, 120_000)

  test('the types of monoceros/fetch need none of Node’s', async () => {
    writeFileSync(
      join(project, 'worker.ts'),
      `import { fromFetchHandler, toFetchHandler, type WSGIApplication } from 'monoceros/fetch'
       const app: WSGIApplication = (environ, startResponse) => {
         startResponse('200 OK', [])
         return []
       }
       export const handler: (request: Request) => Promise<Response> = toFetchHandler(app)
       export const back: WSGIApplication = fromFetchHandler(handler)`,
    )
    expect(await compile('worker.ts', '--lib', 'es2023,dom,dom.iterable,dom.asynciterable')).toBe(
      '',
    )
  }, 120_000)
})

/**
 * What the compiler says of a file of the project; without skipLibCheck, and (TypeScript's default)
 * without types that nobody names.
 */
async function compile(file: string, ...more: string[]): Promise<string> {
  const options = [...'--noEmit --strict --target es2023 --module nodenext'.split(' '), ...more]
  const { stdout } = await run(process.execPath, [compilerPath, ...options, file], {
    cwd: project,
  }).catch((error: { stdout: string }) => error)
  return stdout
}

describe.skipIf(!hasPython())('from the installed package', () => {
  const env = (): NodeJS.ProcessEnv => ({
    ...process.env,
    VIRTUAL_ENV: testPython().prefix,
    NODE_ENV: undefined,
  })
  const shared = {
    findAddresses: (log: string) =>
      [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log: string) => /Listening at \S+.*\n/.test(log),
    isWorker: (commandLine: string) => commandLine.includes('monoceros-worker'),
  }

  test('the command serves an application', async () => {
    const server = await runServer({
      command: join(project, 'node_modules', '.bin', 'monoceros'),
      args: ['-b', '127.0.0.1:0', 'hello:app'],
      env: env(),
      cwd: project,
      ...shared,
    })
    expect(await (await fetch(server.url)).text()).toMatch(/^monoceros\/\d/)
    expect(server.workers()).toHaveLength(1)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  test('the command serves it on the Python that it brings along', async () => {
    const server = await runServer({
      command: join(project, 'node_modules', '.bin', 'monoceros'),
      args: ['--runtime', 'pyodide', '-b', '127.0.0.1:0', 'hello:app'],
      // No snapshot from before: all that it starts from is in the package.
      env: { ...env(), MONOCEROS_CACHE: join(work.path, 'cache') },
      cwd: project,
      ...shared,
    })
    expect(await (await fetch(server.url)).text()).toMatch(/^monoceros\/\d/)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  test('a program of its own serves an application through the API', async () => {
    writeFileSync(
      join(project, 'serve.js'),
      `import { loadSettings, serve } from 'monoceros'
       const { settings } = await loadSettings({ args: process.argv.slice(2) })
       process.exit(await serve(settings))\n`,
    )
    const server = await runServer({
      command: process.execPath,
      args: ['serve.js', '-b', '127.0.0.1:0', 'hello:app'],
      env: env(),
      cwd: project,
      ...shared,
    })
    expect((await fetch(server.url)).status).toBe(200)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  test('the API refuses settings that name no application', async () => {
    const code =
      "import { loadSettings, serve } from 'monoceros'; await serve((await " +
      'loadSettings()).settings)'
    const { stderr } = await runToEnd(process.execPath, ['--input-type=module', '-e', code], {
      env: env(),
      cwd: project,
    })
    expect(stderr).toContain("code: 'no-application'")
  })
})
