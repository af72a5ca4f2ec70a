import { toConfig } from '../../config/load-settings.ts'
import type { ControlConfiguration } from '../../control/protocol.ts'
import type { Settings } from '../../settings/table.ts'

/**
 * The settings in force, with where each value comes from.
 *
 * What may be secret is hidden: the values of environment variables, and passwords in addresses.
 */
export function shownConfiguration(
  settings: Settings,
  origins: Readonly<Record<string, string>>,
): ControlConfiguration['settings'] {
  return Object.entries(toConfig(settings)).map(([name, value]) => ({
    name,
    value: name === 'raw_env' ? hiddenValues(value) : withoutPasswords(value),
    source: origins[name] ?? null,
  }))
}

function hiddenValues(variables: unknown): unknown {
  if (Array.isArray(variables))
    return variables.map((variable) => String(variable).replace(/=.*$/s, '=***'))
  if (typeof variables !== 'object' || variables === null) return variables
  return Object.fromEntries(Object.keys(variables).map((name) => [name, '***']))
}

/** `redis://user:***@host` */
function withoutPasswords(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/(:\/\/[^/@\s:]*:)[^/@\s]*@/g, '$1***@')
  return Array.isArray(value) ? value.map(withoutPasswords) : value
}
