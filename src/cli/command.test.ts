import { expect, test } from 'vitest'
import type { Settings } from '../settings/table.ts'
import { version } from '../settings/version.ts'
import { namesApplication } from './application-named.ts'
import { type CommandContext, runCommand } from './command.ts'

async function run(
  args: string[],
  serve: CommandContext['serve'] = async () => 0,
  checkApplication: CommandContext['checkApplication'] = async () => null,
) {
  const result = { code: -1, out: '', err: '', served: [] as Settings[] }
  result.code = await runCommand(args, {
    env: {},
    cwd: import.meta.dirname,
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
    err: 'monoceros: Unknown option "--wrokers" (did you mean --workers?)\n',
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
    return wsgiApp === 'broken' ? { message: 'Traceback', status: 3 } : null
  }
  expect(await run(['--check-config', 'site'], undefined, check)).toMatchObject({
    code: 0,
    out: 'Configuration is valid, and site can be loaded\n',
    served: [],
  })
  expect(await run(['--check-config', 'broken'], undefined, check)).toMatchObject({
    code: 3,
    err: 'monoceros: Traceback\n',
    served: [],
  })
  expect(checked).toEqual(['site', 'broken'])
})

test('an error with a code is told without a stack, a bug with its stack', async () => {
  const known = Object.assign(new Error('Cannot open log file "x"'), { code: 'log-file' })
  expect(await run(['a'], () => Promise.reject(known))).toMatchObject({
    code: 1,
    err: 'monoceros: Cannot open log file "x"\n',
  })
  const bug = await run(['a'], () => Promise.reject(new TypeError('oops')))
  expect(bug.code).toBe(1)
  expect(bug.err).toContain('TypeError: oops\n    at ')
})

test('npm start adds the example only when nothing else is asked for', async () => {
  const names = (...args: string[]) => namesApplication({ args, env: {}, cwd: import.meta.dirname })
  expect(await names()).toBe(false)
  expect(await names('-w', '2', '--bind', ':0')).toBe(false)
  expect(await names('site:app', '-w', '2')).toBe(true)
  expect(await names('--help')).toBe(true)
  expect(await names('--frobnicate')).toBe(true)
})
