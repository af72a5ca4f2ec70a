/**
 * One entry of the settings table, and the TypeScript type that follows from it.
 *
 * Entries are plain data. The command line, the config file, the environment, the reference page
 * and the `Settings` type are all derived from them, so nothing is declared twice.
 */
import type { BindAddress } from './bind-address.ts'

/** The groups of `--help` and of the reference page, in their order there. */
export const SECTION_NAMES = [
  'Server',
  'Workers',
  'System',
  'TLS',
  'HTTP/2',
  'Timeouts',
  'Limits and buffering',
  'Application',
  'Responses and proxies',
  'Static files',
  'Cache and compression',
  'Logging',
  'Server hooks',
  'Metrics',
  'Traces',
  'Control',
  'Development',
  'Configuration',
] as const

export type SectionName = (typeof SECTION_NAMES)[number]

/**
 * The kinds of value. What each accepts as text:
 *
 * | type | text | value |
 * |---|---|---|
 * | `string` | anything | string |
 * | `path` | a file or folder; made absolute from the folder the command runs in (`-` stays) | string |
 * | `paths` | the same, repeatable | list of strings |
 * | `integer` | decimal digits | number |
 * | `seconds` | decimal number | number, in seconds |
 * | `bytes` | decimal digits and an optional `k`, `M` or `G` (powers of 1024) | number, in bytes |
 * | `boolean` | (a flag without value) | boolean |
 * | `choice` | one of `choices`, in any case | that choice |
 * | `mode` | octal digits, as for chmod(1) | number |
 * | `umask` | a number as Python writes it, also octal with a leading 0 | number |
 * | `account` | the name or number of a user or group | string |
 * | `strings` | comma separated, repeatable | list of strings |
 * | `addresses` | a bind address, repeatable | list of {@link BindAddress} |
 * | `mapping` | `KEY=VALUE`, repeatable | record of strings |
 * | `folder-mapping` | `PATH=FOLDER`, repeatable; folders are made absolute | record of strings |
 * | `hook` | (config file only) a function | its name, as a string |
 * | `object` | (config file only) an object | what JSON has of it; names for the rest |
 */
export type SettingType =
  | 'string'
  | 'path'
  | 'paths'
  | 'integer'
  | 'seconds'
  | 'bytes'
  | 'boolean'
  | 'choice'
  | 'mode'
  | 'umask'
  | 'account'
  | 'strings'
  | 'addresses'
  | 'mapping'
  | 'folder-mapping'
  | 'hook'
  | 'object'

/** A value in the form of a config file (JSON), not checked yet. */
export type RawValue =
  | string
  | number
  | boolean
  | null
  | readonly string[]
  | { readonly [key: string]: string }

/** A rule that some settings have beyond their type; see `rules.ts`. */
export type RuleName =
  | 'header-text'
  | 'root-path'
  | 'access-log-format'
  | 'syslog-address'
  | 'statsd-address'
  | 'http-origins'
  | 'one-line'
  | 'networks'
  | 'hosts'
  | 'rate-limit'
  | 'redis-url'
  | 'environment'
  | 'folder'
  | 'field-names'
  | 'user'
  | 'group'
  | 'worker-class'
  | 'compress-level'
  | 'url-folders'
  | 'existing-folders'
  | 'immutable-names'
  | 'ssl-version'
  | 'redirect-addresses'
  | 'hsts'
  | 'plain-addresses'
  | 'url-path'
  | 'ratio'
  | 'otlp-endpoint'

/** One entry of the settings table. */
export interface SettingDefinition {
  /** Its name in a config file, in snake_case: Gunicorn's name if the meaning is the same. */
  readonly name: string
  readonly section: SectionName
  /** Command-line flags, short ones first. Empty: config file only (or positional). */
  readonly flags: readonly string[]
  /** A flag that turns it off: `false` for a boolean, `null` for a nullable setting. */
  readonly offFlag?: string
  readonly type: SettingType
  readonly choices?: readonly string[]
  /**
   * For a choice that is a switch in Gunicorn: the flag may stand without a value and then means
   * this one, as `true` does in a config file; `false` is the default.
   */
  readonly switchedOn?: string
  /** Other spellings of choices, which Gunicorn accepts: text in lower case → the choice. */
  readonly spellings?: Readonly<Record<string, string>>
  /** Bounds of a number, inclusive. */
  readonly minimum?: number
  readonly maximum?: number
  /** In a config file, a number may stand for its text: `hsts: 3600`. */
  readonly numeric?: true
  /** The value may be absent (`null`). */
  readonly nullable?: boolean
  readonly rule?: RuleName
  /** The placeholder for the value in `--help`. */
  readonly metavar?: string
  /** In the form of a config file. */
  readonly default: RawValue
  /** An environment variable that replaces the default. */
  readonly env?: string
  /** Makes the value of the variable's text, which `$` stands for. */
  readonly envTemplate?: string
  /** Gunicorn's name in a config file if it differs; accepted too. */
  readonly gunicornName?: string
  /** A command that does something and exits. It is not in `Settings` or config files. */
  readonly command?: boolean
  /** Not allowed in a config file. */
  readonly commandLineOnly?: boolean
  /** Markdown, wrapped at will. `--help` shows the first paragraph. */
  readonly doc: string
}

/** `limit_request_line` → `limitRequestLine`. */
export type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

type TypeMap = {
  string: string
  path: string
  paths: readonly string[]
  integer: number
  seconds: number
  bytes: number
  boolean: boolean
  mode: number
  umask: number
  account: string
  strings: readonly string[]
  addresses: readonly BindAddress[]
  mapping: Readonly<Record<string, string>>
  'folder-mapping': Readonly<Record<string, string>>
  object: Readonly<Record<string, unknown>>
  hook: string
}

type PlainValue<D extends SettingDefinition> = D extends { choices: readonly (infer Choice)[] }
  ? Choice
  : D['type'] extends keyof TypeMap
    ? TypeMap[D['type']]
    : never

/** The type of a setting's checked value. */
export type ValueOf<D extends SettingDefinition> = D extends { nullable: true }
  ? PlainValue<D> | null
  : PlainValue<D>

/** The object type of a table: one camelCase key for each entry that is not a command. */
export type SettingsOf<Table extends readonly SettingDefinition[]> = {
  readonly [D in Table[number] as D extends { command: true }
    ? never
    : CamelCase<D['name']>]: ValueOf<D>
}

/** `limit_request_line` → `limitRequestLine`, as a value. */
export function camelCase<Name extends string>(name: Name): CamelCase<Name> {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()) as CamelCase<Name>
}
