import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { compilerPath } from '../support/compiler.ts'
import { type PackedPackage, packed } from '../support/packed.ts'
import { withoutBlocks } from '../support/page-blocks.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runServer, runToEnd } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// The packages as somebody installs them: bundled and packed, installed from the tarballs, run from
// there.

const run = promisify(execFile)

const publicNames = `
  BodyTooLargeError ClientGoneError ConsumedBodyError FileWrapper Headers InputError PythonBrokenError PythonError
  PythonLoadError PythonOptionError PythonUnavailableError ResponseTimeoutError SettingsError
  ViolationError WSGIError WSGIServer abortSignal applicationUri bodyLimit compose
  compress conditional consoleErrors cors decodeText defineConfig demoApp dispatcher encodeText errorHandler escapeLogText
  errorStream fromFetchHandler fromNodeHandler guessScheme isApplication isHopByHop loadSettings
  logger makeEnviron makeServer mapBody methods profiler proxyFix pythonApp readChunks requestId
  requestUri serve setupTestingDefaults shiftPathInfo staticFiles timeout toFastifyPlugin
  toFetchHandler toFunction toKoaMiddleware toNodeHandler transformBody validator version
`
  .trim()
  .split(/\s+/)
const fetchNames = `
  BodyTooLargeError ClientGoneError ConsumedBodyError Headers InputError ResponseTimeoutError
  ViolationError WSGIError abortSignal applicationUri bodyLimit compose cors decodeText demoApp
  dispatcher encodeText errorStream escapeLogText fromFetchHandler isApplication logger methods
  profiler proxyFix readChunks requestId requestUri shiftPathInfo timeout toFetchHandler toFunction
  validator
`
  .trim()
  .split(/\s+/)

const testingNames = ['TestClientError', 'testClient']

const work = temporaryDirectory()
const project = join(work.path, 'project')
const installed = join(project, 'node_modules', 'monoceros')
let core: PackedPackage
let embedded: PackedPackage
/** The files of the installed package. */
let files: string[] = []

beforeAll(async () => {
  const packages = await packed()
  core = packages.monoceros
  embedded = packages['monoceros-pyodide']
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
  await install(project, core.tarball, embedded.tarball)
  files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(installed, path)).isFile(),
  )
})

afterAll(() => work.remove())

/** Installs tarballs, and what they need, into a folder. */
async function install(cwd: string, ...tarballs: string[]): Promise<string> {
  const options = ['--prefer-offline', '--no-audit', '--no-fund']
  const { stderr } = await run('npm', ['install', ...options, ...tarballs], { cwd })
  return stderr
}

