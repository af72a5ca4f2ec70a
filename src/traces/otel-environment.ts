import { readFileSync } from 'node:fs'
import { coded } from '../messages/coded.ts'
import { TraceSettingsError } from './trace-settings-error.ts'

/** How spans are exported: what the variables of OpenTelemetry say. */
export interface ExportOptions {
  /** With `/v1/traces`. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly protocol: 'http/protobuf' | 'http/json'
  readonly gzip: boolean
  /** How long one request to the collector may take, in milliseconds. */
  readonly timeout: number
  /** How long a span waits for others at most, in milliseconds. */
  readonly delay: number
  /** How many spans may wait. */
  readonly mostWaiting: number
  /** How many spans a request to the collector has at most. */
  readonly mostInBatch: number
  /** For HTTPS, in PEM; undefined for the usual authorities, and no certificate of our own. */
  readonly tls: {
    readonly ca?: Buffer
    readonly key?: Buffer
    readonly cert?: Buffer
  }
}

const DEFAULT_ENDPOINT = 'http://localhost:4318'

/**
 * Reads the variables (https://opentelemetry.io/docs/specs/otel/protocol/exporter/, and "SDK
 * environment variables"). One for traces, such as `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, comes
 * before that for all signals.
 *
 * @param endpoint the setting `otlp`: a URL, or `env`
 * @throws TraceSettingsError
 */
export function exportOptions(endpoint: string, env: NodeJS.ProcessEnv): ExportOptions {
  const read = (name: string) =>
    env[`OTEL_EXPORTER_OTLP_TRACES_${name}`] || env[`OTEL_EXPORTER_OTLP_${name}`] || undefined
  const mostInBatch = positive(env, 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512)
  return {
    url: endpoint === 'env' ? urlOf(env) : withPath(new URL(endpoint)),
    headers: headersOf(read('HEADERS')),
    protocol: protocolOf(read('PROTOCOL'), endpoint),
    gzip: isGzip(read('COMPRESSION')),
    timeout: positive({ value: read('TIMEOUT') }, 'value', 10_000, 'OTEL_EXPORTER_OTLP_TIMEOUT'),
    delay: positive(env, 'OTEL_BSP_SCHEDULE_DELAY', 5000),
    mostWaiting: Math.max(positive(env, 'OTEL_BSP_MAX_QUEUE_SIZE', 8192), mostInBatch),
    mostInBatch,
    tls: {
      ...pem('ca', read('CERTIFICATE')),
      ...pem('key', read('CLIENT_KEY')),
      ...pem('cert', read('CLIENT_CERTIFICATE')),
    },
  }
}

/** A URL for traces is taken as it is; one for all signals gets a path. */
function urlOf(env: NodeJS.ProcessEnv): URL {
  const exact = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
  if (exact) return parsed('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', exact)
  const base = env.OTEL_EXPORTER_OTLP_ENDPOINT || DEFAULT_ENDPOINT
  return withPath(parsed('OTEL_EXPORTER_OTLP_ENDPOINT', base))
}

function parsed(name: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new TraceSettingsError(
    coded('MONO8401', `${name}=${text} is no URL: expected http:// or https://`),
  )
}

function withPath(url: URL): URL {
  if (url.pathname.endsWith('/v1/traces')) return url
  const whole = new URL(url)
  whole.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`
  return whole
}

/** A list as in W3C Baggage: `key=value,key=value`, the values percent-encoded. */
export function pairsOf(name: string, text: string | undefined): [key: string, value: string][] {
  const pairs: [string, string][] = []
  for (const part of (text ?? '').split(',')) {
    if (part.trim() === '') continue
    const equals = part.indexOf('=')
    const key = part.slice(0, equals).trim()
    try {
      const value = decodeURIComponent(part.slice(equals + 1).trim())
      if (equals > 0 && key !== '') {
        pairs.push([key, value])
        continue
      }
    } catch {
      // The percent-encoding is broken: as below.
    }
    // The value may be a secret, so it is not shown.
    throw new TraceSettingsError(
      coded('MONO8401', `${name} is malformed: expected KEY=VALUE, separated by commas`),
    )
  }
  return pairs
}

function headersOf(text: string | undefined): Record<string, string> {
  const pairs = pairsOf('OTEL_EXPORTER_OTLP_HEADERS', text)
  const wrong = pairs.find(
    ([key, value]) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(key) || /[^\t\x20-\x7e]/.test(value),
  )
  if (wrong !== undefined)
    throw new TraceSettingsError(
      coded('MONO8401', `OTEL_EXPORTER_OTLP_HEADERS: ${wrong[0]} is no valid header`),
    )
  return Object.fromEntries(pairs)
}

function protocolOf(text: string | undefined, endpoint: string): ExportOptions['protocol'] {
  if (text === 'http/json') return text
  // The variable may be for another SDK in the workers, if the URL is not from the environment.
  if (text === undefined || text === 'http/protobuf' || endpoint !== 'env') return 'http/protobuf'
  throw new TraceSettingsError(
    coded(
      'MONO8401',
      `OTEL_EXPORTER_OTLP_PROTOCOL=${text} is not supported: use http/protobuf or http/json`,
    ),
  )
}

function isGzip(text: string | undefined): boolean {
  if (text === undefined || text === 'none') return false
  if (text === 'gzip') return true
  throw new TraceSettingsError(
    coded('MONO8401', `OTEL_EXPORTER_OTLP_COMPRESSION=${text} is not supported: use gzip or none`),
  )
}

function positive(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  usual: number,
  shown = name,
): number {
  const text = env[name]
  if (!text) return usual
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0 && value < 2 ** 31) return value
  throw new TraceSettingsError(coded('MONO8401', `${shown}=${text} is no whole number above 0`))
}

function pem(key: 'ca' | 'key' | 'cert', path: string | undefined): object {
  if (path === undefined) return {}
  try {
    return { [key]: readFileSync(path) }
  } catch (error) {
    throw new TraceSettingsError(
      coded(
        'MONO8401',
        `A file that OTEL_EXPORTER_OTLP_… names cannot be read: ${(error as Error).message}`,
      ),
    )
  }
}
