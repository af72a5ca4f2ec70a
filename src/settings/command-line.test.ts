import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseCommandLine } from './command-line.ts'
import type { SettingDefinition } from './definition.ts'
import { gunicornSettings } from './gunicorn-settings.ts'
import { SettingsError } from './settings-error.ts'
import { settingsTable } from './table.ts'

const table: readonly SettingDefinition[] = settingsTable

function raws(...args: string[]): Record<string, unknown> {
  return Object.fromEntries(
    [...parseCommandLine(args).values].map(([name, { raw }]) => [name, raw]),
  )
}

function refusal(...args: string[]): SettingsError {
  try {
    parseCommandLine(args)
  } catch (error) {
    if (error instanceof SettingsError) {
      expect(error.message).not.toContain('\n')
      return error
    }
    throw error
  }
  throw new Error('it was accepted')
}

describe('the command line', () => {
  test('flags may stand before and behind the application, joined with their value or not', () => {
    expect(raws('-w', '2', 'site:app', '--threads=4', '-t60')).toEqual({
      workers: '2',
      wsgi_app: 'site:app',
      threads: '4',
      timeout: '60',
    })
  })

  test('a repeatable flag collects its values, of others the last counts', () => {
    expect(
      raws('-b', ':1', '--bind', ':2', '-e', 'A=1', '-e', 'B=2', '-w', '1', '-w', '2'),
    ).toEqual({
      bind: [':1', ':2'],
      raw_env: ['A=1', 'B=2'],
      workers: '2',
    })
  })

  test('an off flag switches off', () => {
    expect(raws('--no-request-buffering', '--no-server-header')).toEqual({
      request_buffering: false,
      server_header: null,
    })
    expect(raws('--no-server-header', '--server-header', 'x')).toEqual({ server_header: 'x' })
  })

  test('behind -- everything is the application', () => {
    expect(raws('--', '-w')).toEqual({ wsgi_app: '-w' })
  })

  test('a lone dash is a value', () => {
    expect(raws('--access-logfile', '-', 'a')).toEqual({ access_logfile: '-', wsgi_app: 'a' })
  })

  test.each([
    [['--wrokers', '2'], 'unknown-flag', 'Unknown option "--wrokers" (did you mean --workers?)'],
    [
      ['--cert', 'a.pem'],
      'unknown-flag',
      'Unknown option "--cert" (did you mean --certfile or --cert-reqs?)',
    ],
    [['--frobnicate'], 'unknown-flag', 'Unknown option "--frobnicate"'],
    [['-workers', '2'], 'unknown-flag', 'Unknown option "-workers" (did you mean --workers?)'],
    [['-x'], 'unknown-flag', 'Unknown option "-x"'],
    [['-w'], 'missing-value', '-w needs a value: -w INT'],
    [['--bind', '--workers', '2'], 'missing-value', '--bind needs a value: --bind ADDRESS'],
    [['--help=yes'], 'unwanted-value', '--help does not take a value, got "yes"'],
    [['-k'], 'missing-value', '-k needs a value'],
    [['a:b', 'c:d'], 'two-applications', 'Two applications given, "a:b" and "c:d"'],
    [['a\nb', 'c'], 'two-applications', 'Two applications given, "a\\nb" and "c"'],
    [['a', '--compress', 'gzip'], 'two-applications', '(--compress takes no value.)'],
    [
      ['a', '--proxy-protocol', 'v3'],
      'two-applications',
      '(--proxy-protocol takes off, v1, v2, auto or nothing.)',
    ],
    [['a', '-w', '2', 'b'], 'two-applications', '(The value of a flag follows it directly.)'],
  ])('%j is refused (%s)', (args, code, message) => {
    const error = refusal(...args)
    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
  })

  test('a message says when the arguments came from a variable', () => {
    expect(() => parseCommandLine(['-w'], 'MONOCEROS_CMD_ARGS')).toThrow(
      'MONOCEROS_CMD_ARGS: -w needs a value',
    )
  })

  test("Gunicorn's flags that make no difference are noted", () => {
    const { values, notes } = parseCommandLine(['--no-sendfile', '--http-parser', 'fast', 'a'])
    expect([...values.keys()]).toEqual(['wsgi_app'])
    expect(notes).toHaveLength(2)
    expect(notes[0]).toContain('--no-sendfile is not needed')
  })

  test.each([
    [['--capture-output'], 'auto', undefined],
    [['--capture-output', 'raw', 'a:b'], 'raw', 'a:b'],
    [['--capture-output', 'a:b'], 'auto', 'a:b'],
    [['--capture-output=raw', 'lines'], 'raw', 'lines'],
    [['a:b', '--capture-output', '-w', '2'], 'auto', 'a:b'],
  ])('a switch that may have a value: %j', (args, value, application) => {
    const { values } = parseCommandLine(args)
    expect(values.get('capture_output')?.raw).toBe(value)
    expect(values.get('wsgi_app')?.raw).toBe(application)
  })

  test('no flag means two things', () => {
    const all = [
      ...table.flatMap((setting) => [
        ...setting.flags,
        ...(setting.offFlag === undefined ? [] : [setting.offFlag]),
      ]),
      ...gunicornSettings.flatMap((setting) => setting.flags),
    ]
    expect(all.filter((flag, index) => all.indexOf(flag) !== index)).toEqual([])
    const names = [...table.map(({ name }) => name), ...gunicornSettings.map(({ name }) => name)]
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  test('whatever is written, it is parsed or refused in one line', () => {
    const flags = table.flatMap((setting) => setting.flags)
    const word = fc.oneof(
      fc.constantFrom(...flags),
      fc.string(),
      fc.string().map((text) => `-${text}`),
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (args) => {
        try {
          parseCommandLine(args)
        } catch (error) {
          expect(error).toBeInstanceOf(SettingsError)
          // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may appear
          expect((error as SettingsError).message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
        }
      }),
    )
  })

  test('the value of each flag arrives at its setting, in every spelling', () => {
    const valued = table.filter(
      ({ type, flags, switchedOn }) =>
        type !== 'boolean' && flags.length > 0 && switchedOn === undefined,
    )
    const value = fc.string({ minLength: 1 }).filter((text) => !text.startsWith('-'))
    fc.assert(
      fc.property(
        fc.constantFrom(...valued),
        fc.nat(),
        value,
        fc.boolean(),
        (setting, which, text, joined) => {
          const flag = setting.flags[which % setting.flags.length]!
          const joiner = flag.startsWith('--') ? '=' : ''
          const whole = `${flag}${joiner}${text}`
          fc.pre(!joined || !table.some((other) => other.flags.includes(`-${whole}`)))
          const raw = parseCommandLine(joined ? [whole] : [flag, text]).values.get(
            setting.name,
          )?.raw
          expect(Array.isArray(raw) ? raw[0] : raw).toBe(text)
        },
      ),
    )
  })
})