describe('the tarball', () => {
  test('holds the bundled server, its types, the Python side, and nothing else', () => {
    const folders = new Set(files.map((path) => path.split('/').slice(0, 2).join('/')))
    expect([...folders].filter((folder) => !folder.startsWith('dist/')).sort()).toEqual([
      'LICENSE',
      'README.md',
      'THIRD-PARTY-LICENSES.txt',
      'package.json',
      'python/monoceros',
      'python/monoceros-bind',
      'python/monoceros-config',
      'python/monoceros-init',
      'python/monoceros-notify',
      'python/monoceros-relay',
      'python/monoceros-worker',
    ])
    expect(files).toEqual(
      expect.arrayContaining(['dist/cli/main.js', 'dist/acceptor/process.js', 'dist/index.d.ts']),
    )
    expect(
      files.filter(
        (path) =>
          /\.test\.|\/tests?\/|__pycache__|\.map$|\.ts$/.test(path) && !path.endsWith('.d.ts'),
      ),
    ).toEqual([])
    // What only the embedded Python runs is in its package, which has the others as well.
    const inEmbedded = join(installed, '..', 'monoceros-pyodide')
    for (const folder of ['python/monoceros', 'python/monoceros_pyodide']) {
      const modules = readdirSync(join(repository, folder)).filter((name) => name.endsWith('.py'))
      // The wheel has what makes a Python package of the server.
      const native =
        folder === 'python/monoceros' ? /^(?!embedded|(?:__main__|command|program)\.py$)/ : /^$/
      expect(files.filter((path) => path.startsWith(`${folder}/`) && path.endsWith('.py'))).toEqual(
        modules.filter((name) => native.test(name)).map((name) => `${folder}/${name}`),
      )
      for (const name of modules) expect(existsSync(join(inEmbedded, folder, name))).toBe(true)
    }
  })

  test('is made once, for all processes that test this build', async () => {
    const { mtimeMs } = statSync(core.tarball)
    vi.resetModules()
    const { packed: inAnotherProcess } = await import('../support/packed.ts')
    expect((await inAnotherProcess()).monoceros).toEqual(core)
    expect(statSync(core.tarball).mtimeMs).toBe(mtimeMs)
  })

  test('is made by npm run pack alone: npm pack in the root is refused', async () => {
    // npm runs `prepack` before a script named `pack`, too.
    await run('npm', ['run', 'prepack'], { cwd: repository })
    await expect(run('npm', ['pack', '--dry-run'], { cwd: repository })).rejects.toMatchObject({
      stderr: expect.stringContaining('This is not what is published: use npm run pack\n'),
    })
  })

  test('names no file that is not in it: no source map, no declaration', () => {
    for (const path of files.filter((name) => /\.(js|ts)$/.test(name))) {
      const text = readFileSync(join(installed, path), 'utf8')
      expect(text, path).not.toContain('sourceMappingURL')
      if (!path.endsWith('.d.ts')) continue
      for (const [, target = ''] of text.matchAll(/^(?! *\*).* from '(\.[^']*)'/gm)) {
        const declaration = join(installed, path, '..', target.replace(/\.[jt]s$/, '.d.ts'))
        expect(existsSync(declaration), `${path}: ${target}`).toBe(true)
      }
    }
  })

  test('has no script that npm would run or warn of', () => {
    expect(JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')).scripts).toBe(
      undefined,
    )
  })

  test('names the licence of everything that is bundled', () => {
    const text = readFileSync(join(installed, 'THIRD-PARTY-LICENSES.txt'), 'utf8')
    for (const name of ['lru-cache', 'mime-db', 'tough-cookie', 'selfsigned', '@peculiar/x509'])
      expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
  })

  test('the one of the embedded Python holds its code, standard library and Python side', () => {
    expect(readdirSync(join(project, 'node_modules', 'monoceros-pyodide')).sort()).toEqual([
      'LICENSE',
      'LICENSE-PYTHON.txt',
      'README.md',
      'embedded.js',
      'package.json',
      'python',
      'python_stdlib.zip',
    ])
  })

  test('has the same bytes wherever it is made, for everybody to read', async () => {
    const folder = join(project, 'again')
    const program = join(repository, 'scripts', 'pack.mjs')
    // Of a user who hides files from others.
    const again = ['-c', 'umask 077 && exec "$@"', 'sh', process.execPath, program, '--to', folder]
    const { stdout } = await run('sh', again, { cwd: repository })
    const sum = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
    const made = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).tarball as string)
    expect(made.map(sum)).toEqual([core.tarball, embedded.tarball].map(sum))
    const { stdout: listed } = await run('tar', ['-tvzf', made[0]!])
    expect(
      [
        ...new Set(
          listed
            .trim()
            .split('\n')
            .map((line) => line.slice(0, 10)),
        ),
      ].sort(),
    ).toEqual(['-rw-r--r--', '-rwxr-xr-x'])
  })

  test('names no path of the machine where it was made', () => {
    const texts = files.map((path) => [path, readFileSync(join(installed, path), 'utf8')] as const)
    const made = [repository, homedir()].filter((path) => path.length > 4)
    for (const [path, text] of texts)
      for (const folder of made)
        expect(text.includes(`${folder}/`), `${path}: ${folder}`).toBe(false)
  })

  test('the links of its documents lead to files of the package', () => {
    const broken: string[] = []
    for (const page of files.filter((path) => path.endsWith('.md'))) {
      const text = withoutBlocks(readFileSync(join(installed, page), 'utf8'))
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        const path = target.replace(/#.*/, '')
        if (path === '' || /^[a-z]+:/.test(path)) continue
        if (!existsSync(join(installed, page, '..', path))) broken.push(`${page} → ${target}`)
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
    ['monoceros/testing', testingNames],
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
      `import { compose, loadSettings, makeServer, pythonApp, requestId, SettingsError, serve, type Settings, toNodeHandler, version, type WSGIApplication } from 'monoceros'
       import { testClient } from 'monoceros/testing'
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
  })

  test('the types of monoceros/fetch need none of Node’s', async () => {
    writeFileSync(
      join(project, 'worker.ts'),
      `import { compose, cors, fromFetchHandler, logger, profiler, timeout, toFetchHandler, type WSGIApplication } from 'monoceros/fetch'
       const app: WSGIApplication = (environ, startResponse) => {
         startResponse('200 OK', [])
         return []
       }
       const wrapped = compose(cors(), logger(), profiler(), timeout({ seconds: 1 }))(app)
       export const handler: (request: Request) => Promise<Response> = toFetchHandler(wrapped)
       export const back: WSGIApplication = fromFetchHandler(handler)`,
    )
    expect(await compile('worker.ts', '--lib', 'es2023,dom,dom.iterable,dom.asynciterable')).toBe(
      '',
    )
  })
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
    const command = join(project, 'node_modules', '.bin', 'monoceros')
    const args = ['ctl', '--pid', String(server.pid), 'status']
    const status = await runToEnd(command, args, { env: env(), cwd: project })
    expect(status).toMatchObject({ code: 0, stderr: '' })
    expect(status.stdout).toMatch(/^hello:app is serving /)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  test('the log has the stack of an application in JavaScript, and none of its own', async () => {
    writeFileSync(
      join(project, 'broken.js'),
      'export const app = (environ) => {\n' +
        "  throw new Error('no luck with ' + environ.PATH_INFO)\n}\n",
    )
    const server = await runServer({
      command: join(project, 'node_modules', '.bin', 'monoceros'),
      args: ['-b', '127.0.0.1:0', './broken.js:app'],
      env: env(),
      cwd: project,
      ...shared,
    })
    expect((await fetch(`${server.url}/shop`)).status).toBe(500)
    await waitFor('the error to be logged', () => /no luck/.test(server.log()))
    expect(server.log()).toMatch(/Error: no luck with \/shop\n +at app \(.*broken\.js:2:9\)\n/)
    expect(server.log()).not.toContain('/dist/parts/')
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
