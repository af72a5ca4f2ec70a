import { hostname } from 'node:os'
import { pairsOf } from './otel-environment.ts'
import type { Attribute } from './span.ts'

/**
 * What the spans come from (OpenTelemetry "Resource"): the service, and this process.
 *
 * @param application its name, for services that have not got one by `OTEL_SERVICE_NAME`
 * @throws TraceSettingsError
 */
export function resourceOf(
  application: string,
  version: string,
  env: NodeJS.ProcessEnv,
): Attribute[] {
  const attributes = new Map<string, string | number>([
    ['service.name', application],
    ['host.name', hostname()],
    ['process.pid', process.pid],
    ['telemetry.sdk.name', 'monoceros'],
    ['telemetry.sdk.language', 'nodejs'],
    ['telemetry.sdk.version', version],
    ...pairsOf('OTEL_RESOURCE_ATTRIBUTES', env.OTEL_RESOURCE_ATTRIBUTES),
  ])
  if (env.OTEL_SERVICE_NAME) attributes.set('service.name', env.OTEL_SERVICE_NAME)
  return [...attributes]
}
