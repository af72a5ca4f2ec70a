import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { runToEnd } from '../support/running-server.ts'

// Where the embedded Python finds packages, and what it says of those that it cannot run.

const place = temporaryDirectory()
afterAll(place.remove)
const site = join(place.path, 'site')
const virtual = '.venv/lib/python3.11/site-packages'
/** The beginning of a shared library for Linux on x86_64. */
const elf = Buffer.from(`7f454c46020101${'00'.repeat(9)}03003e0001000000`, 'hex')

const files: Record<string, string | Buffer> = {
  // One module in three places.
  'python_modules/which.py': 'FROM = "python_modules"\n',
  [`${virtual}/which.py`]: 'FROM = ".venv"\n',
  'python_modules/first.py': 'FROM = "python_modules"\n',
  'lib/first.py': 'FROM = "pythonpath"\n',
  // Pure Python that another interpreter installed, with a part in C that it can do without.
  [`${virtual}/softly/__init__.py`]:
    'try:\n    from ._speedups import escape\nexcept ImportError:\n    escape = "in Python"\n',
  [`${virtual}/softly/_speedups.cpython-311-x86_64-linux-gnu.so`]: elf,
  // What cannot do without.
  [`${virtual}/numpyish/__init__.py`]: 'from numpyish import _core\n',
  [`${virtual}/numpyish/_core.cpython-311-x86_64-linux-gnu.so`]: elf,
  [`${virtual}/Numpyish-1.26.4.dist-info/METADATA`]: 'Name: Numpyish\nVersion: 1.26.4\n',
  // A name that is not the distribution's, and no platform in it.
  [`${virtual}/fastlib.abi3.so`]: elf,
  [`${virtual}/fast_things-2.0.dist-info/RECORD`]: 'fastlib.abi3.so,sha256=x,24\n',
  'python_modules/loose.pyd': Buffer.from('MZ'),
  // An editable installation, whose sources are elsewhere.
  [`${virtual}/editable.pth`]: `${join(place.path, 'elsewhere')}\n`,
  'uses_numpyish.py':
    'import numpyish\n\n\ndef app(environ, start_response):\n    raise NotImplementedError\n',
}

beforeAll(() => {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(site, name)), { recursive: true })
    writeFileSync(join(site, name), content)
  }
  mkdirSync(join(place.path, 'elsewhere'))
})

/** Runs the command where nothing beside the site is seen, and no other Python is found. */
function monoceros(...args: string[]) {
  const { MONOCEROS_CACHE } = process.env
  mkdirSync(join(place.path, 'temporary'), { recursive: true })
  return runToEnd(process.execPath, [commandPath, ...args], {
    env: { PATH: '/nowhere', TMPDIR: join(place.path, 'temporary'), MONOCEROS_CACHE },
    cwd: site,
    timeout: 60_000,
  })
}

describe('packages of the embedded Python', () => {
  let found: Record<string, string>

  beforeAll(async () => {
    const program = `
import importlib, importlib.util, json, sys
from monoceros_pyodide import packages

def try_import(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        return f"{type(error).__name__}: {error} {packages.advice(error)}".strip()
    return getattr(module, "FROM", getattr(module, "escape", "imported"))

answer = {name: try_import(name) for name in ("which", "first", "softly", "numpyish", "fastlib", "loose", "PIL", "yaml", "cgi", "curses")}
answer["looked for"] = str(importlib.util.find_spec("fastlib") is not None)
print(json.dumps(answer))
`
    const { code, stdout, stderr } = await monoceros('python', '--pythonpath', 'lib', '-c', program)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    found = JSON.parse(stdout) as Record<string, string>
  })

  test('are found in pythonpath, python_modules and .venv, in that order', () => {
    expect(found).toMatchObject({ first: 'pythonpath', which: 'python_modules' })
  })

  test('of another Python run where they are pure, or can do without what is compiled', () => {
    expect(found.softly).toBe('in Python')
  })

  test.each([
    [
      'numpyish',
      /Numpyish 1\.26\.4 in \S+\/\.venv is compiled for Python 3\.11 on x86_64-linux-gnu /,
    ],
    ['fastlib', /fast_things 2\.0 in \S+\/\.venv is compiled for x86_64-linux /],
    ['loose', /loose\.pyd in \S+\/python_modules is compiled for Windows /],
  ])(
    'that are compiled for something else say whose they are, for what, and what to do: %s',
    (name, what) => {
      expect(found[name]).toMatch(/^ImportError: /)
      expect(found[name]).toMatch(what)
      expect(found[name]).toMatch(
        /cannot run on the embedded Python.* install a Python and serve with it \(--runtime cpython\)$/,
      )
    },
  )

  test('that are compiled can be looked for without an error', () => {
    expect(found['looked for']).toBe('True')
  })

  test.each([
    ['PIL', /monoceros install pillow/i],
    [
      'yaml',
      /monoceros install PyYAML; if it is in \S+\/elsewhere, which \S+editable\.pth names .*--mount \S+\/elsewhere$/,
    ],
    ['cgi', /has no 'cgi' any more.*monoceros install legacy-cgi$/],
    ['curses', /'curses' is in the standard library, but not in that of the embedded Python/],
  ])('that are not there say where to get them: %s', (name, what) => {
    expect(found[name]).toMatch(/^ModuleNotFoundError: No module named/)
    expect(found[name]).toMatch(what)
  })

  test('keep an application from being served, with the traceback', async () => {
    const { code, stderr } = await monoceros('--bind', '127.0.0.1:0', 'uses_numpyish:app')
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /uses_numpyish\.py", line 1, in <module>[\s\S]*\nImportError: Numpyish 1\.26\.4 .* is compiled for/,
    )
  })
})
