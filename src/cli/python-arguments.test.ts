import { expect, test } from 'vitest'
import { SettingsError } from '../settings/settings-error.ts'
import { PYTHON_HELP, parsePythonArguments } from './python-arguments.ts'

const parse = (...args: string[]) => parsePythonArguments(args)

function errorOf(...args: string[]): string {
  try {
    parse(...args)
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError)
    return (error as SettingsError).message
  }
  throw new Error('no error')
}

test('what follows the script is the script’s, whatever it looks like', () => {
  expect(parse('manage.py', 'migrate', '--mount', '-V')).toMatchObject({
    program: { kind: 'script', name: 'manage.py' },
    args: ['migrate', '--mount', '-V'],
    own: [],
  })
})

test('code and modules end the options too, and may be joined to their letter', () => {
  expect(parse('-c', 'print(1)', '-u')).toMatchObject({
    program: { kind: 'code', name: 'print(1)' },
    args: ['-u'],
    flags: { unbuffered: false },
  })
  expect(parse('-mjson.tool', 'x')).toMatchObject({
    program: { kind: 'module', name: 'json.tool' },
    args: ['x'],
  })
  expect(parse('-Buc', '1')).toMatchObject({
    program: { kind: 'code', name: '1' },
    flags: { unbuffered: true, noByteCode: true },
  })
})

test('without a program it is standard input', () => {
  expect(parse()).toMatchObject({ program: { kind: 'input', name: '' }, args: [] })
  expect(parse('-', 'a')).toMatchObject({ program: { kind: 'input', name: '-' }, args: ['a'] })
})

test('options of ours come before the program and keep their values', () => {
  expect(parse('--mount', '/srv:ro', '-e', 'A=b', '--pythonpath=-x', '-i', 'x.py').own).toEqual([
    '--mount=/srv:ro',
    '--env=A=b',
    '--pythonpath=-x',
  ])
})

test('-I is -E and -P', () => {
  expect(parse('-I', 'x')).toMatchObject({ isolated: true, flags: { safePath: true } })
  expect(parse('-E', 'x')).toMatchObject({ isolated: true, flags: { safePath: false } })
})

test('filters and options with a value are kept in order', () => {
  expect(parse('-Werror', '-W', 'ignore', '-Xdev', 'x').flags).toMatchObject({
    warnings: ['error', 'ignore'],
    options: ['dev'],
  })
})

test('help and version win over whatever follows', () => {
  for (const flag of ['-h', '-?', '--help', '-uh'])
    expect(parse(flag, '--nonsense').program.kind).toBe('help')
  for (const flag of ['-V', '--version', '-uV'])
    expect(parse(flag, '--nonsense').program.kind).toBe('version')
})

test('mistakes say which option it was', () => {
  expect(errorOf('--mounts', 'x')).toMatch(
    /^python: Unknown option "--mounts" \(did you mean --mount\?\)/,
  )
  expect(errorOf('-Z')).toMatch(/^python: Unknown option "-Z"/)
  expect(errorOf('-c')).toBe('python: -c needs a value [MONO1002]')
  expect(errorOf('--mount')).toBe('python: --mount needs a value [MONO1002]')
  expect(errorOf('-O', 'x.py')).toMatch(/^python: -O is not supported: /)
})

test('the help names every option that is taken', () => {
  for (const option of ['--mount', '--pythonpath', '--env', '--chdir', '--config'])
    expect(PYTHON_HELP).toContain(option)
  for (const letter of 'cmuiqBPEIWXV')
    expect(PYTHON_HELP).toMatch(new RegExp(`^ .*-${letter}\\b`, 'm'))
})
