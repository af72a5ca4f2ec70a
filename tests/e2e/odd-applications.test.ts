import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { oddDirectory, refusal, testOddApplications, write } from '../support/odd-applications.ts'
import { hasPython, testPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'

describe.skipIf(!hasPython())('objects that raise when they are looked at', () => {
  test('a Flask application under another name is named, and nothing of ours is shown', async () => {
    for (const reference of ['fl', 'fl:app']) {
      const text = await refusal([reference])
      expect(text).toContain('callable there: server')
      expect(text).not.toMatch(/Traceback|RuntimeError|request/)
    }
  })

  test('are no candidates for an application', async () => {
    const text = await refusal(['--runtime', 'cpython', 'shy:app'])
    expect(text).toContain("module 'shy' has no attribute 'app'; callable there: server")
    expect(text).not.toContain('Traceback')
  })

  test('a module that is missing is said to be by which interpreter, and how to choose another', async () => {
    const executable = join(testPython().prefix, 'bin', 'python')
    for (const reference of ['no_such_module_anywhere:app', 'lacking:app']) {
      const text = await refusal([reference])
      expect(text).toContain(`${executable} (Python `)
      expect(text).toContain('--python PATH')
      expect(text).toContain('activated virtual environment')
    }
  })
})

describe('objects that throw when they are looked at', () => {
  test.each([
    [
      './shy.ts:proxy',
      /an export of its module raised when it was read \[MONO2012\]\n.*do not look/,
    ],
    [
      './shy.ts:callable',
      /an export of its module raised when it was read \[MONO2012\]\n.*do not look/,
    ],
    ['./shy.ts:other', /exports no other/],
    [
      './throws-null.mjs:app',
      /its module raised \[MONO2012\]\nSomething that is not an Error was thrown: null/,
    ],
    [
      './throws-proxy.mjs:app',
      /its module raised \[MONO2012\]\nError: do not look\n +at .*throws-proxy.mjs:1:30\)\n$/,
    ],
  ])('%s', async (reference, expected) => {
    expect(await refusal([reference])).toMatch(expected)
  })
})

testOddApplications([
  ...(hasPython() ? [['cpython', 'lenient:app'] as const] : []),
  ['node', './lenient.ts:app'],
])

describe.skipIf(!hasPython())('files whose size their system does not know', () => {
  beforeAll(() => {
    write(
      'files.py',
      `import os

def app(environ, start_response):
    path = environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "fifo":
        reader, writer = os.pipe()
        os.write(writer, b"from a pipe")
        os.close(writer)
        return environ["wsgi.file_wrapper"](os.fdopen(reader, "rb"))
    return environ["wsgi.file_wrapper"](open(path, "rb"))
`,
    )
  })

  test('are sent whole by wsgi.file_wrapper', async () => {
    const server = await startServer({
      app: 'files:app',
      args: ['--workers', '1'],
      cwd: oddDirectory,
    })
    const paths = [
      '/proc/version',
      '/proc/filesystems',
      '/sys/kernel/mm/transparent_hugepage/enabled',
      '/dev/null',
    ]
    for (const path of paths.filter((each) => existsSync(each))) {
      for (let i = 0; i < 2; i++)
        expect(await (await fetch(`${server.url}/?${path}`)).text(), path).toBe(
          readFileSync(path, 'utf8'),
        )
    }
    expect(await (await fetch(`${server.url}/?fifo`)).text()).toBe('from a pipe')
    // Longer than one block, and than the pieces that are sent at once.
    const kallsyms = await (await fetch(`${server.url}/?/proc/kallsyms`)).text()
    expect(kallsyms.length).toBeGreaterThan(100_000)
    expect(kallsyms.endsWith('\n')).toBe(true)
    expect(server.log()).not.toMatch(/ERROR/)
  })
})
