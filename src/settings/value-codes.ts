import type { Code } from '../messages/coded.ts'
import type { RuleName, SettingDefinition, SettingType } from './definition.ts'

/** The codes of values that a setting does not accept, by its type. */
const BY_TYPE: Readonly<Record<SettingType, Code>> = {
  integer: 'MONO1021',
  seconds: 'MONO1021',
  bytes: 'MONO1022',
  boolean: 'MONO1023',
  choice: 'MONO1024',
  mode: 'MONO1025',
  umask: 'MONO1025',
  account: 'MONO1026',
  string: 'MONO1027',
  strings: 'MONO1027',
  object: 'MONO1027',
  hook: 'MONO1027',
  mapping: 'MONO1028',
  addresses: 'MONO1029',
  path: 'MONO1030',
  paths: 'MONO1030',
  'folder-mapping': 'MONO1030',
}

/** By its rule, which says more. */
const BY_RULE: Readonly<Record<RuleName, Code>> = {
  'ssl-version': 'MONO1024',
  user: 'MONO1026',
  group: 'MONO1026',
  environment: 'MONO1028',
  'compress-level': 'MONO1028',
  'field-names': 'MONO1028',
  'plain-addresses': 'MONO1029',
  'redirect-addresses': 'MONO1029',
  folder: 'MONO1030',
  'existing-folders': 'MONO1030',
  'url-folders': 'MONO1030',
  'root-path': 'MONO1031',
  'url-path': 'MONO1031',
  networks: 'MONO1032',
  hosts: 'MONO1032',
  'access-log-format': 'MONO1033',
  'syslog-address': 'MONO1034',
  'statsd-address': 'MONO1034',
  'http-origins': 'MONO1034',
  'redis-url': 'MONO1034',
  'otlp-endpoint': 'MONO1034',
  'rate-limit': 'MONO1035',
  hsts: 'MONO1036',
  'header-text': 'MONO1036',
  'one-line': 'MONO1036',
  'immutable-names': 'MONO1037',
  'worker-class': 'MONO1038',
  ratio: 'MONO1021',
}

/** The code of a value that the setting does not accept. */
export function codeOfValue({ type, rule }: SettingDefinition): Code {
  return rule === undefined ? BY_TYPE[type] : BY_RULE[rule]
}
