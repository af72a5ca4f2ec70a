import { expect, expectTypeOf, test } from 'vitest'
import { camelCase, type SettingDefinition } from '../settings/definition.ts'
import { type Settings, settingsTable } from '../settings/table.ts'
import { type Config, defineConfig } from './define-config.ts'

test('a config is what was given', () => {
  const config = { workers: 2, bind: ['127.0.0.1:1', 'unix:a'], limit_request_body: '20M' } as const
  expect(defineConfig(config)).toBe(config)
})

test('every name and every form of a value has its type', () => {
  expectTypeOf<Config['workers']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<Config['graceful_timeout']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<Config['gracefulTimeout']>().toEqualTypeOf<number | undefined>()
  expectTypeOf<Config['accesslog']>().toEqualTypeOf<string | null | undefined>()
  expectTypeOf<Config['accessLogfile']>().toEqualTypeOf<string | null | undefined>()
  expectTypeOf<Config['limitRequestBody']>().toEqualTypeOf<number | string | undefined>()
  expectTypeOf<Config['headerMap']>().toEqualTypeOf<'drop' | 'refuse' | 'dangerous' | undefined>()
  expectTypeOf<Config['tlsMinimum']>().toEqualTypeOf<'1.2' | '1.3' | number | undefined>()
  expectTypeOf<Config['hsts']>().toEqualTypeOf<string | number | null | undefined>()
  expectTypeOf<Config['httpRedirect']>().toEqualTypeOf<
    string | readonly string[] | number | readonly number[] | undefined
  >()
  expectTypeOf<Config['rawEnv']>().toEqualTypeOf<
    Readonly<Record<string, string>> | readonly string[] | undefined
  >()
})

test('mistakes are errors of the compiler', () => {
  // @ts-expect-error not a setting
  defineConfig({ wrokers: 2 })
  // @ts-expect-error not a number
  defineConfig({ workers: 'many' })
  // @ts-expect-error not one of the choices
  defineConfig({ headerMap: 'keep' })
  // @ts-expect-error for the command line only
  defineConfig({ config: 'other.json' })
  // @ts-expect-error a command
  defineConfig({ printConfig: true })
})

test('the type has every setting of the table', () => {
  // Each key of Settings except those for the command line can be given.
  expectTypeOf<Exclude<keyof Settings, keyof Config>>().toEqualTypeOf<'config'>()
  const table = settingsTable as readonly SettingDefinition[]
  const commandLineOnly = table.filter((setting) => setting.commandLineOnly && !setting.command)
  expect(commandLineOnly.map(({ name }) => camelCase(name))).toEqual(['config'])
})
