import { describe, expect, test } from 'vitest'
import { coded } from '../messages/coded.ts'
import type { PythonCommand } from '../process/python-command.ts'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import { namesApplication } from './application-named.ts'
import { type CommandContext, runCommand } from './command.ts'

async function run(
  args: string[],
  serve: CommandContext['serve'] = async () => 0,
  checkApplication: CommandContext['checkApplication'] = async () => null,
  pythonCommand: PythonCommand | null = null,
) {
  const result = { code: -1, out: '', err: '', served: [] as Settings[] }
  result.code = await runCommand(args, {
    env: {},
    cwd: import.meta.dirname,
    pythonCommand,
    stdout: { write: (text) => (result.out += text) },
    stderr: { write: (text) => (result.err += text) },
    checkApplication,
    serve: (loaded, read) => {
      result.served.push(loaded.settings)
      return serve(loaded, read)
    },
  })
  return result
}

test('the application is served with the settings, and its exit code is ours', async () => {
  const { code, served, err } = await run(['-w', '2', 'site:app'], async () => 3)
  expect(code).toBe(3)
  expect(served).toHaveLength(1)
  expect(served[0]).toMatchObject({ workers: 2, wsgiApp: 'site:app' })
  expect(err).toBe('')
})

test('a reload sees the settings as they are then', async () => {
  const { code } = await run(['-w', '2', 'site:app'], async (loaded, read) => {
    expect(await read()).toEqual(loaded)
    return 0
  })
  expect(code).toBe(0)
})

test('--help and --version print to standard output and serve nothing', async () => {
  const help = await run(['--help', 'site:app'])
  expect(help).toMatchObject({ code: 0, err: '', served: [] })
  expect(help.out).toContain('Usage: monoceros [options] APP')
  expect(await run(['-v'])).toMatchObject({
    code: 0,
    out: `monoceros ${version}\n`,
    err: '',
    served: [],
  })
})

test('no application is a usage error with the usage line', async () => {
  const { code, err, served } = await run(['-w', '2'])
  expect(code).toBe(2)
  expect(served).toEqual([])
  expect(err).toMatch(/^monoceros: No application given.*\nUsage: monoceros \[options\] APP\n/)
})

test('a mistake is one line on standard error and exit code 2', async () => {
  const { code, out, err } = await run(['--wrokers', '2', 'a'])
  expect({ code, out, err }).toEqual({
    code: 2,
    out: '',
    err: 'monoceros: Unknown option "--wrokers" (did you mean --workers?) [MONO1001]\n',
  })
})

test('notes appear before serving', async () => {
  const { err, served } = await run(['--no-sendfile', 'a'])
  expect(served).toHaveLength(1)
  expect(err).toMatch(/^monoceros: note: --no-sendfile is not needed: .*\n$/)
})

test('--print-config prints JSON, --check-config a line', async () => {
  const printed = await run(['--print-config', '-w', '3'])
  expect(printed).toMatchObject({ code: 0, served: [] })
  expect(JSON.parse(printed.out)).toMatchObject({ workers: 3, bind: ['127.0.0.1:8000'] })
  expect(await run(['--check-config'])).toMatchObject({
    code: 0,
    out: 'Configuration is valid; it names no application\n',
    served: [],
  })
  expect((await run(['--check-config', '-w', 'x'])).code).toBe(2)
})

test('--check-config loads the application', async () => {
  const checked: string[] = []
  const check = async ({ wsgiApp }: Settings) => {
    checked.push(wsgiApp)
    return wsgiApp === 'broken' ? { message: coded('MONO2003', 'Traceback'), status: 3 } : null
  }
  expect(await run(['--check-config', 'site'], undefined, check)).toMatchObject({
    code: 0,
    out: 'Configuration is valid, and site can be loaded\n',
    served: [],
  })
  expect(await run(['--check-config', 'broken'], undefined, check)).toMatchObject({
    code: 3,
    err: 'monoceros: Traceback [MONO2003]\n',
    served: [],
  })
  expect(checked).toEqual(['site', 'broken'])
})

test('an error with a code is told without a stack, a bug with its stack', async () => {
  const known = Object.assign(new Error('Cannot open log file "x"'), { code: 'log-file' })
  expect(await run(['a'], () => Promise.reject(known))).toMatchObject({
    code: 1,
    err: 'monoceros: Cannot open log file "x" [MONO1013]\n',
  })
  const bug = await run(['a'], () => Promise.reject(new TypeError('oops')))
  expect(bug.code).toBe(1)
  expect(bug.err).toContain('TypeError: oops [MONO5902]\n    at ')
})

test('npm start adds the example only when nothing else is asked for', async () => {
  const names = (...args: string[]) => namesApplication({ args, env: {}, cwd: import.meta.dirname })
  expect(await names()).toBe(false)
  expect(await names('-w', '2', '--bind', ':0')).toBe(false)
  expect(await names('site:app', '-w', '2')).toBe(true)
  expect(await names('--help')).toBe(true)
  expect(await names('--frobnicate')).toBe(true)
})

describe('the command of the Python package', () => {
  const runFromPython = async (args: string[], settings: PythonCommand['settings'] = {}) =>
    await run(args, undefined, undefined, {
      executable: '/venv/bin/python',
      settings,
      channel: null,
    })

  test('runs applications on the interpreter that the package is installed for', async () => {
    const { served } = await runFromPython(['site:app'])
    expect(served[0]).toMatchObject({ python: '/venv/bin/python' })
  })

  test('--python names another one', async () => {
    const { served } = await runFromPython(['--python', 'python3.13', 'site:app'])
    expect(served[0]).toMatchObject({ python: 'python3.13' })
  })

  test('the arguments of monoceros.run count before the command line', async () => {
    const { served } = await runFromPython(['-w', '2'], { workers: 3, wsgi_app: 'site:app' })
    expect(served[0]).toMatchObject({ workers: 3, wsgiApp: 'site:app' })
  })

  test.each([
    [{ workers: 'x' }, 'monoceros.run: workers: expected a whole number'],
    [{ wrokers: 2 }, 'monoceros.run: unknown setting "wrokers" (did you mean workers?)'],
  ])('%j is refused with the name of the function', async (settings, message) => {
    const { code, err } = await runFromPython(['site:app'], settings)
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  test.each([
    [['--runtime', 'pyodide', 'site:app'], 'MONO1045'],
    [['python', 'manage.py'], 'MONO1008'],
    [['install', 'flask'], 'MONO1008'],
  ])('%j needs the embedded Python, which is not there', async (args, shown) => {
    const { code, err, served } = await runFromPython(args)
    expect({ code, served }).toEqual({ code: 2, served: [] })
    expect(err).toMatch(/^monoceros: .*embedded Python.*not part of this package.* \[MONO\d+\]\n$/)
    expect(err).toContain(`[${shown}]`)
    expect(err).toContain('/venv/bin/python')
  })

  test('its help does not name commands that need it', async () => {
    const { out } = await runFromPython(['--help'])
    expect(out).toContain('Usage: monoceros [options] APP')
    expect(out).not.toContain('monoceros install')
  })
})
