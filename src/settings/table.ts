/**
 * The settings table: every setting of Monoceros, declared once.
 *
 * The `Settings` type, the command line, `--help`, config files, environment variables and
 * `docs/reference/settings.md` all derive from it.
 */
import type { SettingsOf } from './definition.ts'
import { applicationSettings } from './sections/application.ts'
import { cacheSettings } from './sections/cache.ts'
import { configurationSettings } from './sections/configuration.ts'
import { controlSettings } from './sections/control.ts'
import { developmentSettings } from './sections/development.ts'
import { fairnessSettings } from './sections/fairness.ts'
import { hookSettings } from './sections/hooks.ts'
import { http2Settings } from './sections/http2.ts'
import { limitSettings } from './sections/limits.ts'
import { loggingSettings } from './sections/logging.ts'
import { metricsSettings } from './sections/metrics.ts'
import { responseSettings } from './sections/responses.ts'
import { serverSettings } from './sections/server.ts'
import { staticFileSettings } from './sections/static-files.ts'
import { systemSettings } from './sections/system.ts'
import { timeoutSettings } from './sections/timeouts.ts'
import { tlsSettings } from './sections/tls.ts'
import { traceSettings } from './sections/traces.ts'
import { trustSettings } from './sections/trust.ts'
import { workerSettings } from './sections/workers.ts'

export const settingsTable = [
  ...serverSettings,
  ...workerSettings,
  ...systemSettings,
  ...tlsSettings,
  ...http2Settings,
  ...timeoutSettings,
  ...limitSettings,
  ...fairnessSettings,
  ...applicationSettings,
  ...responseSettings,
  ...trustSettings,
  ...staticFileSettings,
  ...cacheSettings,
  ...loggingSettings,
  ...hookSettings,
  ...metricsSettings,
  ...traceSettings,
  ...controlSettings,
  ...developmentSettings,
  ...configurationSettings,
] as const

/**
 * All settings, checked. They are plain data, so `structuredClone` and JSON preserve them; they are
 * sent to acceptors. Keys are the table's names in camelCase; seconds and bytes are numbers; paths
 * are absolute.
 *
 * @example
 * const { bind, workers, gracefulTimeout } = settings
 */
export type Settings = SettingsOf<typeof settingsTable>
