import { expect, test } from 'vitest'
import { InstallError } from './install-error.ts'
import { installHelp, parseInstallOptions } from './install-options.ts'

function mistake(...args: string[]): string {
  try {
    parseInstallOptions(args)
  } catch (error) {
    expect(error).toBeInstanceOf(InstallError)
    expect(error).toMatchObject({ code: 'usage' })
    return (error as InstallError).message
  }
  throw new Error('there was no mistake')
}

test("pip's options go to pip in one form, however they are written", () => {
  const { pip, requirements, locked } = parseInstallOptions([
    '-rbase.txt',
    '--requirement',
    'more.txt',
    '-c',
    'constraints.txt',
    '--index-url=https://index.example/simple',
    'flask>=3',
    '-U',
    '--no-deps',
  ])
  expect(pip).toEqual([
    '--requirement=base.txt',
    '--requirement=more.txt',
    '--constraint=constraints.txt',
    '--index-url=https://index.example/simple',
    '--upgrade',
    '--no-deps',
  ])
  expect(requirements).toEqual(['flask>=3'])
  expect(locked).toBe(false)
})

test('what begins with a dash is no option after two dashes', () => {
  expect(parseInstallOptions(['--', '-odd'])).toMatchObject({ requirements: ['-odd'], pip: [] })
})

test('nothing to install means what the lock file has, a requirements file or a name do not', () => {
  expect(parseInstallOptions(['-q']).locked).toBe(true)
  expect(parseInstallOptions(['-r', 'a.txt']).locked).toBe(false)
  expect(parseInstallOptions(['a']).locked).toBe(false)
})

test('our own options stay here', () => {
  expect(
    parseInstallOptions(['-t', 'lib', '-vv', '--cache-dir', 'c', '--no-cache-dir', 'a']),
  ).toMatchObject({
    target: 'lib',
    verbosity: 2,
    cacheDir: 'c',
    noCache: true,
    pip: [],
  })
  expect(parseInstallOptions(['-qq', 'a']).verbosity).toBe(-1)
  expect(parseInstallOptions(['a'])).toMatchObject({
    target: 'python_modules',
    verbosity: 0,
    cacheDir: null,
  })
})

test('where packages come from is known apart, for getting pip', () => {
  const { index } = parseInstallOptions([
    '-i',
    'https://a',
    '-f',
    'x',
    '--find-links',
    'y',
    '--no-index',
    '-r',
    'z',
  ])
  expect(index).toEqual({
    'index-url': ['https://a'],
    'find-links': ['x', 'y'],
    'no-index': ['true'],
  })
})

test('a mistake is named, with what was meant', () => {
  expect(mistake('--find-link', 'x')).toBe(
    'Unknown option "--find-link" (did you mean --find-links?); see monoceros install --help ' +
      '[MONO7101]',
  )
  expect(mistake('-x')).toBe('Unknown option "-x"; see monoceros install --help [MONO7101]')
  expect(mistake('-r')).toBe('-r needs a value: -r FILE [MONO7101]')
  expect(mistake('--no-deps=yes')).toBe('--no-deps does not take a value, got "yes" [MONO7101]')
  expect(mistake('--timeout', 'soon')).toBe(
    '--timeout SECONDS: "soon" is not a valid value [MONO7101]',
  )
  expect(mistake('-e', '.')).toMatch(/^-e is not supported: .*built.* \[MONO7102\]$/)
  expect(mistake('--user', 'a')).toMatch(/^--user is not supported: packages go to python_modules/)
})

test('the help has every option in lines that fit', () => {
  const lines = installHelp().split('\n')
  expect(lines[0]).toBe('Usage: monoceros install [options] [PACKAGE...]')
  expect(lines.some((line) => /^ {2}-r, --requirement FILE {2,}Install/.test(line))).toBe(true)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(110)
})
