import type { HookName, HookTypes } from '../runtimes/node/hook-types.ts'
import type { CamelCase, SettingDefinition } from '../settings/definition.ts'
import type { settingsTable } from '../settings/table.ts'

/** The forms of a value, for every type of setting but `choice`. */
type GivenTypes = {
  string: string
  path: string
  integer: number
  seconds: number
  /** In bytes, or a text such as `20M`. */
  bytes: number | string
  boolean: boolean
  /** A number, or octal digits, such as `660`. */
  mode: number | string
  umask: number | string
  /** The name or the number of a user or a group. */
  account: string | number
  strings: string | readonly string[]
  paths: string | readonly string[]
  addresses: string | readonly string[]
  mapping: Readonly<Record<string, string>> | readonly string[]
  'folder-mapping': Readonly<Record<string, string>> | readonly string[]
  object: Readonly<Record<string, unknown>>
}

/** Numbers for texts, where a setting is `numeric` and not a single text. */
type NumericTypes = {
  strings: number | readonly number[]
  mapping: Readonly<Record<string, number>>
}

type NumbersOf<Type> = Type extends keyof NumericTypes ? NumericTypes[Type] : number

type GivenValueOf<D extends SettingDefinition> =
  | (D extends { choices: readonly (infer Choice)[] }
      ? Choice | (D extends { switchedOn: string } ? boolean : never)
      : D['name'] extends HookName
        ? HookTypes[D['name']]
        : GivenTypes[Exclude<D['type'], 'choice' | 'hook'>])
  | (D extends { nullable: true } ? null : never)
  | (D extends { numeric: true } ? NumbersOf<D['type']> : never)

type InConfig = Exclude<
  (typeof settingsTable)[number],
  { command: true } | { commandLineOnly: true }
>

/** Gunicorn's name, if the setting has another one. */
type OtherName<D> = D extends { gunicornName: infer Name extends string } ? Name : never

/**
 * What a config file may have: every setting, in camelCase, in snake_case or by Gunicorn's name.
 * Values are as in JSON.
 */
export type Config = {
  readonly [D in InConfig as D['name'] | CamelCase<D['name']> | OtherName<D>]?: GivenValueOf<D>
}

/**
 * Returns its argument. It gives a config file types: an editor completes the names of settings,
 * and the compiler finds mistakes.
 *
 * @param config the settings, each once
 * @example
 * // monoceros.config.ts
 * import { defineConfig } from 'monoceros'
 *
 * export default defineConfig({
 *   wsgiApp: 'mysite.wsgi:application',
 *   bind: ['127.0.0.1:8000', 'unix:/run/mysite.sock'],
 *   workers: 4,
 *   limitRequestBody: '20M',
 * })
 */
export function defineConfig(config: Config): Config {
  return config
}
