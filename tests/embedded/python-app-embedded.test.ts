import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PythonApplication } from '../../src/python-app/python-app.ts'
import type { PythonLogEntry } from '../../src/python-app/python-log.ts'
import type { PythonAppOptions } from '../../src/python-app/python-options.ts'
import { appsDirectory, patternedBytes, temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { callForAnswer } from '../support/call-application.ts'
import { waitFor } from '../support/wait-for.ts'

const APPLICATION = `
import json, os, sys

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/values":
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps([environ[key] for key in ("x.text", "x.list", "x.none", "x.number")]).encode()]
    if path == "/body":
        size = 0
        while piece := environ["wsgi.input"].read(65536):
            size += len(piece)
        start_response("200 OK", [])
        return [str(size).encode()]
    if path == "/raise":
        raise LookupError("not to be found")
    if path == "/write":
        with open(os.path.join(os.path.dirname(__file__), "written"), "a") as out:
            out.write("x")
    if path == "/loop":
        while True:
            pass
    print("said by", path)
    start_response("200 OK", [("X-Platform", sys.platform), ("X-Alone", str(not environ["wsgi.multiprocess"]))])
    return [GREETING]

GREETING = b"first"
`

// The worker threads run compiled code, so these tests do as well.
const compiled = (path: string) => pathToFileURL(join(repository, 'dist', path)).href

describe('a Python application on the embedded Python, as a value', () => {
  const home = temporaryDirectory()
  const entries: PythonLogEntry[] = []
  let make: (application: string, options?: PythonAppOptions) => PythonApplication
  let app: PythonApplication

  beforeAll(async () => {
    writeFileSync(join(home.path, 'embedded_app.py'), APPLICATION)
    const { pythonApp } = (await import(
      compiled('python-app/python-app.js')
    )) as typeof import('../../src/python-app/python-app.ts')
    make = (application, options) =>
      pythonApp(application, {
        runtime: 'pyodide',
        chdir: home.path,
        env: { PYTHONDONTWRITEBYTECODE: '1' },
        log: (entry) => entries.push(entry),
        ...options,
      })
    app = make('embedded_app', { timeout: 2 })
    await app.ready()
  })

  afterAll(async () => {
    await app?.close()
    home.remove()
  })

  test('answers from WebAssembly', async () => {
    const answer = await callForAnswer(app, { target: '/' })
    expect([answer.status, answer.body, answer.header('X-Platform')]).toEqual([
      '200 OK',
      'first',
      'emscripten',
    ])
    expect(answer.header('X-Alone')).toBe('True')
    await waitFor('what it printed', () => entries.some(({ text }) => text === 'said by /'))
  })

  test('has what middleware has put into the environ', async () => {
    const environ = { 'x.text': 'café', 'x.list': [1, 'zwei'], 'x.none': null, 'x.number': 2.5 }
    const answer = await callForAnswer(app, { target: '/values', environ })
    expect(JSON.parse(answer.body)).toEqual(['café', [1, 'zwei'], null, 2.5])
  })

  test.each([
    ['in memory', 100_000],
    ['in a file that the interpreter does not see', 5_000_000],
  ])('reads a request body that is %s', async (_where, size) => {
    const answer = await callForAnswer(app, { target: '/body', body: patternedBytes(size) })
    expect(answer.body).toBe(String(size))
  })

  test('throws what Python raised, with the traceback', async () => {
    const { error } = await callForAnswer(app, { target: '/raise' })
    expect(error).toMatchObject({ code: 'python-error' })
    expect((error as { traceback: string }).traceback).toMatch(
      /embedded_app\.py", line 16, in application[\s\S]*LookupError: not to be found/,
    )
  })

  test('writes files where it is', async () => {
    await callForAnswer(app, { target: '/write' })
    expect(readFileSync(join(home.path, 'written'), 'utf8')).toBe('x')
  })

  test('that takes too long is interrupted, an error 504, and answers the next request', async () => {
    const { error } = await callForAnswer(app, { target: '/loop' })
    expect(error).toMatchObject({ status: 504 })
    expect((await callForAnswer(app, { target: '/' })).body).toBe('first')
  })

  test('is loaded anew by reload()', async () => {
    const changing = make('changing')
    const file = join(home.path, 'changing.py')
    writeFileSync(file, APPLICATION)
    try {
      expect((await callForAnswer(changing, { target: '/' })).body).toBe('first')
      writeFileSync(file, APPLICATION.replace('b"first"', 'b"second"'))
      await changing.reload()
      expect((await callForAnswer(changing, { target: '/' })).body).toBe('second')
    } finally {
      await changing.close()
    }
  })

  test('that cannot be loaded fails with the traceback', async () => {
    writeFileSync(join(home.path, 'broken_app.py'), 'import nowhere_to_be_found\n')
    const broken = make('broken_app')
    await expect(broken.ready()).rejects.toMatchObject({
      code: 'python-load',
      message: expect.stringMatching(
        /: ModuleNotFoundError: No module named 'nowhere_to_be_found'$/,
      ),
      traceback: expect.stringMatching(
        /monoceros install nowhere-to-be-found \[MONO2003\]\n[\s\S]*broken_app\.py", line 1/,
      ),
    })
    await broken.close()
  })

  test('keeps no process alive, and needs no Python on PATH', async () => {
    const script = join(home.path, 'script.mjs')
    writeFileSync(
      script,
      `import { pythonApp } from '${compiled('index.js')}'
       import { testClient } from '${compiled('testing.js')}'
const app = pythonApp('plain:app', { chdir: '${appsDirectory}', env: { TEST_DATA: '${home.path}' } })
const answer = await testClient(app).get('/')
console.log(answer.status)
`,
    )
    const child = spawn(process.execPath, [script], { env: { PATH: '/nowhere', HOME: home.path } })
    // Standard error says on a busy machine that the application is still being loaded.
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].on('data', (chunk) => (output[name] += chunk))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect({ code, ...output }).toEqual({
      code: 0,
      stdout: '200\n',
      stderr: expect.stringMatching(/^(\S.* \[WARNING\] Worker 1 is still loading .*\n)*$/),
    })
    expect(existsSync(script)).toBe(true)
  })
})
